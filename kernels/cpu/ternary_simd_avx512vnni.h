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
    static constexpr int kBytes = 64;  // of a register
    static constexpr int kLanes = 16;  // of 32 bits
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
    static int32_t add_lanes(Int v) { return _mm512_reduce_add_epi32(v); }
    // out[i] = sum of the lanes of v[i]: a transposing tree, 15 additions and two shuffles each.
    static void add_lanes16(const Int (&v)[16], int32_t (&out)[16]) {
        Int a[8];  // lanes of 64 bits: pairs of v[i], v[i + 8]
        for (int i = 0; i < 8; ++i) {
            a[i] = _mm512_add_epi32(_mm512_unpacklo_epi32(v[i], v[i + 8]), _mm512_unpackhi_epi32(v[i], v[i + 8]));
        }
        Int b[4];  // 128 bits: v[i], v[i + 8], v[i + 4], v[i + 12]
        for (int i = 0; i < 4; ++i) {
            b[i] = _mm512_add_epi32(_mm512_unpacklo_epi64(a[i], a[i + 4]), _mm512_unpackhi_epi64(a[i], a[i + 4]));
        }
        Int c[2];  // 256 bits: b[i], b[i + 2]
        for (int i = 0; i < 2; ++i) {
            c[i] = _mm512_add_epi32(_mm512_shuffle_i32x4(b[i], b[i + 2], 0x44), _mm512_shuffle_i32x4(b[i], b[i + 2], 0xee));
        }
        // 128-bit quarters of c[i]: b[i] twice, b[i + 2] twice
        const Int d = _mm512_add_epi32(_mm512_shuffle_i32x4(c[0], c[1], 0x88), _mm512_shuffle_i32x4(c[0], c[1], 0xdd));
        // quarters: b[0], b[2], b[1], b[3]; lane j of quarter b[i] is v[i], v[i + 8], v[i + 4], v[i + 12]
        const Int order = _mm512_setr_epi32(0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15);
        store(out, _mm512_permutexvar_epi32(order, d));
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

    static Float zero_float() { return _mm512_setzero_ps(); }
    static Float set_float(float v) { return _mm512_set1_ps(v); }
    static Float to_float(Int v) { return _mm512_cvtepi32_ps(v); }
    static Float mul(Float a, Float b) { return _mm512_mul_ps(a, b); }
    static Float add(Float a, Float b) { return _mm512_add_ps(a, b); }
    static Float load_float(const float* p) { return _mm512_loadu_ps(p); }
    static void store_float(float* p, Float v) { _mm512_storeu_ps(p, v); }
    static Float halves_to_float(const uint16_t* p) {
        return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    }
    // The first n lanes, 1 <= n <= kLanes.
    static __mmask16 mask_of(int64_t n) { return static_cast<__mmask16>(0xffffu >> (16 - n)); }
    static void store_lanes(float* p, Float v, int64_t n) { _mm512_mask_storeu_ps(p, mask_of(n), v); }
    static Float load_lanes(const float* p, int64_t n) { return _mm512_maskz_loadu_ps(mask_of(n), p); }
    static Float as_float(Int v) { return _mm512_castsi512_ps(v); }
    static Int as_int(Float v) { return _mm512_castps_si512(v); }

    static Int dot32(Int sums, Int codes, Int acts) { return _mm512_dpbusd_epi32(sums, codes, acts); }

    template <class Layout>
    struct Fields {
        Int f[4];
        explicit Fields(Int packed)
            : f{field<Layout::shift(0)>(packed), field<Layout::shift(1)>(packed), field<Layout::shift(2)>(packed),
                field<Layout::shift(3)>(packed)} {}
    };
    // One row times one of several columns: the shifts are shared by the columns, two chains of sums a column.
    template <class Layout>
    struct Dot {
        using Fields = Zmm::Fields<Layout>;
        Int even = zero();
        Int odd = zero();
        void step(const Fields& fields, const int8_t* acts) {
            even = dot32(even, fields.f[0], load(acts));
            odd = dot32(odd, fields.f[1], load(acts + 64));
            even = dot32(even, fields.f[2], load(acts + 128));
            odd = dot32(odd, fields.f[3], load(acts + 192));
        }
        void fold() {}
        Int total() const { return add32(even, odd); }
    };

    // For one or two columns the codes are masked where they stand and the sums shifted once per row. A field at bit s
    // holds code * 2^s, all its sums are multiples of 2^s, and shifting them back is exact. Bound: a lane takes at most
    // 4 * 192 * 127 = 97,536 a step, so int32 holds 22,017 steps of 256 weights: k <= 5.6 million.
    template <class Layout>
    struct MaskedFields {
        Int f[4];
        explicit MaskedFields(Int packed) {
            f[0] = _mm512_and_si512(packed, _mm512_set1_epi8(static_cast<char>(3 << Layout::shift(0))));
            f[1] = _mm512_and_si512(packed, _mm512_set1_epi8(static_cast<char>(3 << Layout::shift(1))));
            f[2] = _mm512_and_si512(packed, _mm512_set1_epi8(static_cast<char>(3 << Layout::shift(2))));
            f[3] = _mm512_and_si512(packed, _mm512_set1_epi8(static_cast<char>(3 << Layout::shift(3))));
        }
    };
    template <class Layout>
    struct MaskedDot {
        using Fields = Zmm::MaskedFields<Layout>;
        Int s0 = zero(), s1 = zero(), s2 = zero(), s3 = zero();
        void step(const Fields& fields, const int8_t* acts) {
            s0 = dot32(s0, fields.f[0], load(acts));
            s1 = dot32(s1, fields.f[1], load(acts + 64));
            s2 = dot32(s2, fields.f[2], load(acts + 128));
            s3 = dot32(s3, fields.f[3], load(acts + 192));
        }
        void fold() {}
        Int total() const {
            const Int a = add32(_mm512_srai_epi32(s0, Layout::shift(0)), _mm512_srai_epi32(s1, Layout::shift(1)));
            const Int b = add32(_mm512_srai_epi32(s2, Layout::shift(2)), _mm512_srai_epi32(s3, Layout::shift(3)));
            return add32(a, b);
        }
    };
    template <class Layout, int kCols>
    struct DotChoice {
        using Type = Dot<Layout>;
    };
    template <class Layout>
    struct DotChoice<Layout, 1> {
        using Type = MaskedDot<Layout>;
    };
    template <class Layout>
    struct DotChoice<Layout, 2> {
        using Type = MaskedDot<Layout>;
    };
    template <class Layout, int kCols>
    using DotFor = typename DotChoice<Layout, kCols>::Type;
    static constexpr int direct_streams(int cols) { return cols == 1 ? 4 : 2; }

    template <class Layout>
    struct BlockFields {
        Fields<Layout> all;
        explicit BlockFields(const uint8_t* qs) : all(load(qs)) {}
    };
    template <class Layout>
    static Int dot_block(const BlockFields<Layout>& block, const int8_t* acts) {
        Dot<Layout> dot;
        dot.step(block.all, acts);
        return dot.total();
    }
};

}  // namespace
}  // namespace kern
