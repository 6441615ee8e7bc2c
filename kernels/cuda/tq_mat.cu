// TQ2_0 (and TQ1_0, which lies as TQ2_0) times few columns of int8 activations. Sixteen lanes share a row and each is one lane of the
// CPU's sum: it has the blocks b = lane, lane + 16, ... of 256 weights, an exact integer each, times the block's scale,
// added in rising order; the lanes are added in the fixed tree.
#include "kernels/cuda/gpu_lanes.h"
#include "kernels/cuda/mat_output.h"

namespace kern::gpu {
namespace {

// Columns blockIdx.y * cols and following.
template <int cols>
GPU_FUNCTION void tq_mat(const TqArgs& args) {
    const int lane = static_cast<int>(threadIdx.x % kLanes);
    const TqPart& part = args.part[part_of_block(args)];
    const MatOutput& output = part.output;
    const int64_t of_part = static_cast<int64_t>(blockIdx.x) - part.first_block;
    const int64_t row = of_part * (blockDim.x / kLanes) + threadIdx.x / kLanes;
    const int64_t first_col = static_cast<int64_t>(blockIdx.y) * cols;
    const uint8_t* columns[cols];
#pragma unroll
    for (int c = 0; c < cols; ++c) {  // columns that do not exist: the last one again, and nothing is stored
        const int64_t col = first_col + c < output.n_cols ? first_col + c : output.n_cols - 1;
        columns[c] = args.acts + col * args.column_bytes;
    }
    float sums[cols] = {};
    const int64_t n_blocks = row < output.n_rows ? args.n_blocks : 0;
    for (int64_t b = lane; b < n_blocks; b += kLanes) {
        const int64_t block = row * args.n_blocks + b;
        Bytes16 codes[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) codes[i] = load16(part.codes + 64 * block + 16 * i);
        const float d = half_to_float(part.d[block]);
        int dots[cols] = {};
#pragma unroll
        for (int i = 0; i < 4; ++i) {
#pragma unroll
            for (int f = 0; f < 4; ++f) {
                const int64_t at = kActHeaderBytes + 256 * b + 128 * (i / 2) + 32 * f + 16 * (i % 2);
#pragma unroll
                for (int c = 0; c < cols; ++c) {
                    const Bytes16 q = load16(columns[c] + at);
#pragma unroll
                    for (int j = 0; j < 4; ++j) {
                        dots[c] = __dp4a(tq2_field(codes[i].word[j], f), static_cast<int>(q.word[j]), dots[c]);
                    }
                }
            }
        }
#pragma unroll
        for (int c = 0; c < cols; ++c) {
            const int32_t block_sum = reinterpret_cast<const int32_t*>(columns[c] + args.sums_offset)[b];
            sums[c] = sums[c] + static_cast<float>(dots[c] - block_sum) * d;
        }
    }
#pragma unroll
    for (int c = 0; c < cols; ++c) {
        const float sum = lanes_tree(sums[c]);
        if (lane == 0 && row < output.n_rows && first_col + c < output.n_cols) {
            const float scale = 1.0f / act_scale_of(columns[c]);
            store_product(output, row, first_col + c, sum * scale);
        }
    }
}

}  // namespace

GPU_KERNEL(tq_mat_1, TqArgs, 256) { tq_mat<1>(args); }
GPU_KERNEL(tq_mat_4, TqArgs, 256) { tq_mat<4>(args); }

}  // namespace kern::gpu
