// Sixteen floats as one 512-bit register: the vocabulary of v16_scalar.h (which defines it) for AVX-512 F, BW, VL and
// DQ. Intrinsics only, no std templates, everything in an anonymous namespace (ODR trap). No fused multiply-add, and
// none of the _reduce_ intrinsics, whose order of additions is not ours.
#pragma once

#include <cstdint>

#include "kernels/cpu/i8_queries.h"
#include "kernels/cpu/i8_tiles_x86.h"
#include "kernels/cpu/x86_intrinsics.h"
#include "kernels/f16_bits.h"

namespace kern {
namespace {

struct V16 {
    __m512 all;
};

struct I16 {
    __m512i all;
};

// Blocking for 32 registers of 16 floats; see v16_scalar.h.
constexpr int kMaxQueries = 4;
constexpr int kScoreCells = 4;
constexpr int kCellsAtOnce[kMaxQueries + 1] = {0, 4, 4, 4, 4};
constexpr int kFewQueries = 8;
constexpr int kValueChunks[kMaxQueries + 1] = {0, 8, 8, 4, 4};
constexpr int kTileRows = 4;
constexpr int kTileCols = 4;
constexpr int kStreams = 4;
constexpr int kStreamCols = 4;

// The first n (0..16) lanes.
inline __mmask16 lanes_below(int64_t n) { return static_cast<__mmask16>((1u << n) - 1u); }

inline V16 v16_set1(float f) { return {_mm512_set1_ps(f)}; }

inline V16 v16_load(const float* p) { return {_mm512_loadu_ps(p)}; }

inline V16 v16_load_part(const float* p, int64_t n, float fill) {
    return {_mm512_mask_loadu_ps(_mm512_set1_ps(fill), lanes_below(n), p)};
}

inline void v16_store(float* p, V16 a) { _mm512_storeu_ps(p, a.all); }

inline void v16_store_part(float* p, V16 a, int64_t n) { _mm512_mask_storeu_ps(p, lanes_below(n), a.all); }

inline V16 v16_add(V16 a, V16 b) { return {_mm512_add_ps(a.all, b.all)}; }

inline V16 v16_sub(V16 a, V16 b) { return {_mm512_sub_ps(a.all, b.all)}; }

inline V16 v16_mul(V16 a, V16 b) { return {_mm512_mul_ps(a.all, b.all)}; }

inline V16 v16_div(V16 a, V16 b) { return {_mm512_div_ps(a.all, b.all)}; }

inline V16 v16_max(V16 a, V16 b) { return {_mm512_max_ps(a.all, b.all)}; }

inline V16 v16_min(V16 a, V16 b) { return {_mm512_min_ps(a.all, b.all)}; }

inline V16 v16_abs(V16 a) { return {_mm512_andnot_ps(_mm512_set1_ps(-0.0f), a.all)}; }

inline V16 v16_negate(V16 a) { return {_mm512_xor_ps(_mm512_set1_ps(-0.0f), a.all)}; }

inline V16 v16_if_number(V16 test, V16 a, V16 b) {
    return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(test.all, test.all, _CMP_ORD_Q), b.all, a.all)};
}

// VSCALEFPS rounds once, as the two products of the other levels do (their first is exact).
inline V16 v16_scale_by_power(V16 a, V16 n) { return {_mm512_scalef_ps(a.all, n.all)}; }

inline float v16_tree(V16 a) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a.all), _mm512_extractf32x8_ps(a.all, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

inline void v16_tree4(const V16* a, float* out) {
    // Lanes 0..7 += 8..15 of two vectors at a time, then 0..3 += 4..7 of all four: a quarter of the register each.
    const __m512 ab =
        _mm512_add_ps(_mm512_shuffle_f32x4(a[0].all, a[1].all, 0x44), _mm512_shuffle_f32x4(a[0].all, a[1].all, 0xee));
    const __m512 cd =
        _mm512_add_ps(_mm512_shuffle_f32x4(a[2].all, a[3].all, 0x44), _mm512_shuffle_f32x4(a[2].all, a[3].all, 0xee));
    const __m512 four = _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd));
    const __m512 two = _mm512_add_ps(four, _mm512_permute_ps(four, 0x4e));
    const __m512 one = _mm512_add_ps(two, _mm512_permute_ps(two, 0xb1));
    // Lane 0 of each quarter.
    const __m512i pick = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    _mm_storeu_ps(out, _mm512_castps512_ps128(_mm512_permutexvar_ps(pick, one)));
}

inline float v16_max_lane(V16 a) {
    const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a.all), _mm512_extractf32x8_ps(a.all, 1));
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

inline V16 v16_from_f16(const uint16_t* p) {
    return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}

inline V16 v16_from_f16_part(const uint16_t* p, int64_t n) {
    return {_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(lanes_below(n), p))};
}

inline __m256i to_f16(V16 a) { return _mm512_cvtps_ph(a.all, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

inline void v16_to_f16(uint16_t* p, V16 a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), to_f16(a)); }

inline void v16_to_f16_part(uint16_t* p, V16 a, int64_t n) { _mm256_mask_storeu_epi16(p, lanes_below(n), to_f16(a)); }

inline V16 from_bf16(__m256i h) { return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16))}; }

inline V16 v16_from_bf16(const uint16_t* p) {
    return from_bf16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}

inline V16 v16_from_bf16_part(const uint16_t* p, int64_t n) {
    return from_bf16(_mm256_maskz_loadu_epi16(lanes_below(n), p));
}

inline V16 from_bytes(__m128i bytes) { return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes))}; }

inline V16 v16_from_i8(const int8_t* p) { return from_bytes(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }

inline void four_halves(uint64_t h, float* out) {
    _mm_storeu_ps(out, _mm_cvtph_ps(_mm_cvtsi64_si128(static_cast<long long>(h))));
}

inline void v16_load_pairs(const float* p, V16* even, V16* odd) {
    const __m512i pick = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i next = _mm512_add_epi32(pick, _mm512_set1_epi32(1));
    const __m512 a = _mm512_loadu_ps(p);
    const __m512 b = _mm512_loadu_ps(p + 16);
    *even = {_mm512_permutex2var_ps(a, pick, b)};
    *odd = {_mm512_permutex2var_ps(a, next, b)};
}

inline void v16_store_pairs(float* p, V16 even, V16 odd) {
    const __m512i pick = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i next = _mm512_add_epi32(pick, _mm512_set1_epi32(8));
    _mm512_storeu_ps(p, _mm512_permutex2var_ps(even.all, pick, odd.all));
    _mm512_storeu_ps(p + 16, _mm512_permutex2var_ps(even.all, next, odd.all));
}

inline I16 i16_zero() { return {_mm512_setzero_si512()}; }

inline I16 i16_from_v16(V16 a) { return {_mm512_cvttps_epi32(a.all)}; }

inline I16 i16_add(I16 a, I16 b) { return {_mm512_add_epi32(a.all, b.all)}; }

inline int32_t i16_sum(I16 a) {
    const __m256i eight = _mm256_add_epi32(_mm512_castsi512_si256(a.all), _mm512_extracti32x8_epi32(a.all, 1));
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1)));
}

inline void i16_store_i8(int8_t* p, I16 a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a.all));
}

inline void i16_store_i8_part(int8_t* p, I16 a, int64_t n) {
    _mm512_mask_cvtepi32_storeu_epi8(p, lanes_below(n), a.all);
}

// A table of the sixteen products replaces a conversion and a multiplication per weight. vpermps looks at the low four
// bits of a lane only, so the nibbles above them need no mask.
inline void v16_q4_codes(const uint8_t* qs, float d, V16* low, V16* high) {
    const __m512 levels = _mm512_setr_ps(-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7);
    const __m512 table = _mm512_mul_ps(levels, _mm512_set1_ps(d));
    const __m512i codes = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(qs)));
    *low = {_mm512_permutexvar_ps(codes, table)};
    *high = {_mm512_permutexvar_ps(_mm512_srli_epi32(codes, 4), table)};
}

inline void q6_codes(const uint8_t* ql, const uint8_t* qh, int8_t* q) {
    const __m512i four = _mm512_set1_epi8(15);
    const __m512i two = _mm512_set1_epi8(0x30);
    // How far the two halves of a register shift qh. Word shifts let bits cross between bytes; the masks remove them.
    const __m512i left = _mm512_inserti64x4(_mm512_set1_epi16(4), _mm256_set1_epi16(2), 1);
    const __m512i right = _mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi16(2), 1);
    const auto store = [=](int8_t* to, __m512i low, __m512i high) {
        // (low & 15) | (high & 0x30), less 32.
        const __m512i bits = _mm512_ternarylogic_epi64(_mm512_and_si512(low, four), high, two, 0xf8);
        _mm512_storeu_si512(to, _mm512_sub_epi8(bits, _mm512_set1_epi8(32)));
    };
    for (int half = 0; half < 2; ++half, ql += 64, qh += 32, q += 128) {
        const __m512i a = _mm512_loadu_si512(ql);
        const __m512i h = _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(qh)));
        store(q, a, _mm512_sllv_epi16(h, left));
        store(q + 64, _mm512_srli_epi16(a, 4), _mm512_srlv_epi16(h, right));
    }
}

// What a group of four codes gives the sums of sixteen cells; sizes are the cells' codes without sign.
#if defined(__AVX512VNNI__)
// A code plus 128 has none; what that adds is taken off first.
inline __m512i first_dots(int32_t sum_of_query) { return _mm512_set1_epi32(-128 * sum_of_query); }
inline __m512i code_sizes(__m512i codes) { return _mm512_xor_si512(codes, _mm512_set1_epi8(-128)); }
inline __m512i add_dots(__m512i dots, __m512i, __m512i sizes, __m512i query) {
    return _mm512_dpbusd_epi32(dots, sizes, query);
}
#else
// The query gets the sign instead: pairs stay within 2 * 128 * 127, which int16 holds.
inline __m512i first_dots(int32_t) { return _mm512_setzero_si512(); }
inline __m512i code_sizes(__m512i codes) { return _mm512_abs_epi8(codes); }
inline __m512i add_dots(__m512i dots, __m512i codes, __m512i sizes, __m512i query) {
    const __m512i with_sign = _mm512_mask_sub_epi8(query, _mm512_movepi8_mask(codes), _mm512_setzero_si512(), query);
    const __m512i pairs = _mm512_maddubs_epi16(sizes, with_sign);
    return _mm512_add_epi32(dots, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}
#endif

template <int queries>
inline void i8_tile_scores(const int8_t* tile, const float* k_scale, I8Queries q, int64_t n_blocks, float* out,
                           int64_t out_stride) {
    __m512 sums[queries];
    for (int i = 0; i < queries; ++i) sums[i] = _mm512_setzero_ps();
    for (int64_t b = 0; b < n_blocks; ++b) {
        __m512i dots[queries];
        for (int i = 0; i < queries; ++i) dots[i] = first_dots(q.sums[i * q.block_stride + b]);
#pragma GCC unroll 1  // else all products are formed first, in more registers than there are
        for (int g = 0; g < 8; ++g) {
            const __m512i codes = _mm512_loadu_si512(tile + 512 * b + 64 * g);
            const __m512i sizes = code_sizes(codes);
            for (int i = 0; i < queries; ++i) {
                const __m512i query = _mm512_set1_epi32(four_codes(q.codes + i * q.stride + 32 * b + 4 * g));
                dots[i] = add_dots(dots[i], codes, sizes, query);
            }
        }
        const __m512 of_cells = _mm512_loadu_ps(k_scale + 16 * b);
        for (int i = 0; i < queries; ++i) {
            const __m512 scale = _mm512_mul_ps(_mm512_set1_ps(q.scales[i * q.block_stride + b]), of_cells);
            sums[i] = _mm512_add_ps(sums[i], _mm512_mul_ps(_mm512_cvtepi32_ps(dots[i]), scale));
        }
    }
    for (int i = 0; i < queries; ++i) _mm512_storeu_ps(out + i * out_stride, sums[i]);
}

}  // namespace
}  // namespace kern
