// Screening with AVX2: sixteen codes and sixteen 15-bit values meet in one vpmaddwd.
// Runs only after the CPU check: constinit, no std templates, nothing outside the anonymous namespace but the tables.
#include "kernels/cpu/v16_avx2.h"

#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/screen_blocks.h"

namespace kern {
namespace {

// A lane takes 2 * 127 * 16,256 < 2^22 at most per product: 256 of them, 64 steps, go into int32 before they are widened.
template <int kCols>
struct Sums {
    static constexpr int64_t kStep = 64;
    __m256i sums[kCols];
    int64_t wide[kCols];
    int n_steps = 0;

    Sums() {
        for (int c = 0; c < kCols; ++c) sums[c] = _mm256_setzero_si256(), wide[c] = 0;
    }
    static int64_t add_lanes(__m256i v) {
        const __m256i low = _mm256_cvtepi32_epi64(_mm256_castsi256_si128(v));
        const __m256i sum = _mm256_add_epi64(low, _mm256_cvtepi32_epi64(_mm256_extracti128_si256(v, 1)));
        const __m128i two = _mm_add_epi64(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
        return _mm_cvtsi128_si64(_mm_add_epi64(two, _mm_unpackhi_epi64(two, two)));
    }
    void step(const int8_t* codes, const ScreenView (&x)[kCols], int64_t at) {
        for (int64_t i = 0; i < kStep; i += 16) {
            const __m256i w = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes + i)));
            for (int c = 0; c < kCols; ++c) {
                const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x[c].both + at + i));
                sums[c] = _mm256_add_epi32(sums[c], _mm256_madd_epi16(w, v));
            }
        }
        if (++n_steps < 64) return;
        n_steps = 0;
        for (int c = 0; c < kCols; ++c) {
            wide[c] += add_lanes(sums[c]);
            sums[c] = _mm256_setzero_si256();
        }
    }
    int64_t total(const ScreenColumn&, int c) const { return wide[c] + add_lanes(sums[c]); }
};

// 32 codes. vpmaddubsw takes |codes| and values with the codes' signs: two products are at most 2 * 128 * 127 < 2^15.
inline __m256 eight_quads(const int8_t* codes, const ScreenView& x, int64_t at) {
    const __m256i w = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes));
    const __m256i size = _mm256_abs_epi8(w);
    const auto pairs = [&](const int8_t* values) {
        return _mm256_maddubs_epi16(
            size, _mm256_sign_epi8(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(values + at)), w));
    };
    const __m256i high = _mm256_madd_epi16(pairs(x.high), _mm256_set1_epi16(128));
    const __m256i low = _mm256_madd_epi16(pairs(x.low), _mm256_set1_epi16(1));
    return _mm256_cvtepi32_ps(_mm256_add_epi32(high, low));
}

inline V16 quads(const int8_t* a, const int8_t* b, const ScreenView& x, int64_t at) {
    return {eight_quads(a, x, at), eight_quads(b, x, at + 32)};
}

inline void scale_words(const int8_t* codes, const int8_t* scales, int16_t* words) {
    alignas(32) int16_t wide[16];
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(scales));
    _mm256_store_si256(reinterpret_cast<__m256i*>(wide), _mm256_cvtepi8_epi16(bytes));
    __asm__("" : "+m"(wide));  // a broadcast out of memory is one load
    for (int j = 0; j < kQ6KBlock / 16; ++j) {
        const __m256i w = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes + 16 * j)));
        _mm256_store_si256(reinterpret_cast<__m256i*>(words + 16 * j),
                           _mm256_mullo_epi16(w, _mm256_set1_epi16(wide[j])));
    }
}

template <int kCols>
inline void pair_sums(const int16_t* words, const int16_t* const (&values)[kCols], V16 (&sums)[kCols]) {
    __m256i low[kCols], high[kCols];
    for (int c = 0; c < kCols; ++c) low[c] = high[c] = _mm256_setzero_si256();
    const auto step = [&](int j) __attribute__((always_inline)) {
        const __m256i first = _mm256_load_si256(reinterpret_cast<const __m256i*>(words + j));
        const __m256i second = _mm256_load_si256(reinterpret_cast<const __m256i*>(words + j + 16));
#pragma GCC unroll 4
        for (int c = 0; c < kCols; ++c) {
            const __m256i* v = reinterpret_cast<const __m256i*>(values[c] + j);
            low[c] = _mm256_add_epi32(low[c], _mm256_madd_epi16(first, _mm256_loadu_si256(v)));
            high[c] = _mm256_add_epi32(high[c], _mm256_madd_epi16(second, _mm256_loadu_si256(v + 1)));
            __asm__("" : "+x"(low[c]), "+x"(high[c]));  // else g++ adds products in another order, and in memory
        }
    };
    for_words<kCols>(step);
    for (int c = 0; c < kCols; ++c) sums[c] = {_mm256_cvtepi32_ps(low[c]), _mm256_cvtepi32_ps(high[c])};
}

inline V16 each_of_2(float a, float b) { return {_mm256_set1_ps(a), _mm256_set1_ps(b)}; }

}  // namespace

SCREEN_KERNEL(avx2, CPU_AVX2);
SCREEN_BLOCK_KERNEL(q8_0, avx2, CPU_AVX2, run_screen_blocks<ScreenedQ8_0>);
SCREEN_BLOCK_KERNEL(q6_k, avx2, CPU_AVX2, run_screen_q6_k);

}  // namespace kern
