// What a matrix product does with a finished sum, which matrix of a launch a block works for, and how columns of int8
// activations (kernels/cpu/act_i8.h) are read.
#pragma once

#include "kernels/cuda/kernel_args.h"
#include "kernels/cuda/wide_loads.h"

namespace kern::gpu {

// The row's scale, then the matrix's, one multiplication each as on the CPU (ggml-like/ops/mul_mat.cpp).
GPU_FUNCTION float finished_product(const MatOutput& output, int64_t row, float value) {
    if (output.row_scales != nullptr) value = value * output.row_scales[row];
    if (output.out_scale != 1.0f) value = value * output.out_scale;
    return canonical_nan(value);
}

// Then what adapters (ops/lora.cpp) and residual rows do with a product.
GPU_FUNCTION void store_product(const MatOutput& output, int64_t row, int64_t col, float value) {
    value = finished_product(output, row, value);
    if (output.factor != 1.0f) value = canonical_nan(value * output.factor);
    const int64_t at = col * output.out_stride + row;
    output.out[at] = output.added != nullptr ? canonical_nan(output.added[at] + value) : value;
}

// The matrix that this block works for, and how many blocks of it come before.
template <class Args>
GPU_FUNCTION int part_of_block(const Args& args) {
    int part = 0;
    while (part + 1 < args.n_parts && static_cast<int32_t>(blockIdx.x) >= args.part[part + 1].first_block) ++part;
    return part;
}

constexpr int kActHeaderBytes = 64;

GPU_FUNCTION float act_scale_of(const uint8_t* column) { return *reinterpret_cast<const float*>(column); }
GPU_FUNCTION int32_t act_sum_of(const uint8_t* column) { return reinterpret_cast<const int32_t*>(column)[1]; }

}  // namespace kern::gpu
