// rms_norm of rows and of parts of rows, the heads of a row for instance: every number times the factor of its part and its
// weight. A long part has a block (row_factor.h), a short one sixteen threads.
#include "kernels/cuda/kernel_args.h"
#include "kernels/cuda/row_factor.h"

namespace kern::gpu {
namespace {

GPU_FUNCTION void store_normed(const NormArgs& args, float factor, int64_t first, int64_t i) {
    const float y = normed(args.x[first + i], factor, args.weight, i);
    args.out[first + i] = args.added != nullptr ? canonical_nan(args.added[first + i] + y) : y;
}

}  // namespace

// A block a part of `part` numbers.
GPU_KERNEL(rms_norm_row, NormArgs, 512) {
    __shared__ RowFactorShared shared;
    for (int64_t row = blockIdx.x; row < args.n_parts; row += gridDim.x) {
        const float factor = row_factor(args.x + row * args.part, args.part, args.eps, shared);
#pragma unroll 4
        for (int64_t i = threadIdx.x; i < args.part; i += blockDim.x) store_normed(args, factor, row * args.part, i);
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
            for (int64_t i = lane; i < args.part; i += kLanes) store_normed(args, factor, at * args.part, i);
        }
    }
}

}  // namespace kern::gpu
