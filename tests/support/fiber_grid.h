// Plays a grid of GPU threads on the CPU: kernels/cuda/host_grid.h made true. Each thread of a block is a fiber that runs until
// it waits for others; blocks run one after the other. What a GPU would answer with a hang or with garbage is found: threads
// that wait where others never come, shared memory beyond the limit or beyond what was asked for.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "ggml-like/gpu/gpu_device.h"

namespace test {

// What is wrong with a kernel or its launch.
class GridError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

inline constexpr uint32_t kMaxBlockThreads = 1024;
inline constexpr uint32_t kMaxDynamicShared = 227 * 1024;
// The block's dynamic memory before it runs, word by word: not a number as a float and as two F16.
inline constexpr uint32_t kSharedPoison = 0xffe5ffe7u;

// Waiting and finishing threads give way to the next one. A kernel with no race gives the same either way; one that lacks a
// barrier is likely found by running it in both. Blocks of a grid alternate, so grids of several blocks are.
enum class GridOrder { forward, backward };

// Runs on the calling thread until the last block has finished. Throws GridError, and what the kernel throws.
void run_grid(void (*kernel)(const void* args), const void* args, const tg::GpuGrid& grid,
              GridOrder order = GridOrder::forward);

// run_grid(bitnet_add, args, {.x = 4, .threads = 256})
template <class Args>
void run_grid(void (*kernel)(const Args&), const Args& args, const tg::GpuGrid& grid,
              GridOrder order = GridOrder::forward) {
    struct Call {
        void (*kernel)(const Args&);
        const Args& args;
    };
    const Call call = {kernel, args};
    run_grid(
        [](const void* bytes) {
            const Call& bound = *static_cast<const Call*>(bytes);
            bound.kernel(bound.args);
        },
        static_cast<const void*>(&call), grid, order);
}

}  // namespace test
