// The language that GPU kernels are written in: CUDA as nvcc reads it, and the same text as C++ where a CPU plays the grid
// (host_grid.h), so that every kernel runs, block by block and thread by thread, in tests on machines without a GPU.
// A kernel file (*.cu) uses of CUDA only what stands here: threadIdx, blockIdx, blockDim, gridDim, __shared__,
// __syncthreads, __syncwarp, __shfl_sync, __shfl_xor_sync (32-bit values, whole warps), __dp4a, gpu_mma_s8 and
// gpu_dynamic_shared. Every thread of a block reaches every __syncthreads, every lane of a warp every __shfl and gpu_mma.
// Floating point is IEEE, one rounding an operation: nvcc is told -fmad=false -ftz=false -prec-div=true -prec-sqrt=true.
#pragma once

#include <cstdint>

#include "kernels/host_device.h"

#if defined(__CUDACC__)

#define GPU_FUNCTION __device__ __forceinline__
// GPU_KERNEL(add, AddArgs, 256) { ... args.x ... }: a kernel for blocks of at most 256 threads.
#define GPU_KERNEL(name, Args, max_threads) \
    extern "C" __global__ void __launch_bounds__(max_threads) bitnet_##name(const __grid_constant__ Args args)

// The block's memory whose size the launch gives; 16-byte aligned.
template <class T>
GPU_FUNCTION T* gpu_dynamic_shared() {
    extern __shared__ __align__(16) unsigned char gpu_dynamic_shared_bytes[];
    return reinterpret_cast<T*>(gpu_dynamic_shared_bytes);
}

// d += a * b modulo 2^32, a warp together: a is 16x32, b 32x8, d 16x8. Lane 4 * g + t holds, four bytes k to k + 3 a word,
//   a[0]: row g, k = 4 * t    a[1]: row g + 8, the same k    a[2], a[3]: the same rows, k = 16 + 4 * t
//   b[0]: k = 4 * t, column g    b[1]: k = 16 + 4 * t, column g
//   d[0], d[1]: row g, columns 2 * t and 2 * t + 1    d[2], d[3]: row g + 8, the same columns
GPU_FUNCTION void gpu_mma_s8(int32_t d[4], const uint32_t a[4], const uint32_t b[2]) {
#if __CUDA_ARCH__ >= 800
    asm volatile(
        "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    // Turing multiplies 8x16 by 16x8: row g and k = 4 * t of a lane, as above.
#pragma unroll
    for (int i = 0; i < 4; ++i) {  // a[i] has the rows of d[2 * (i & 1)] and the k of b[i / 2]
        asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0, %1}, {%2}, {%3}, {%0, %1};"
                     : "+r"(d[2 * (i & 1)]), "+r"(d[2 * (i & 1) + 1])
                     : "r"(a[i]), "r"(b[i / 2]));
    }
#endif
}

#else

#include "kernels/cuda/host_grid.h"

#endif
