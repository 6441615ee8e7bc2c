// A matrix of the model as the graph uses it: shape, storage type, the kernel that multiplies it and where its bytes lie.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/mul_mat_kernel.h"

namespace tg {

struct Weight {
    std::string name;
    kern::QuantType type = kern::QuantType::f32;
    int64_t k = 0;                                // input width, ne[0] of the file
    int64_t n_rows = 0;                           // output width, ne[1]
    float tensor_scale = 1.0f;                    // the scale behind an I2_S tensor; 1 for other types
    float out_scale = 1.0f;                       // multiplies every output (optional "<projection>.scale" tensor)
    const uint8_t* file_data = nullptr;           // as stored; null once only the packed copy is kept
    const void* data = nullptr;                   // what the kernel reads: file_data or the packed copy
    const kern::MulMatKernel* kernel = nullptr;

    bool present() const { return k != 0; }
};

}  // namespace tg
