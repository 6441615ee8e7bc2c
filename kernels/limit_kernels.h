// Loops that do nothing but read memory, or nothing but multiply 8-bit integers: what the machine itself can do, to hold
// the real kernels against. One row per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kern {

struct LimitKernel {
    const char* level;  // "avx2"
    uint64_t needs;     // CPU feature bits
    // Reads n_bytes, a multiple of kLimitReadUnit, once. n_streams 1, 2 or 4: so many parts are walked side by side. ahead:
    // bytes to prefetch ahead, 0 for none. Gives all 64-bit words xor-ed, so that none can be left out. Null where the next
    // lower row's is as good.
    uint64_t (*read)(const void* data, size_t n_bytes, int n_streams, size_t ahead);
    // n_rounds rounds of products from registers, ops_per_round additions and multiplications each. Gives some of the sums.
    uint64_t (*multiply)(int64_t n_rounds);
    int64_t ops_per_round;
    // Null, or what must have returned true once in the process before multiply runs: the system's permission.
    bool (*allow)();
};

inline constexpr size_t kLimitReadUnit = 4096;

// Of this build, best first; scalar is the last.
size_t limit_kernel_count();
const LimitKernel& limit_kernel_at(size_t index);
// The best that a CPU with these features runs, at a level or what it builds on; level null: at any. Null for a level
// that is none or that the CPU has not.
const LimitKernel* select_limit_kernel(const char* level, uint64_t features);

}  // namespace kern
