// AVX-512 VNNI: vpdpbusd on 512-bit registers. Reads as AVX-512.
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/limit_sets.h"
#include "kernels/cpu/x86_intrinsics.h"

namespace kern {
namespace {

constexpr int kSums = 16;

uint64_t multiply(int64_t n_rounds) {
    __m512i codes = _mm512_set1_epi8(2), values = _mm512_set1_epi8(-3);
    __m512i sums[kSums];
#pragma GCC unroll 32
    for (__m512i& sum : sums) sum = _mm512_setzero_si512();
    for (int64_t round = 0; round < n_rounds; ++round) {
#pragma GCC unroll 32
        for (__m512i& sum : sums) {
            __asm__ volatile("" : "+v"(codes), "+v"(values));
            sum = _mm512_dpbusd_epi32(sum, codes, values);
        }
    }
#pragma GCC unroll 32
    for (int i = 1; i < kSums; ++i) sums[0] = _mm512_add_epi32(sums[0], sums[i]);
    return static_cast<uint64_t>(_mm_extract_epi64(_mm512_castsi512_si128(sums[0]), 0));
}

}  // namespace

constinit const LimitKernel limit_avx512vnni = {.level = "avx512vnni",
                                                .needs = CPU_AVX2 | CPU_AVX512 | CPU_AVX512VNNI,
                                                .read = nullptr,
                                                .multiply = multiply,
                                                .ops_per_round = int64_t{2} * 64 * kSums,
                                                .allow = nullptr};

}  // namespace kern
