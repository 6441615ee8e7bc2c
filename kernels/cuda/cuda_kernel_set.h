// The rows by which a model on a GPU knows its kernels: their names, and the activation formats that its graph packs. Nobody
// runs them on the host; ggml-like/gpu/gpu_ops.h launches what they stand for.
#pragma once

#include "kernels/cpu/kernel_select.h"

namespace kern {

inline constexpr const char* kCudaLevel = "cuda";

const KernelSet& cuda_kernels();

}  // namespace kern
