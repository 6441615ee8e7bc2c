// Queries quantised for integer scores, as i8_tile_scores (v16_scalar.h) reads them.
#pragma once

#include <cstdint>

namespace kern {
namespace {

// Query i has its codes, -127..127, at codes + i * stride; of its block b the scale and the sum of the codes are at
// scales and sums + i * block_stride + b.
struct I8Queries {
    const int8_t* codes;
    const float* scales;
    const int32_t* sums;
    int64_t stride, block_stride;

    I8Queries from(int64_t i) const {
        return {codes + i * stride, scales + i * block_stride, sums + i * block_stride, stride, block_stride};
    }
};

}  // namespace
}  // namespace kern
