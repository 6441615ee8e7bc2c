// A matrix of the model as the graph uses it: shape, storage type, the kernel that multiplies it and where its bytes lie.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/mul_mat_kernel.h"
#include "kernels/ternary_layouts.h"

namespace tg {

struct GpuWeight;

struct Weight {
    std::string name;
    kern::QuantType type = kern::QuantType::f32;
    kern::WeightLayout layout = kern::WeightLayout::stored;  // what the kernel's copy of an I2_S matrix is
    int64_t k = 0;                                // input width, ne[0] of the file
    int64_t n_rows = 0;                           // output width, ne[1]
    float tensor_scale = 1.0f;                    // the scale behind an I2_S tensor; 1 for other types
    const float* row_scales = nullptr;            // multiply one output each: a dialect whose rows differ; null: none
    float out_scale = 1.0f;                       // multiplies every output (optional "<projection>.scale" tensor)
    const uint8_t* file_data = nullptr;  // as stored, or a dialect repacked; null once only the packed copy is kept
    const void* data = nullptr;                   // what the kernel reads: file_data or the packed copy
    const kern::MulMatKernel* kernel = nullptr;
    const GpuWeight* gpu = nullptr;               // the same on a device, made and owned by GpuWeights; null: not there

    bool present() const { return k != 0; }
    // Input width as the bytes and the kernel have it: rows of I2_S are whole blocks, filled up with weights 0.
    int64_t padded_k() const { return type == kern::QuantType::i2_s ? kern::i2s_padded(k) : k; }
};

}  // namespace tg
