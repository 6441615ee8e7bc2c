// I2_S times up to four columns of int8 activations, in the file's own layout: bound by the codes' memory, which is read
// once, 16 bytes a lane, 128 bytes of a row by the eight lanes that share it, several such loads under way before the
// first is used. The four bytes at p of a block are, shifted and masked, the codes of weights p.., 32 + p.., 64 + p..
// and 96 + p.., so __dp4a multiplies them with four neighbouring activations. Sums are exact integers in any order, so
// where rows are few a whole warp shares each (i2s_row_1), which keeps more multiprocessors at work, and changes no bit.
// i2s_gate_*: rows of a gate's matrix beside those of the matrix that it gates, whose products never reach memory.
#include "kernels/cuda/gate_ops.h"
#include "kernels/cuda/gpu_lanes.h"
#include "kernels/cuda/mat_output.h"

namespace kern::gpu {
namespace {

// Activations wait in shared memory in the order in which lanes want them: of 64 * lanes values, which are a step, field f of
// lane l's 64 weights is at 16 * (lanes * f + l), so that neighbouring lanes read 16 bytes side by side.
template <int lanes>
GPU_FUNCTION int64_t source_of(int piece) {
    const int field = piece / lanes;
    const int lane = piece % lanes;
    return 128 * (lane / 2) + 32 * field + 16 * (lane % 2);
}

// `lanes` lanes of a warp have `rows` rows, which share what is loaded of the activations; `steps` loads a row are under way.
// gates: row 0 is one of part 0, row 1 the same of part 1.
template <int lanes, int cols, int rows, int steps, bool gates>
GPU_FUNCTION void i2s_vec(const I2sArgs& args) {
    static_assert(!gates || rows == 2);
    constexpr int kStepWeights = 64 * lanes;
    constexpr int kColumnBytes = steps * kStepWeights;
    __align__(16) __shared__ uint8_t staged[cols * kColumnBytes];
    const int lane = static_cast<int>(threadIdx.x % lanes);
    const I2sPart& part = args.part[gates ? 0 : part_of_block(args)];
    const MatOutput& output = part.output;
    const int64_t groups = blockDim.x / lanes;
    const int64_t block = static_cast<int64_t>(blockIdx.x) - part.first_block;
    const int64_t first = block * groups * (gates ? 1 : rows) + threadIdx.x / lanes;
    const int64_t k = 4 * args.row_bytes;
    int sums[rows][cols] = {};
    for (int64_t begin = 0; begin < args.row_bytes; begin += kStepWeights / 4 * steps) {
        // Beyond a row's end, and beyond the last row, codes are 0 and add nothing.
        Bytes16 codes[rows][steps];
#pragma unroll
        for (int r = 0; r < rows; ++r) {
            const int64_t row = first + (gates ? 0 : r * groups);
            const uint8_t* matrix = gates && r == 1 ? args.part[1].codes : part.codes;
#pragma unroll
            for (int s = 0; s < steps; ++s) {
                const int64_t at = begin + kStepWeights / 4 * s + 16 * lane;
                const bool there = row < output.n_rows && at < args.row_bytes;
                codes[r][s] = there ? load16(matrix + row * args.row_bytes + at) : no_bytes16();
            }
        }
        __syncthreads();  // nobody reads the activations before any more
        for (int i = static_cast<int>(threadIdx.x); i < cols * kColumnBytes / 16; i += static_cast<int>(blockDim.x)) {
            const int col = i / (kColumnBytes / 16);
            const int piece = i % (kColumnBytes / 16);
            const int64_t at = 4 * begin + piece / (4 * lanes) * kStepWeights + source_of<lanes>(piece % (4 * lanes));
            const bool there = col < output.n_cols && at < k;
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
                    const Bytes16 q = load16(staged + c * kColumnBytes + s * kStepWeights + 16 * (lanes * f + lane));
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
            for (int apart = lanes / 2; apart > 0; apart /= 2) {
                sums[r][c] += __shfl_xor_sync(kWholeWarp, sums[r][c], apart);
            }
        }
        if (lane != 0 || c >= output.n_cols) continue;
        const uint8_t* column = args.acts + c * args.column_bytes;
        const auto product = [&](const I2sPart& of, int r) {
            const float scale = of.tensor_scale / act_scale_of(column);
            return static_cast<float>(sums[r][c] - act_sum_of(column)) * scale;
        };
        if constexpr (gates) {
            if (first >= output.n_rows) continue;
            const float gate = finished_product(output, first, product(part, 0));
            const float up = finished_product(args.part[1].output, first, product(args.part[1], 1));
            output.out[c * output.out_stride + first] = gated(static_cast<GateOp>(args.gate), gate, up);
        } else {
#pragma unroll
            for (int r = 0; r < rows; ++r) {
                const int64_t row = first + r * groups;
                if (row < output.n_rows) store_product(output, row, c, product(part, r));
            }
        }
    }
}

}  // namespace

GPU_KERNEL(i2s_vec_1, I2sArgs, 256) { i2s_vec<8, 1, 1, 8, false>(args); }
GPU_KERNEL(i2s_vec_2, I2sArgs, 256) { i2s_vec<8, 2, 1, 8, false>(args); }
GPU_KERNEL(i2s_vec_4, I2sArgs, 256) { i2s_vec<8, 4, 2, 4, false>(args); }
GPU_KERNEL(i2s_row_1, I2sArgs, 256) { i2s_vec<32, 1, 1, 2, false>(args); }
GPU_KERNEL(i2s_gate_1, I2sArgs, 256) { i2s_vec<8, 1, 2, 4, true>(args); }
GPU_KERNEL(i2s_gate_2, I2sArgs, 256) { i2s_vec<8, 2, 2, 4, true>(args); }
GPU_KERNEL(i2s_gate_4, I2sArgs, 256) { i2s_vec<8, 4, 2, 4, true>(args); }

}  // namespace kern::gpu
