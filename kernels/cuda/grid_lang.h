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

#else

#include "kernels/cuda/host_grid.h"

#endif
