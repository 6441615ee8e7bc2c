// CUDA's words for code that a CPU runs as a grid: what grid_lang.h promises, as declarations. Who plays the grid defines
// them (tests/support/fiber_grid.cpp): one fiber a thread of the block, so blocks may wait for each other nowhere.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#define KERN_HOST_DEVICE
#define GPU_FUNCTION static inline
#define GPU_KERNEL(name, Args, max_threads) static void bitnet_##name(const Args& args)
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
extern thread_local Place place;

void sync_block();
void sync_warp();
// The value that lane `from` of this warp gave to the same call.
uint32_t exchange(uint32_t value, unsigned from);
// d += a * b for a warp's share of 16x32 by 32x8 int8, as mma.sync.m16n8k32 lays it out.
void mma_s8_16x8x32(int32_t* d, const uint32_t* a, const uint32_t* b);

}  // namespace host_grid

#define threadIdx (host_grid::place.thread)
#define blockIdx (host_grid::place.block)
#define blockDim (host_grid::place.block_dim)
#define gridDim (host_grid::place.grid_dim)

static inline void __syncthreads() { host_grid::sync_block(); }
static inline void __syncwarp(unsigned = 0xffffffffu) { host_grid::sync_warp(); }

template <class T>
static inline T __shfl_sync(unsigned, T value, int lane) {
    static_assert(sizeof(T) == 4);
    return __builtin_bit_cast(T, host_grid::exchange(__builtin_bit_cast(uint32_t, value), static_cast<unsigned>(lane) & 31));
}

template <class T>
static inline T __shfl_xor_sync(unsigned mask, T value, int lanes) {
    return __shfl_sync(mask, value, static_cast<int>((threadIdx.x & 31) ^ static_cast<unsigned>(lanes)));
}

// Four products of signed bytes, added to c.
static inline int __dp4a(int a, int b, int c) {
    for (int i = 0; i < 4; ++i) c += static_cast<int8_t>(a >> (8 * i)) * static_cast<int8_t>(b >> (8 * i));
    return c;
}

template <class T>
static inline T* gpu_dynamic_shared() {
    return reinterpret_cast<T*>(host_grid::place.dynamic_shared);
}
