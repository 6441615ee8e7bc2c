// The register vocabulary of ternary_direct.h and ternary_tiles.h over 256-bit registers, except the dot products,
// which the AVX2 and AVX-VNNI files add. Everything is in an anonymous namespace: each file owns its copy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/cpu/x86_intrinsics.h"

namespace kern {
namespace {

struct Ymm {
    using Int = __m256i;
    using Float = __m256;
    static constexpr int kBytes = 32;          // of a register
    static constexpr bool kShareActs = false;  // ternary_direct.h
    static constexpr int kLanes = 8;           // of 32 bits
    static constexpr int kLutTiles = 2;        // lut_direct.h

    static Int zero() { return _mm256_setzero_si256(); }
    static void keep(Int& v) { __asm__("" : "+x"(v)); }
    static Int load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
    static void store(void* p, Int v) { _mm256_storeu_si256(static_cast<__m256i*>(p), v); }
    // Four bytes into every lane.
    static Int broadcast4(const int8_t* p) {
        int32_t four;
        std::memcpy(&four, p, sizeof four);
        return _mm256_set1_epi32(four);
    }
    static Int set32(int32_t v) { return _mm256_set1_epi32(v); }
    static Int add32(Int a, Int b) { return _mm256_add_epi32(a, b); }
    static Int sub32(Int a, Int b) { return _mm256_sub_epi32(a, b); }
    // The two-bit field at bit kShift of every byte, moved to bits 1:0.
    template <int kShift>
    static Int field(Int packed) {
        return _mm256_and_si256(_mm256_srli_epi16(packed, kShift), _mm256_set1_epi8(3));
    }
    // out[i] = sum of the lanes of v[i], for kN = 1, 2, 4, 8 or 16.
    template <int kN>
    static void add_lanes(const Int (&v)[kN], int32_t (&out)[kN]) {
        if constexpr (kN <= 4) {
            const Int s01 = _mm256_hadd_epi32(v[0], v[kN > 1 ? 1 : 0]);  // a0 a0 a1 a1 per 128 bits
            const Int s23 = _mm256_hadd_epi32(v[kN > 2 ? 2 : 0], v[kN > 2 ? 3 : 0]);
            const Int s = _mm256_hadd_epi32(s01, s23);  // a0 a1 a2 a3 per 128 bits
            int32_t four[4];
            _mm_storeu_si128(reinterpret_cast<__m128i*>(four),
                             _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1)));
            for (int i = 0; i < kN; ++i) out[i] = four[i];
        } else {
            for (int i = 0; i < kN; i += 8) {
                const Int* p = v + i;
                const Int s0123 = _mm256_hadd_epi32(_mm256_hadd_epi32(p[0], p[1]), _mm256_hadd_epi32(p[2], p[3]));
                const Int s4567 = _mm256_hadd_epi32(_mm256_hadd_epi32(p[4], p[5]), _mm256_hadd_epi32(p[6], p[7]));
                const Int low = _mm256_permute2x128_si256(s0123, s4567, 0x20);
                const Int high = _mm256_permute2x128_si256(s0123, s4567, 0x31);
                store(out + i, _mm256_add_epi32(low, high));
            }
        }
    }
    // t[i] lane j <-> t[j] lane i.
    static void transpose(Int (&t)[8]) {
        Int u[8];
        for (int i = 0; i < 8; i += 2) {
            u[i] = _mm256_unpacklo_epi32(t[i], t[i + 1]);
            u[i + 1] = _mm256_unpackhi_epi32(t[i], t[i + 1]);
        }
        Int w[8];  // w[4h + j]: lane j (low 128 bits) and j + 4 (high) of rows 4h .. 4h + 3
        for (int h = 0; h < 8; h += 4) {
            w[h] = _mm256_unpacklo_epi64(u[h], u[h + 2]);
            w[h + 1] = _mm256_unpackhi_epi64(u[h], u[h + 2]);
            w[h + 2] = _mm256_unpacklo_epi64(u[h + 1], u[h + 3]);
            w[h + 3] = _mm256_unpackhi_epi64(u[h + 1], u[h + 3]);
        }
        for (int j = 0; j < 4; ++j) {
            t[j] = _mm256_permute2x128_si256(w[j], w[4 + j], 0x20);
            t[4 + j] = _mm256_permute2x128_si256(w[j], w[4 + j], 0x31);
        }
    }

    // The fixed tree over sixteen float lanes: 0..7 += 8..15, 0..3 += 4..7, 0..1 += 2..3, 0 += 1.
    static float add_16_lanes(const Float (&lanes)[2]) {
        const __m256 eight = _mm256_add_ps(lanes[0], lanes[1]);
        const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
        const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
    }

    static Float zero_float() { return _mm256_setzero_ps(); }
    static Float set_float(float v) { return _mm256_set1_ps(v); }
    static Float to_float(Int v) { return _mm256_cvtepi32_ps(v); }
    static Float mul(Float a, Float b) { return _mm256_mul_ps(a, b); }
    static Float add(Float a, Float b) { return _mm256_add_ps(a, b); }
    static Float halves_to_float(const uint16_t* p) {
        return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    }
    // The first n lanes, 1 <= n <= kLanes.
    static Int mask_of(int64_t n) {
        return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    }
    static void store_lanes(float* p, Float v, int64_t n) {
        if (n == kLanes) {
            _mm256_storeu_ps(p, v);
        } else {
            _mm256_maskstore_ps(p, mask_of(n), v);
        }
    }
};

}  // namespace
}  // namespace kern
