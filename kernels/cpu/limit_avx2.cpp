// AVX2: vpmaddubsw and vpaddw, as kernels for ternary codes use them; 256-bit loads.
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/limit_loops.h"
#include "kernels/cpu/limit_sets.h"
#include "kernels/cpu/x86_intrinsics.h"

namespace kern {
namespace {

struct Ymm {
    using Reg = __m256i;
    static Reg zero() { return _mm256_setzero_si256(); }
    static Reg load(const uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
    static Reg mix(Reg a, Reg b) { return _mm256_xor_si256(a, b); }
    static uint64_t fold(Reg a) {
        const __m128i half = _mm_xor_si128(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
        return static_cast<uint64_t>(_mm_extract_epi64(half, 0)) ^ static_cast<uint64_t>(_mm_extract_epi64(half, 1));
    }
    static void prefetch(const uint8_t* p) { _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T1); }
};

constexpr int kSums = 8;

uint64_t multiply(int64_t n_rounds) {
    __m256i codes = _mm256_set1_epi8(2), values = _mm256_set1_epi8(-3);
    __m256i sums[kSums];
#pragma GCC unroll 32
    for (__m256i& sum : sums) sum = _mm256_setzero_si256();
    for (int64_t round = 0; round < n_rounds; ++round) {
#pragma GCC unroll 32
        for (__m256i& sum : sums) {
            __asm__ volatile("" : "+x"(codes), "+x"(values));  // else the product is computed once for all
            const __m256i products = _mm256_maddubs_epi16(codes, values);
            // In place: left to itself g++ 12 keeps the sums in memory, and half the speed is measured.
            __asm__("vpaddw %1, %0, %0" : "+x"(sum) : "x"(products));
        }
    }
#pragma GCC unroll 32
    for (int i = 1; i < kSums; ++i) sums[0] = _mm256_add_epi16(sums[0], sums[i]);
    return static_cast<uint64_t>(_mm256_extract_epi64(sums[0], 0));
}

}  // namespace

constinit const LimitKernel limit_avx2 = {.level = "avx2",
                                          .needs = CPU_AVX2,
                                          .read = limit_read<Ymm>,
                                          .multiply = multiply,
                                          .ops_per_round = int64_t{2} * 32 * kSums,
                                          .allow = nullptr};

}  // namespace kern
