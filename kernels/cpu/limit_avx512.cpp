// AVX-512 without VNNI: vpmaddubsw and vpaddw on 512-bit registers; 512-bit loads.
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/limit_loops.h"
#include "kernels/cpu/limit_sets.h"
#include "kernels/cpu/x86_intrinsics.h"

namespace kern {
namespace {

struct Zmm {
    using Reg = __m512i;
    static Reg zero() { return _mm512_setzero_si512(); }
    static Reg load(const uint8_t* p) { return _mm512_loadu_si512(p); }
    static Reg mix(Reg a, Reg b) { return _mm512_xor_si512(a, b); }
    static uint64_t fold(Reg a) {
        alignas(64) uint64_t words[8];
        _mm512_store_si512(words, a);
        uint64_t all = 0;
        for (const uint64_t word : words) all ^= word;
        return all;
    }
    static void prefetch(const uint8_t* p) { _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T1); }
};

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
            const __m512i products = _mm512_maddubs_epi16(codes, values);
            // In place: left to itself g++ 12 keeps the sums in memory, and half the speed is measured.
            __asm__("vpaddw %1, %0, %0" : "+v"(sum) : "v"(products));
        }
    }
#pragma GCC unroll 32
    for (int i = 1; i < kSums; ++i) sums[0] = _mm512_add_epi16(sums[0], sums[i]);
    return static_cast<uint64_t>(_mm_extract_epi64(_mm512_castsi512_si128(sums[0]), 0));
}

}  // namespace

constinit const LimitKernel limit_avx512 = {.level = "avx512",
                                            .needs = CPU_AVX2 | CPU_AVX512,
                                            .read = limit_read<Zmm>,
                                            .multiply = multiply,
                                            .ops_per_round = int64_t{2} * 64 * kSums,
                                            .allow = nullptr};

}  // namespace kern
