// rms_norm as vec_generic.h has it: squares added in sixteen lanes, the tree, then every number times the row's factor and
// its weight. A long row has a block: all threads square, sixteen of them add, because a lane's sum must run in order.
// Short parts, the heads of a row, have sixteen threads each.
#include "kernels/cuda/gpu_lanes.h"
#include "kernels/cuda/kernel_args.h"

namespace kern::gpu {
namespace {

constexpr int kSquares = 4096;  // squares in shared memory at a time

GPU_FUNCTION float norm_factor(float squares, int64_t n, float eps) {
    const float mean = canonical_nan(squares) / static_cast<float>(n);
    return 1.0f / sqrtf(mean + eps);
}

GPU_FUNCTION float normed(float x, float factor, const float* weight, int64_t i) {
    const float y = x * factor;
    return canonical_nan(weight == nullptr ? y : y * weight[i]);
}

}  // namespace

// A block a part of `part` numbers.
GPU_KERNEL(rms_norm_row, NormArgs, 512) {
    __shared__ float squares[kSquares];
    __shared__ float shared_factor;
    const int tid = static_cast<int>(threadIdx.x), n_threads = static_cast<int>(blockDim.x);
    for (int64_t row = blockIdx.x; row < args.n_parts; row += gridDim.x) {
        const float* x = args.x + row * args.part;
        float* out = args.out + row * args.part;
        float sum = 0.0f;
        for (int64_t begin = 0; begin < args.part; begin += kSquares) {
            const int n = static_cast<int>(args.part - begin < kSquares ? args.part - begin : kSquares);
#pragma unroll 8
            for (int i = tid; i < n; i += n_threads) {
                const float v = x[begin + i];
                squares[i] = v * v;
            }
            __syncthreads();
            if (tid < kLanes) {
#pragma unroll 16
                for (int i = tid; i < n; i += kLanes) sum = sum + squares[i];
            }
            __syncthreads();
        }
        if (tid < kWarp) {
            const float total = lanes_tree(sum);
            if (tid == 0) shared_factor = norm_factor(total, args.part, args.eps);
        }
        __syncthreads();
        const float factor = shared_factor;
#pragma unroll 4
        for (int64_t i = tid; i < args.part; i += n_threads) out[i] = normed(x[i], factor, args.weight, i);
        __syncthreads();  // the next row's factor waits for all who read this one's
    }
}

// Sixteen threads a part.
GPU_KERNEL(rms_norm_part, NormArgs, 256) {
    const int64_t lane = threadIdx.x % kLanes, step = static_cast<int64_t>(gridDim.x) * (blockDim.x / kLanes);
    const int64_t first = static_cast<int64_t>(blockIdx.x) * (blockDim.x / kLanes);
    // A block goes on while it has any part, because all lanes of a warp reach the tree.
    for (int64_t block = first; block < args.n_parts; block += step) {
        const int64_t at = block + threadIdx.x / kLanes;
        const bool mine = at < args.n_parts;
        const float* x = args.x + (mine ? at : 0) * args.part;
        float sum = 0.0f;
        if (mine) {
#pragma unroll 8
            for (int64_t i = lane; i < args.part; i += kLanes) {
                const float v = x[i];
                sum = sum + v * v;
            }
        }
        const float factor = norm_factor(lanes_tree(sum), args.part, args.eps);
        if (mine) {
            float* out = args.out + at * args.part;
            for (int64_t i = lane; i < args.part; i += kLanes) out[i] = normed(x[i], factor, args.weight, i);
        }
    }
}

}  // namespace kern::gpu
