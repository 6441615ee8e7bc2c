// The register vocabulary of ternary_direct.h and ternary_tiles.h over 512-bit registers with AVX-512 VNNI.
// Activations come in the order "i8x64" (act_i8.h): one 64-byte piece of them for each code field of 64 packed bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/cpu/x86_intrinsics.h"

namespace kern {
namespace {

struct Zmm {
    using Int = __m512i;
    using Float = __m512;
    static constexpr int kBytes = 64;         // of a register
    static constexpr bool kShareActs = true;  // ternary_direct.h
    static constexpr int kLanes = 16;         // of 32 bits
    static constexpr int kLutTiles = 2;       // lut_direct.h
    static constexpr bool kSums16 = false;
    static constexpr int kDirectFold = 1 << 30;  // vpdpbusd sums are int32 and never need widening

    static Int zero() { return _mm512_setzero_si512(); }
    static void keep(Int& v) { __asm__("" : "+v"(v)); }
    static Int load(const void* p) { return _mm512_loadu_si512(p); }
    // The first 32 bytes; the rest is zero and not read.
    static Int load_half(const void* p) { return _mm512_maskz_loadu_epi32(0x00ff, p); }
    static void store(void* p, Int v) { _mm512_storeu_si512(p, v); }
    static Int broadcast4(const int8_t* p) {
        int32_t four;
        std::memcpy(&four, p, sizeof four);
        return _mm512_set1_epi32(four);
    }
    static Int set32(int32_t v) { return _mm512_set1_epi32(v); }
    static Int add32(Int a, Int b) { return _mm512_add_epi32(a, b); }
    static Int sub32(Int a, Int b) { return _mm512_sub_epi32(a, b); }
    template <int kShift>
    static Int field(Int packed) {
        return _mm512_and_si512(_mm512_srli_epi16(packed, kShift), _mm512_set1_epi8(3));
    }
    // out[i] = sum of the lanes of v[i], for kN = 1, 2, 4, 8 or 16: a tree that transposes while it adds.
    template <int kN>
    static void add_lanes(const Int (&v)[kN], int32_t (&out)[kN]) {
        if constexpr (kN <= 4) {
            int32_t four[4];
            _mm_storeu_si128(reinterpret_cast<__m128i*>(four),
                             add_four(v[0], v[kN > 1 ? 1 : 0], v[kN > 2 ? 2 : 0], v[kN > 2 ? 3 : 0]));
            for (int i = 0; i < kN; ++i) out[i] = four[i];
        } else if constexpr (kN == 8) {
            const Int low = add_quarters(v[0], v[1], v[2], v[3]);
            const Int high = add_quarters(v[4], v[5], v[6], v[7]);
            // 128-bit pieces: two of low, two of high
            const Int s =
                _mm512_add_epi32(_mm512_shuffle_i32x4(low, high, 0x44), _mm512_shuffle_i32x4(low, high, 0xee));
            const __m256i sums = _mm256_add_epi32(_mm512_castsi512_si256(_mm512_shuffle_i32x4(s, s, 0x08)),
                                                  _mm512_castsi512_si256(_mm512_shuffle_i32x4(s, s, 0x0d)));
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), sums);
        } else {
            const Int q0 = add_quarters(v[0], v[1], v[2], v[3]);
            const Int q1 = add_quarters(v[4], v[5], v[6], v[7]);
            const Int q2 = add_quarters(v[8], v[9], v[10], v[11]);
            const Int q3 = add_quarters(v[12], v[13], v[14], v[15]);
            const Int s01 = _mm512_add_epi32(_mm512_shuffle_i32x4(q0, q1, 0x44), _mm512_shuffle_i32x4(q0, q1, 0xee));
            const Int s23 = _mm512_add_epi32(_mm512_shuffle_i32x4(q2, q3, 0x44), _mm512_shuffle_i32x4(q2, q3, 0xee));
            // s01: two pieces of q0, two of q1; even and odd pieces added give q0, q1, q2, q3
            store(out, _mm512_add_epi32(_mm512_shuffle_i32x4(s01, s23, 0x88), _mm512_shuffle_i32x4(s01, s23, 0xdd)));
        }
    }
    // Lane i of each 128-bit piece: the sum of that piece of argument i.
    static Int add_quarters(Int a, Int b, Int c, Int d) {
        const Int ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));  // a b a b
        const Int cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        return _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    }
    static __m128i add_four(Int a, Int b, Int c, Int d) {
        const Int quarters = add_quarters(a, b, c, d);
        const __m256i halves =
            _mm256_add_epi32(_mm512_castsi512_si256(quarters), _mm512_extracti64x4_epi64(quarters, 1));
        return _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
    }
    // t[i] lane j <-> t[j] lane i.
    static void transpose(Int (&t)[16]) {
        Int u[16];
        for (int i = 0; i < 16; i += 2) {
            u[i] = _mm512_unpacklo_epi32(t[i], t[i + 1]);
            u[i + 1] = _mm512_unpackhi_epi32(t[i], t[i + 1]);
        }
        Int w[16];  // w[4h + j]: lanes j, j + 4, j + 8, j + 12 (one per 128 bits) of rows 4h .. 4h + 3
        for (int h = 0; h < 16; h += 4) {
            w[h] = _mm512_unpacklo_epi64(u[h], u[h + 2]);
            w[h + 1] = _mm512_unpackhi_epi64(u[h], u[h + 2]);
            w[h + 2] = _mm512_unpacklo_epi64(u[h + 1], u[h + 3]);
            w[h + 3] = _mm512_unpackhi_epi64(u[h + 1], u[h + 3]);
        }
        for (int j = 0; j < 4; ++j) {
            const Int low01 = _mm512_shuffle_i32x4(w[j], w[4 + j], 0x44);       // rows 0-3, 4-7: lanes j, j + 4
            const Int high01 = _mm512_shuffle_i32x4(w[j], w[4 + j], 0xee);      // lanes j + 8, j + 12
            const Int low23 = _mm512_shuffle_i32x4(w[8 + j], w[12 + j], 0x44);  // rows 8-11, 12-15
            const Int high23 = _mm512_shuffle_i32x4(w[8 + j], w[12 + j], 0xee);
            t[j] = _mm512_shuffle_i32x4(low01, low23, 0x88);
            t[4 + j] = _mm512_shuffle_i32x4(low01, low23, 0xdd);
            t[8 + j] = _mm512_shuffle_i32x4(high01, high23, 0x88);
            t[12 + j] = _mm512_shuffle_i32x4(high01, high23, 0xdd);
        }
    }

    // The fixed tree over sixteen float lanes: 0..7 += 8..15, 0..3 += 4..7, 0..1 += 2..3, 0 += 1.
    static float add_16_lanes(const Float (&lanes)[1]) {
        const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(lanes[0]), _mm512_extractf32x8_ps(lanes[0], 1));
        const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
        const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
    }

    static Float zero_float() { return _mm512_setzero_ps(); }
    static Float set_float(float v) { return _mm512_set1_ps(v); }
    static Float to_float(Int v) { return _mm512_cvtepi32_ps(v); }
    static Float mul(Float a, Float b) { return _mm512_mul_ps(a, b); }
    static Float add(Float a, Float b) { return _mm512_add_ps(a, b); }
    static Float halves_to_float(const uint16_t* p) {
        return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    }
    // The first n lanes, 1 <= n <= kLanes.
    static __mmask16 mask_of(int64_t n) { return static_cast<__mmask16>(0xffffu >> (16 - n)); }
    static void store_lanes(float* p, Float v, int64_t n) { _mm512_mask_storeu_ps(p, mask_of(n), v); }

    static Int dot32(Int sums, Int codes, Int acts) { return _mm512_dpbusd_epi32(sums, codes, acts); }

    // The four fields of one register of codes, each code at bits 1:0.
    template <class Layout>
    struct Fields {
        Int f[4];
        explicit Fields(Int packed)
            : f{field<Layout::shift(0)>(packed), field<Layout::shift(1)>(packed), field<Layout::shift(2)>(packed),
                field<Layout::shift(3)>(packed)} {}
    };
    // One row times one of several columns, in kChains independent sums: a vpdpbusd takes five cycles, two start a
    // cycle, so about ten must be under way.
    template <class Layout, int kChains>
    struct Dot {
        using Fields = Zmm::Fields<Layout>;
        Int sums[kChains];
        Dot() {
            for (Int& s : sums) s = zero();
        }
        template <int kField>
        void step(const Fields& fields, Int acts) {
            add<kField>(fields.f[kField], acts);
        }
        template <int kField>
        static Int field(Int packed) {
            return Zmm::field<Layout::shift(kField)>(packed);
        }
        template <int kField>
        void add(Int codes, Int acts) {
            sums[kField % kChains] = dot32(sums[kField % kChains], codes, acts);
        }
        void fold() {}
        Int total() const { return kChains == 1 ? sums[0] : add32(sums[0], sums[kChains - 1]); }
    };

    // For one column the codes are masked where they stand and the sums shifted once per row. A field at bit s
    // holds code * 2^s, all its sums are multiples of 2^s, and shifting them back is exact. Bound: a lane takes at most
    // 4 * 192 * 127 = 97,536 a step, so int32 holds 22,017 steps of 256 weights: k <= 5.6 million.
    template <class Layout>
    struct MaskedFields {
        Int f[4];
        explicit MaskedFields(Int packed)
            : f{masked<Layout::shift(0)>(packed), masked<Layout::shift(1)>(packed), masked<Layout::shift(2)>(packed),
                masked<Layout::shift(3)>(packed)} {}
        template <int kShift>
        static Int masked(Int packed) {
            return _mm512_and_si512(packed, _mm512_set1_epi8(static_cast<char>(3 << kShift)));
        }
    };
    template <class Layout>
    struct MaskedDot {
        using Fields = Zmm::MaskedFields<Layout>;
        Int sums[4] = {zero(), zero(), zero(), zero()};
        template <int kField>
        void step(const Fields& fields, Int acts) {
            sums[kField] = dot32(sums[kField], fields.f[kField], acts);
        }
        void fold() {}
        Int total() const {
            const Int a =
                add32(_mm512_srai_epi32(sums[0], Layout::shift(0)), _mm512_srai_epi32(sums[1], Layout::shift(1)));
            const Int b =
                add32(_mm512_srai_epi32(sums[2], Layout::shift(2)), _mm512_srai_epi32(sums[3], Layout::shift(3)));
            return add32(a, b);
        }
    };
    template <class Layout, int kCols>
    struct DotChoice {
        using Type = Dot<Layout, 1>;
    };
    template <class Layout>
    struct DotChoice<Layout, 1> {
        using Type = MaskedDot<Layout>;
    };
    template <class Layout, int kCols>
    using DotFor = typename DotChoice<Layout, kCols>::Type;
    static constexpr int kDirectCols = 4;    // of I2_S at once: with four rows that is sixteen sums
    static constexpr int kT5LinearCols = 3;  // t5_direct.h
    static constexpr bool kSignedBytes = false;
    static constexpr int direct_streams(int) { return 4; }
    static constexpr int block_streams(int cols) { return cols == 1 ? 4 : 2; }  // of TQ2_0

    // The registers of codes of one TQ2_0 block.
    static constexpr int kBlockRegs = 1;
    template <class Layout>
    using BlockDot = Dot<Layout, 2>;
};

}  // namespace
}  // namespace kern
