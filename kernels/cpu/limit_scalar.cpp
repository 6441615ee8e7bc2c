// Reading by 64-bit words, and products of bytes as the compiler makes them from plain C.
#include <cstring>

#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/limit_loops.h"
#include "kernels/cpu/limit_sets.h"

namespace kern {
namespace {

struct Word {
    using Reg = uint64_t;
    static Reg zero() { return 0; }
    static Reg load(const uint8_t* p) {
        uint64_t word;
        std::memcpy(&word, p, sizeof word);
        return word;
    }
    static Reg mix(Reg a, Reg b) { return a ^ b; }
    static uint64_t fold(Reg a) { return a; }
    static void prefetch(const uint8_t* p) { __builtin_prefetch(p, 0, 2); }
};

constexpr int kWidth = 64;

uint64_t multiply(int64_t n_rounds) {
    alignas(64) int8_t a[kWidth], b[kWidth];
    alignas(64) uint32_t sums[kWidth] = {};
    for (int i = 0; i < kWidth; ++i) {
        a[i] = static_cast<int8_t>(i - 20);
        b[i] = static_cast<int8_t>(i % 3 - 1);
    }
    for (int64_t round = 0; round < n_rounds; ++round) {
        __asm__ volatile("" : : "r"(a), "r"(b) : "memory");  // they may have changed, as far as the compiler knows
        for (int i = 0; i < kWidth; ++i) sums[i] += static_cast<uint32_t>(a[i] * b[i]);
    }
    uint64_t all = 0;
    for (const uint32_t sum : sums) all += sum;
    return all;
}

}  // namespace

constinit const LimitKernel limit_scalar = {.level = "scalar",
                                            .needs = CPU_BASE,
                                            .read = limit_read<Word>,
                                            .multiply = multiply,
                                            .ops_per_round = 2 * kWidth,
                                            .allow = nullptr};

}  // namespace kern
