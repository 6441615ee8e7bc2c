// A small product of a packed block of weights with rows of values, on top of vec_generic.h: the inner loop of convolutions.
// Four rows of weights share each load of values; sixteen outputs lie in a register, so an output is one chain of additions
// in a fixed order, and neither level nor blocking changes a bit.
#pragma once

#include "kernels/cpu/vec_generic.h"

namespace kern {
namespace {

// Columns per register block, in V16: four rows of sums, the values and a weight must fit.
constexpr int kProductCols = kTileCols >= 4 ? 2 : 1;

template <int cols>
inline void product_block(const float* w, const float* x, int64_t x_stride, int64_t depth, float* out,
                          int64_t out_stride) {
    V16 sums[4][cols];
    for (int r = 0; r < 4; ++r) {
        for (int c = 0; c < cols; ++c) sums[r][c] = v16_set1(0.0f);
    }
    for (int64_t t = 0; t < depth; ++t, w += 4, x += x_stride) {
        V16 values[cols];
        for (int c = 0; c < cols; ++c) values[c] = v16_load(x + 16 * c);
        for (int r = 0; r < 4; ++r) {
            const V16 weight = v16_set1(w[r]);
            for (int c = 0; c < cols; ++c) sums[r][c] = v16_add(sums[r][c], v16_mul(weight, values[c]));
        }
    }
    for (int r = 0; r < 4; ++r) {
        for (int c = 0; c < cols; ++c) v16_store(out + r * out_stride + 16 * c, v16_canonical(sums[r][c]));
    }
}

inline void vec_product4(const float* w, const float* x, int64_t x_stride, int64_t depth, int64_t n, float* out,
                         int64_t out_stride) {
    int64_t c = 0;
    for (; c + 16 * kProductCols <= n; c += 16 * kProductCols) {
        product_block<kProductCols>(w, x + c, x_stride, depth, out + c, out_stride);
    }
    for (; c + 16 <= n; c += 16) product_block<1>(w, x + c, x_stride, depth, out + c, out_stride);
}

}  // namespace
}  // namespace kern
