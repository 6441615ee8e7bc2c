// The GPU kernels by number, and the struct each of them takes: one row of gpu_kernel_list.inc per kernel.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/kernel_args.h"

namespace kern::gpu {

enum class KernelId : uint16_t {
#define GPU_KERNEL_ROW(name, Args) name,
#include "kernels/cuda/gpu_kernel_list.inc"
#undef GPU_KERNEL_ROW
};

struct KernelRow {
    const char* symbol;  // "bitnet_add"
    size_t args_bytes;
};

inline constexpr KernelRow kKernels[] = {
#define GPU_KERNEL_ROW(name, Args) {"bitnet_" #name, sizeof(Args)},
#include "kernels/cuda/gpu_kernel_list.inc"
#undef GPU_KERNEL_ROW
};
inline constexpr int kKernelCount = static_cast<int>(sizeof kKernels / sizeof kKernels[0]);

}  // namespace kern::gpu
