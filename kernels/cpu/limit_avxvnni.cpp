// AVX-VNNI: vpdpbusd on 256-bit registers. Reads as AVX2.
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/limit_sets.h"
#include "kernels/cpu/x86_intrinsics.h"

namespace kern {
namespace {

constexpr int kSums = 12;

uint64_t multiply(int64_t n_rounds) {
    __m256i codes = _mm256_set1_epi8(2), values = _mm256_set1_epi8(-3);
    __m256i sums[kSums];
#pragma GCC unroll 32
    for (__m256i& sum : sums) sum = _mm256_setzero_si256();
    for (int64_t round = 0; round < n_rounds; ++round) {
#pragma GCC unroll 32
        for (__m256i& sum : sums) {
            __asm__ volatile("" : "+x"(codes), "+x"(values));
            sum = _mm256_dpbusd_avx_epi32(sum, codes, values);
        }
    }
#pragma GCC unroll 32
    for (int i = 1; i < kSums; ++i) sums[0] = _mm256_add_epi32(sums[0], sums[i]);
    return static_cast<uint64_t>(_mm256_extract_epi64(sums[0], 0));
}

}  // namespace

constinit const LimitKernel limit_avxvnni = {.level = "avxvnni",
                                             .needs = CPU_AVX2 | CPU_AVXVNNI,
                                             .read = nullptr,
                                             .multiply = multiply,
                                             .ops_per_round = int64_t{2} * 32 * kSums,
                                             .allow = nullptr};

}  // namespace kern
