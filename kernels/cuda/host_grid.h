// CUDA's words for code that a CPU runs as a grid: what grid_lang.h promises, as declarations. Who plays the grid defines
// them (tests/support/fiber_grid.cpp): one fiber a thread of the block, so blocks may wait for each other nowhere.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#define GPU_FUNCTION static inline
#define GPU_KERNEL(name, Args, max_threads)                                                                            \
    [[maybe_unused]] static constexpr unsigned bitnet_##name##_max_threads = max_threads;                              \
    static void bitnet_##name([[maybe_unused]] const Args& args)
// One block runs on a host thread at a time. Not cleared between blocks, as on a GPU.
#define __shared__ static thread_local
#define __align__(n) alignas(n)
#define __restrict__

namespace host_grid {

struct Index {
    unsigned x, y, z;
};

// Where the running fiber is; set by the player before a thread goes on.
struct Place {
    Index thread, block, block_dim, grid_dim;
    unsigned char* dynamic_shared;
};
extern constinit thread_local Place place;

void sync_block();
void sync_warp(unsigned mask);
// The value that lane `from` of this warp gave to the same call.
uint32_t exchange(unsigned mask, uint32_t value, unsigned from);
// See gpu_mma_s8 in grid_lang.h.
void mma_s8_16x8x32(int32_t* d, const uint32_t* a, const uint32_t* b);

}  // namespace host_grid

#define threadIdx (host_grid::place.thread)
#define blockIdx (host_grid::place.block)
#define blockDim (host_grid::place.block_dim)
#define gridDim (host_grid::place.grid_dim)

static inline void __syncthreads() { host_grid::sync_block(); }
static inline void __syncwarp(unsigned mask = 0xffffffffu) { host_grid::sync_warp(mask); }

template <class T>
static inline T __shfl_sync(unsigned mask, T value, int lane) {
    static_assert(sizeof(T) == 4);
    const uint32_t bits = __builtin_bit_cast(uint32_t, value);
    return __builtin_bit_cast(T, host_grid::exchange(mask, bits, static_cast<unsigned>(lane) & 31));
}

template <class T>
static inline T __shfl_xor_sync(unsigned mask, T value, int lanes) {
    return __shfl_sync(mask, value, static_cast<int>((threadIdx.x & 31) ^ static_cast<unsigned>(lanes)));
}

// Four products of signed bytes, added to c modulo 2^32.
static inline int __dp4a(int a, int b, int c) {
    int sum = 0;
    for (int i = 0; i < 4; ++i) sum += static_cast<int8_t>(a >> (8 * i)) * static_cast<int8_t>(b >> (8 * i));
    return static_cast<int>(static_cast<unsigned>(c) + static_cast<unsigned>(sum));
}

static inline void gpu_mma_s8(int32_t d[4], const uint32_t a[4], const uint32_t b[2]) {
    host_grid::mma_s8_16x8x32(d, a, b);
}

template <class T>
static inline T* gpu_dynamic_shared() {
    return reinterpret_cast<T*>(host_grid::place.dynamic_shared);
}
