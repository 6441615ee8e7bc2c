// What rms_norm multiplies a row by, made by one block of threads as vec_generic.h has it: squares added in sixteen lanes, then
// the tree. All threads square, sixteen of them add, because a lane's sum must run in order.
#pragma once

#include "kernels/cuda/gpu_lanes.h"

namespace kern::gpu {

constexpr int kSquares = 4096;  // squares in shared memory at a time

struct RowFactorShared {
    float squares[kSquares];
    float factor;
};

GPU_FUNCTION float norm_factor(float squares, int64_t n, float eps) {
    const float mean = canonical_nan(squares) / static_cast<float>(n);
    return 1.0f / sqrtf(mean + eps);
}

GPU_FUNCTION float normed(float x, float factor, const float* weight, int64_t i) {
    const float y = x * factor;
    return canonical_nan(weight == nullptr ? y : y * weight[i]);
}

// Before a block asks for another row's factor, all of its threads must have this one's.
GPU_FUNCTION float row_factor(const float* x, int64_t n_numbers, float eps, RowFactorShared& shared) {
    const int tid = static_cast<int>(threadIdx.x), n_threads = static_cast<int>(blockDim.x);
    float sum = 0.0f;
    for (int64_t begin = 0; begin < n_numbers; begin += kSquares) {
        const int n = static_cast<int>(n_numbers - begin < kSquares ? n_numbers - begin : kSquares);
#pragma unroll 8
        for (int i = tid; i < n; i += n_threads) {
            const float v = x[begin + i];
            shared.squares[i] = v * v;
        }
        __syncthreads();
        if (tid < kLanes) {
#pragma unroll 16
            for (int i = tid; i < n; i += kLanes) sum = sum + shared.squares[i];
        }
        __syncthreads();
    }
    if (tid < kWarp) {
        const float total = lanes_tree(sum);
        if (tid == 0) shared.factor = norm_factor(total, n_numbers, eps);
    }
    __syncthreads();
    return shared.factor;
}

}  // namespace kern::gpu
