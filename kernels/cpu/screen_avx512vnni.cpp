// Screening with AVX-512 VNNI. vpdpbusd wants one side unsigned: codes + 128, whose excess is 128 times the sums of the column.
// Runs only after the CPU check: constinit, no std templates, nothing outside the anonymous namespace but the tables.
#include "kernels/cpu/v16_avx512.h"

#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/screen_blocks.h"

namespace kern {
namespace {

// |sum over a row| <= 65,536 * 255 * 127 < 2^31.
template <int kCols>
struct Sums {
    static constexpr int64_t kStep = 64;
    __m512i high[kCols];
    __m512i low[kCols];

    Sums() {
        for (int c = 0; c < kCols; ++c) high[c] = low[c] = _mm512_setzero_si512();
    }
    void step(const int8_t* codes, const ScreenView (&x)[kCols], int64_t at) {
        const __m512i w = _mm512_xor_si512(_mm512_loadu_si512(codes), _mm512_set1_epi8(-128));
        for (int c = 0; c < kCols; ++c) {
            high[c] = _mm512_dpbusd_epi32(high[c], w, _mm512_loadu_si512(x[c].high + at));
            low[c] = _mm512_dpbusd_epi32(low[c], w, _mm512_loadu_si512(x[c].low + at));
        }
    }
    int64_t total(const ScreenColumn& head, int c) const {
        const int64_t upper = int64_t{_mm512_reduce_add_epi32(high[c])} - 128 * int64_t{head.sum_high};
        const int64_t lower = int64_t{_mm512_reduce_add_epi32(low[c])} - 128 * int64_t{head.sum_low};
        return 128 * upper + lower;
    }
};

// With w = codes + 128: sum of codes * both = 128 (sum of w * high - fours) + sum of w * low.
inline V16 quads_of(__m512i codes, const ScreenView& x, int64_t at) {
    const __m512i w = _mm512_xor_si512(codes, _mm512_set1_epi8(-128));
    const __m512i high = _mm512_dpbusd_epi32(_mm512_setzero_si512(), w, _mm512_loadu_si512(x.high + at));
    const __m512i upper = _mm512_slli_epi32(_mm512_sub_epi32(high, _mm512_loadu_si512(x.fours + at / 4)), 7);
    return {_mm512_cvtepi32_ps(_mm512_dpbusd_epi32(upper, w, _mm512_loadu_si512(x.low + at)))};
}

// One load of 64 bytes right after two stores of 32 would wait for both.
inline V16 quads(const int8_t* a, const int8_t* b, const ScreenView& x, int64_t at) {
    const __m512i first = _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(a)));
    return quads_of(_mm512_inserti64x4(first, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b)), 1), x, at);
}

inline void scale_words(const int8_t* codes, const int8_t* scales, int16_t* words) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(scales));
    const __m512i all = _mm512_castsi256_si512(_mm256_cvtepi8_epi16(bytes));
    __m512i which = _mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi16(1), 1);
    for (int j = 0; j < kQ6KBlock; j += 32) {
        const __m512i w = _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + j)));
        _mm512_store_si512(words + j, _mm512_mullo_epi16(w, _mm512_permutexvar_epi16(which, all)));
        which = _mm512_add_epi16(which, _mm512_set1_epi16(2));
    }
}

template <int kCols>
inline void pair_sums(const int16_t* words, const int16_t* const (&values)[kCols], V16 (&sums)[kCols]) {
    __m512i pairs[kCols];
    for (int c = 0; c < kCols; ++c) pairs[c] = _mm512_setzero_si512();
    const auto step = [&](int j) __attribute__((always_inline)) {
        const __m512i w = _mm512_load_si512(words + j);
#pragma GCC unroll 4
        for (int c = 0; c < kCols; ++c) {
            pairs[c] = _mm512_dpwssd_epi32(pairs[c], w, _mm512_loadu_si512(values[c] + j));
            __asm__("" : "+v"(pairs[c]));  // else g++ may keep the sums in memory
        }
    };
    for_words<kCols>(step);
    for (int c = 0; c < kCols; ++c) sums[c] = {_mm512_cvtepi32_ps(pairs[c])};
}

inline V16 each_of_2(float a, float b) { return {_mm512_mask_blend_ps(0xff00, _mm512_set1_ps(a), _mm512_set1_ps(b))}; }

}  // namespace

SCREEN_KERNEL(avx512vnni, CPU_AVX2 | CPU_AVX512 | CPU_AVX512VNNI);
SCREEN_BLOCK_KERNEL(q8_0, avx512vnni, CPU_AVX2 | CPU_AVX512 | CPU_AVX512VNNI, run_screen_blocks<ScreenedQ8_0>);
SCREEN_BLOCK_KERNEL(q6_k, avx512vnni, CPU_AVX2 | CPU_AVX512 | CPU_AVX512VNNI, run_screen_q6_k);

}  // namespace kern
