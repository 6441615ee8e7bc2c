// Sixteen floats as two 256-bit registers: the vocabulary of v16_scalar.h (which defines it) for AVX2 with F16C.
// Intrinsics only, no std templates, everything in an anonymous namespace (ODR trap). No fused multiply-add.
#pragma once

#include <cstdint>

#include "kernels/cpu/i8_queries.h"
#include "kernels/cpu/i8_tiles_x86.h"
#include "kernels/cpu/x86_intrinsics.h"
#include "kernels/f16_bits.h"

namespace kern {
namespace {

struct V16 {
    __m256 low, high;
};

struct I16 {
    __m256i low, high;
};

// Blocking for 16 registers of 8 floats; see v16_scalar.h.
constexpr int kMaxQueries = 4;
constexpr int kScoreCells = 4;
constexpr int kCellsAtOnce[kMaxQueries + 1] = {0, 4, 2, 1, 1};
constexpr int kFewQueries = 4;
constexpr int kValueChunks[kMaxQueries + 1] = {0, 4, 2, 1, 1};
constexpr int kTileRows = 2;
constexpr int kTileCols = 2;
constexpr int kStreams = 4;
constexpr int kStreamCols = 1;

inline V16 v16_set1(float f) { return {_mm256_set1_ps(f), _mm256_set1_ps(f)}; }

inline V16 v16_load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }

// All ones in the lanes first..first+7 that are below n.
inline __m256i lanes_below(int first, int64_t n) {
    const __m256i lane = _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(first));
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lane);
}

inline V16 v16_load_part(const float* p, int64_t n, float fill) {
    const __m256i low = lanes_below(0, n);
    const __m256i high = lanes_below(8, n);
    const __m256 other = _mm256_set1_ps(fill);
    return {_mm256_blendv_ps(other, _mm256_maskload_ps(p, low), _mm256_castsi256_ps(low)),
            _mm256_blendv_ps(other, _mm256_maskload_ps(p + 8, high), _mm256_castsi256_ps(high))};
}

inline void v16_store(float* p, V16 a) {
    _mm256_storeu_ps(p, a.low);
    _mm256_storeu_ps(p + 8, a.high);
}

inline void v16_store_part(float* p, V16 a, int64_t n) {
    _mm256_maskstore_ps(p, lanes_below(0, n), a.low);
    _mm256_maskstore_ps(p + 8, lanes_below(8, n), a.high);
}

inline V16 v16_add(V16 a, V16 b) { return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)}; }

inline V16 v16_sub(V16 a, V16 b) { return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)}; }

inline V16 v16_mul(V16 a, V16 b) { return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)}; }

inline V16 v16_div(V16 a, V16 b) { return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)}; }

inline V16 v16_max(V16 a, V16 b) { return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)}; }

inline V16 v16_min(V16 a, V16 b) { return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)}; }

inline V16 v16_abs(V16 a) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return {_mm256_andnot_ps(sign, a.low), _mm256_andnot_ps(sign, a.high)};
}

inline V16 v16_negate(V16 a) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return {_mm256_xor_ps(sign, a.low), _mm256_xor_ps(sign, a.high)};
}

inline V16 v16_if_number(V16 test, V16 a, V16 b) {
    return {_mm256_blendv_ps(b.low, a.low, _mm256_cmp_ps(test.low, test.low, _CMP_ORD_Q)),
            _mm256_blendv_ps(b.high, a.high, _mm256_cmp_ps(test.high, test.high, _CMP_ORD_Q))};
}

inline __m256 scale_by_power(__m256 a, __m256 n) {
    const __m256i whole = _mm256_cvttps_epi32(n);
    const __m256i half = _mm256_srai_epi32(whole, 1);
    const __m256i bias = _mm256_set1_epi32(127);
    const __m256i first = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
    const __m256i second = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(whole, half), bias), 23);
    return _mm256_mul_ps(_mm256_mul_ps(a, _mm256_castsi256_ps(first)), _mm256_castsi256_ps(second));
}

inline V16 v16_scale_by_power(V16 a, V16 n) { return {scale_by_power(a.low, n.low), scale_by_power(a.high, n.high)}; }

inline float v16_tree(V16 a) {
    const __m256 eight = _mm256_add_ps(a.low, a.high);
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

inline void v16_tree4(const V16* a, float* out) {
    __m256 eight[4];
    for (int i = 0; i < 4; ++i) eight[i] = _mm256_add_ps(a[i].low, a[i].high);
    // Vectors 0 and 1 into the two halves, then 2 and 3; lanes 0..3 += 4..7.
    const __m256 first = _mm256_add_ps(_mm256_permute2f128_ps(eight[0], eight[1], 0x20),
                                       _mm256_permute2f128_ps(eight[0], eight[1], 0x31));
    const __m256 second = _mm256_add_ps(_mm256_permute2f128_ps(eight[2], eight[3], 0x20),
                                        _mm256_permute2f128_ps(eight[2], eight[3], 0x31));
    // Lanes 0..1 += 2..3: (0, 2 | 1, 3), two lanes each. Then 0 += 1.
    const __m256 two = _mm256_add_ps(_mm256_shuffle_ps(first, second, 0x44), _mm256_shuffle_ps(first, second, 0xee));
    const __m256 one = _mm256_add_ps(_mm256_shuffle_ps(two, two, 0x88), _mm256_shuffle_ps(two, two, 0xdd));
    _mm_storeu_ps(out, _mm_unpacklo_ps(_mm256_castps256_ps128(one), _mm256_extractf128_ps(one, 1)));
}

inline float v16_max_lane(V16 a) {
    const __m256 eight = _mm256_max_ps(a.low, a.high);
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

inline V16 v16_from_f16(const uint16_t* p) {
    const __m128i* halves = reinterpret_cast<const __m128i*>(p);
    return {_mm256_cvtph_ps(_mm_loadu_si128(halves)), _mm256_cvtph_ps(_mm_loadu_si128(halves + 1))};
}

inline V16 v16_from_f16_part(const uint16_t* p, int64_t n) {
    uint16_t padded[16] = {};
    __builtin_memcpy(padded, p, static_cast<unsigned long>(n) * sizeof(uint16_t));
    return v16_from_f16(padded);
}

inline void v16_to_f16(uint16_t* p, V16 a) {
    __m128i* halves = reinterpret_cast<__m128i*>(p);
    _mm_storeu_si128(halves, _mm256_cvtps_ph(a.low, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    _mm_storeu_si128(halves + 1, _mm256_cvtps_ph(a.high, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

inline void v16_to_f16_part(uint16_t* p, V16 a, int64_t n) {
    uint16_t whole[16];
    v16_to_f16(whole, a);
    __builtin_memcpy(p, whole, static_cast<unsigned long>(n) * sizeof(uint16_t));
}

inline __m256 from_bf16(__m128i h) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16)); }

inline V16 v16_from_bf16(const uint16_t* p) {
    const __m128i* halves = reinterpret_cast<const __m128i*>(p);
    return {from_bf16(_mm_loadu_si128(halves)), from_bf16(_mm_loadu_si128(halves + 1))};
}

inline V16 v16_from_bf16_part(const uint16_t* p, int64_t n) {
    uint16_t padded[16] = {};
    __builtin_memcpy(padded, p, static_cast<unsigned long>(n) * sizeof(uint16_t));
    return v16_from_bf16(padded);
}

// The low eight of 16 bytes, and the high eight, as floats.
inline V16 from_bytes(__m128i bytes) {
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)),
            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_unpackhi_epi64(bytes, bytes)))};
}

inline V16 v16_from_i8(const int8_t* p) {
    const __m256i low = _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
    const __m256i high = _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p + 8)));
    return {_mm256_cvtepi32_ps(low), _mm256_cvtepi32_ps(high)};
}

inline void four_halves(uint64_t h, float* out) {
    _mm_storeu_ps(out, _mm_cvtph_ps(_mm_cvtsi64_si128(static_cast<long long>(h))));
}

// Even or odd floats of 16 consecutive ones: picks within 128-bit lanes, then puts the 64-bit pieces in order.
template <int pick>
inline __m256 every_second(__m256 a, __m256 b) {
    const __m256d mixed = _mm256_castps_pd(_mm256_shuffle_ps(a, b, pick));
    return _mm256_castpd_ps(_mm256_permute4x64_pd(mixed, 0xd8));
}

inline void v16_load_pairs(const float* p, V16* even, V16* odd) {
    const V16 a = v16_load(p);
    const V16 b = v16_load(p + 16);
    *even = {every_second<0x88>(a.low, a.high), every_second<0x88>(b.low, b.high)};
    *odd = {every_second<0xdd>(a.low, a.high), every_second<0xdd>(b.low, b.high)};
}

inline V16 interleave(__m256 even, __m256 odd) {
    const __m256 a = _mm256_unpacklo_ps(even, odd);
    const __m256 b = _mm256_unpackhi_ps(even, odd);
    return {_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31)};
}

inline void v16_store_pairs(float* p, V16 even, V16 odd) {
    v16_store(p, interleave(even.low, odd.low));
    v16_store(p + 16, interleave(even.high, odd.high));
}

inline I16 i16_zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }

inline I16 i16_from_v16(V16 a) { return {_mm256_cvttps_epi32(a.low), _mm256_cvttps_epi32(a.high)}; }

inline I16 i16_add(I16 a, I16 b) { return {_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)}; }

inline int32_t i16_sum(I16 a) {
    const __m256i eight = _mm256_add_epi32(a.low, a.high);
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1)));
}

inline void i16_store_i8(int8_t* p, I16 a) {
    // packs works within 128-bit lanes: the 64-bit pieces are put in order before the second packing.
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a.low, a.high), 0xd8);
    const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
}

inline void i16_store_i8_part(int8_t* p, I16 a, int64_t n) {
    int8_t whole[16];
    i16_store_i8(whole, a);
    __builtin_memcpy(p, whole, static_cast<unsigned long>(n));
}

inline void v16_q4_codes(const uint8_t* qs, float d, V16* low, V16* high) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(qs));
    const __m128i mask = _mm_set1_epi8(15);
    const __m128i eight = _mm_set1_epi8(8);
    const V16 scale = v16_set1(d);
    *low = v16_mul(from_bytes(_mm_sub_epi8(_mm_and_si128(bytes, mask), eight)), scale);
    *high = v16_mul(from_bytes(_mm_sub_epi8(_mm_and_si128(_mm_srli_epi16(bytes, 4), mask), eight)), scale);
}

inline void q6_codes(const uint8_t* ql, const uint8_t* qh, int8_t* q) {
    const __m256i four = _mm256_set1_epi8(15);
    const __m256i two = _mm256_set1_epi8(0x30);
    // Word shifts let bits cross between bytes; the masks remove them.
    const auto store = [=](int8_t* to, __m256i low, __m256i high) {
        const __m256i bits = _mm256_or_si256(_mm256_and_si256(low, four), _mm256_and_si256(high, two));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_sub_epi8(bits, _mm256_set1_epi8(32)));
    };
    for (int half = 0; half < 2; ++half, ql += 64, qh += 32, q += 128) {
        const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ql));
        const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ql + 32));
        const __m256i h = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(qh));
        store(q, a, _mm256_slli_epi16(h, 4));
        store(q + 32, b, _mm256_slli_epi16(h, 2));
        store(q + 64, _mm256_srli_epi16(a, 4), h);
        store(q + 96, _mm256_srli_epi16(b, 4), _mm256_srli_epi16(h, 2));
    }
}

// What a group of four codes gives the sums of eight cells; sizes are the cells' codes without sign.
#if defined(__AVXVNNI__)
// A code plus 128 has none; what that adds is taken off first.
inline __m256i first_dots(int32_t sum_of_query) { return _mm256_set1_epi32(-128 * sum_of_query); }
inline __m256i code_sizes(__m256i codes) { return _mm256_xor_si256(codes, _mm256_set1_epi8(-128)); }
inline __m256i add_dots(__m256i dots, __m256i, __m256i sizes, __m256i query) {
    return _mm256_dpbusd_avx_epi32(dots, sizes, query);
}
#else
// The query gets the sign instead: pairs stay within 2 * 128 * 127, which int16 holds.
inline __m256i first_dots(int32_t) { return _mm256_setzero_si256(); }
inline __m256i code_sizes(__m256i codes) { return _mm256_abs_epi8(codes); }
inline __m256i add_dots(__m256i dots, __m256i codes, __m256i sizes, __m256i query) {
    const __m256i pairs = _mm256_maddubs_epi16(sizes, _mm256_sign_epi8(query, codes));
    return _mm256_add_epi32(dots, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
#endif

template <int queries>
inline void i8_tile_scores(const int8_t* tile, const float* k_scale, I8Queries q, int64_t n_blocks, float* out,
                           int64_t out_stride) {
    for (int half = 0; half < 16; half += 8) {
        __m256 sums[queries];
        for (int i = 0; i < queries; ++i) sums[i] = _mm256_setzero_ps();
        for (int64_t b = 0; b < n_blocks; ++b) {
            __m256i dots[queries];
            for (int i = 0; i < queries; ++i) dots[i] = first_dots(q.sums[i * q.block_stride + b]);
#pragma GCC unroll 1  // else all products are formed first, in more registers than there are
            for (int g = 0; g < 8; ++g) {
                const __m256i codes =
                    _mm256_loadu_si256(reinterpret_cast<const __m256i*>(tile + 512 * b + 64 * g + 4 * half));
                const __m256i sizes = code_sizes(codes);
                for (int i = 0; i < queries; ++i) {
                    const __m256i query = _mm256_set1_epi32(four_codes(q.codes + i * q.stride + 32 * b + 4 * g));
                    dots[i] = add_dots(dots[i], codes, sizes, query);
                }
            }
            const __m256 of_cells = _mm256_loadu_ps(k_scale + 16 * b + half);
            for (int i = 0; i < queries; ++i) {
                const __m256 scale = _mm256_mul_ps(_mm256_set1_ps(q.scales[i * q.block_stride + b]), of_cells);
                sums[i] = _mm256_add_ps(sums[i], _mm256_mul_ps(_mm256_cvtepi32_ps(dots[i]), scale));
            }
        }
        for (int i = 0; i < queries; ++i) _mm256_storeu_ps(out + i * out_stride + half, sums[i]);
    }
}

}  // namespace
}  // namespace kern
