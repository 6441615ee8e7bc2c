// What a matrix product does with a finished sum, and how it reads a column of int8 activations (kernels/cpu/act_i8.h).
#pragma once

#include "kernels/cuda/kernel_args.h"
#include "kernels/cuda/wide_loads.h"

namespace kern::gpu {

// The row's scale, then the matrix's, one multiplication each as on the CPU (ggml-like/ops/mul_mat.cpp); then what adapters do
// with a product (ops/lora.cpp).
GPU_FUNCTION void store_product(const MatOutput& output, int64_t row, int64_t col, float value) {
    if (output.row_scales != nullptr) value = value * output.row_scales[row];
    if (output.out_scale != 1.0f) value = value * output.out_scale;
    value = canonical_nan(value);
    if (output.factor != 1.0f) value = canonical_nan(value * output.factor);
    float* const to = output.out + col * output.out_stride + row;
    *to = output.adds != 0 ? canonical_nan(*to + value) : value;
}

constexpr int kActHeaderBytes = 64;

GPU_FUNCTION float act_scale_of(const uint8_t* column) { return *reinterpret_cast<const float*>(column); }
GPU_FUNCTION int32_t act_sum_of(const uint8_t* column) { return reinterpret_cast<const int32_t*>(column)[1]; }

}  // namespace kern::gpu
