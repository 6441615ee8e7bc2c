// I2_S times up to four columns of int8 activations, in the file's own layout: bound by the codes' memory, which is read
// once, 16 bytes a lane, 128 bytes of a row by the eight lanes that share it, several such loads under way before the
// first is used. The four bytes at p of a block are, shifted and masked, the codes of weights p.., 32 + p.., 64 + p..
// and 96 + p.., so __dp4a multiplies them with four neighbouring activations. Sums are exact integers in any order.
#include "kernels/cuda/gpu_lanes.h"
#include "kernels/cuda/mat_output.h"

namespace kern::gpu {
namespace {

constexpr int kRowLanes = 8;       // of a warp, for one row
constexpr int kStepWeights = 512;  // that they load at once

// Activations wait in shared memory in the order in which lanes want them: of 512 values field f of lane l's 64 weights
// is at 128 f + 16 l, so that eight lanes read 128 bytes side by side.
GPU_FUNCTION int64_t source_of(int piece) {
    const int field = piece / 8;
    const int lane = piece % 8;
    return 128 * (lane / 2) + 32 * field + 16 * (lane % 2);
}

// A group of lanes has `rows` rows, which share what is loaded of the activations; `steps` loads a row are under way.
template <int cols, int rows, int steps>
GPU_FUNCTION void i2s_vec(const I2sArgs& args) {
    constexpr int kColumnBytes = steps * kStepWeights;
    __align__(16) __shared__ uint8_t staged[cols * kColumnBytes];
    const int lane = static_cast<int>(threadIdx.x % kRowLanes);
    const int64_t groups = blockDim.x / kRowLanes;
    const int64_t first = static_cast<int64_t>(blockIdx.x) * groups * rows + threadIdx.x / kRowLanes;
    const int64_t k = 4 * args.row_bytes;
    int sums[rows][cols] = {};
    for (int64_t begin = 0; begin < args.row_bytes; begin += kStepWeights / 4 * steps) {
        // Beyond a row's end, and beyond the last row, codes are 0 and add nothing.
        Bytes16 codes[rows][steps];
#pragma unroll
        for (int r = 0; r < rows; ++r) {
            const int64_t row = first + r * groups;
#pragma unroll
            for (int s = 0; s < steps; ++s) {
                const int64_t at = begin + kStepWeights / 4 * s + 16 * lane;
                const bool there = row < args.output.n_rows && at < args.row_bytes;
                codes[r][s] = there ? load16(args.codes + row * args.row_bytes + at) : no_bytes16();
            }
        }
        __syncthreads();  // nobody reads the activations before any more
        for (int i = static_cast<int>(threadIdx.x); i < cols * kColumnBytes / 16; i += static_cast<int>(blockDim.x)) {
            const int col = i / (kColumnBytes / 16);
            const int piece = i % (kColumnBytes / 16);
            const int64_t at = 4 * begin + piece / 32 * kStepWeights + source_of(piece % 32);
            const bool there = col < args.output.n_cols && at < k;
            store16(staged + 16 * i,
                    there ? load16(args.acts + col * args.column_bytes + kActHeaderBytes + at) : no_bytes16());
        }
        __syncthreads();
#pragma unroll
        for (int s = 0; s < steps; ++s) {
            if (begin + kStepWeights / 4 * s >= args.row_bytes) break;
#pragma unroll
            for (int f = 0; f < 4; ++f) {
#pragma unroll
                for (int c = 0; c < cols; ++c) {
                    const Bytes16 q = load16(staged + c * kColumnBytes + s * kStepWeights + 128 * f + 16 * lane);
#pragma unroll
                    for (int r = 0; r < rows; ++r) {
#pragma unroll
                        for (int i = 0; i < 4; ++i) {
                            sums[r][c] =
                                __dp4a(i2s_field(codes[r][s].word[i], f), static_cast<int>(q.word[i]), sums[r][c]);
                        }
                    }
                }
            }
        }
    }
#pragma unroll
    for (int c = 0; c < cols; ++c) {
#pragma unroll
        for (int r = 0; r < rows; ++r) {
            for (int apart = kRowLanes / 2; apart > 0; apart /= 2) {
                sums[r][c] += __shfl_xor_sync(kWholeWarp, sums[r][c], apart);
            }
            const int64_t row = first + r * groups;
            if (lane == 0 && row < args.output.n_rows && c < args.output.n_cols) {
                const uint8_t* column = args.acts + c * args.column_bytes;
                const float scale = args.tensor_scale / act_scale_of(column);
                store_product(args.output, row, c, static_cast<float>(sums[r][c] - act_sum_of(column)) * scale);
            }
        }
    }
}

}  // namespace

GPU_KERNEL(i2s_vec_1, I2sArgs, 256) { i2s_vec<1, 1, 8>(args); }
GPU_KERNEL(i2s_vec_2, I2sArgs, 256) { i2s_vec<2, 1, 8>(args); }
GPU_KERNEL(i2s_vec_4, I2sArgs, 256) { i2s_vec<4, 2, 4>(args); }

}  // namespace kern::gpu
