// I2_S times many columns on the tensor cores for int8 (mma.sync m16n8k32), in the steps of mma_steps.h. Three shapes of a block:
//   slim  16 rows x 8 columns; eight warps take every eighth step each, so that a short row is under way at once
//   deep  32 rows x 32 columns; four warps take every fourth step each: few columns, many blocks
//   wide  128 rows x 64 columns: codes are unpacked once for 64 columns, activations read once for 128 rows
#include "kernels/cuda/mat_output.h"
#include "kernels/cuda/mma_steps.h"

namespace kern::gpu {
namespace {

template <int warps_m, int warps_k, int tiles_m, int tiles_n>
GPU_FUNCTION void i2s_mma(const I2sArgs& args) {
    constexpr int kBlockThreads = 32 * warps_m * warps_k;
    constexpr int kRows = 16 * tiles_m;  // of a warp
    constexpr int kCols = 8 * tiles_n;
    constexpr int kPieces = warps_k * kCols * kStepActs / 16;
    constexpr int kPiecesEach = kPieces / kBlockThreads;
    // Sixteen threads stage a column's step; all of them as many columns of a step, or the columns of as many steps.
    constexpr int kColsAtOnce = kBlockThreads / 16;
    constexpr int kTurnsOfStep = kColsAtOnce < kCols ? kCols / kColsAtOnce : 1;
    constexpr int kStepsAtOnce = kColsAtOnce < kCols ? 1 : kColsAtOnce / kCols;
    static_assert(kTurnsOfStep * kColsAtOnce == kStepsAtOnce * kCols && warps_k % kStepsAtOnce == 0);
    constexpr int kSums = tiles_m * tiles_n * 4;
    constexpr int kStagedBytes = warps_k * kCols * kStepActsApart;
    static_assert(kStagedBytes <= 48 * 1024 && (warps_k - 1) * warps_m * 32 * kSums * 4 <= kStagedBytes);
    __align__(16) __shared__ uint8_t staged[kStagedBytes];

    const int thread = static_cast<int>(threadIdx.x);
    const int warp_m = thread / 32 % warps_m;
    const int warp_k = thread / 32 / warps_m;
    const int t = thread % 4;
    const int eighth = thread % 32 / 4;  // row of the weights, column of the activations
    const I2sPart& part = args.part[part_of_block(args)];
    const MatOutput& output = part.output;
    const int64_t block = static_cast<int64_t>(blockIdx.x) - part.first_block;
    const int64_t first_row = (block * warps_m + warp_m) * kRows + eighth;
    const int64_t first_col = static_cast<int64_t>(blockIdx.y) * kCols;
    const int64_t k = 4 * args.row_bytes;

    // One address each and steps from it: 64-bit products for every load would take more registers than the sums.
    const uint8_t* codes_from = part.codes + first_row * args.row_bytes + warp_k * kStepBytes + 16 * t;
    const int rows_left = static_cast<int>(output.n_rows - first_row < kRows ? output.n_rows - first_row : kRows);
    const auto load_codes = [&](int64_t step, Bytes16(&codes)[tiles_m][2]) {
        const bool inside = (step + warp_k) * kStepBytes + 16 * t < args.row_bytes;
#pragma unroll
        for (int m = 0; m < tiles_m; ++m) {
#pragma unroll
            for (int h = 0; h < 2; ++h) {
                const bool there = inside && 16 * m + 8 * h < rows_left;
                codes[m][h] = there ? load16(codes_from + (16 * m + 8 * h) * args.row_bytes) : no_bytes16();
            }
        }
        codes_from += warps_k * kStepBytes;
    };
    const int64_t staged_col = first_col + thread / 16 % kCols;
    const int staged_step = thread / 16 / kCols;
    const uint8_t* acts_from = args.acts + staged_col * args.column_bytes + kActHeaderBytes + staged_step * kStepActs +
                               mma_source_of(thread % 16);
    const int cols_left = static_cast<int>(output.n_cols - staged_col < kCols ? output.n_cols - staged_col : kCols);
    const auto load_acts = [&](int64_t step, Bytes16(&pieces)[kPiecesEach]) {
#pragma unroll
        for (int i = 0; i < kPiecesEach; ++i) {
            const int col = kColsAtOnce * (i % kTurnsOfStep);
            const int of_warp = i / kTurnsOfStep * kStepsAtOnce;
            // A column is padded to whole steps.
            const bool there = col < cols_left && (step + of_warp + staged_step) * kStepActs < k;
            pieces[i] = there ? load16(acts_from + col * args.column_bytes + of_warp * kStepActs) : no_bytes16();
        }
        acts_from += warps_k * kStepActs;
    };

    int32_t sums[tiles_m][tiles_n][4] = {};
    Bytes16 codes[tiles_m][2];
    Bytes16 pieces[kPiecesEach];
    load_codes(0, codes);
    load_acts(0, pieces);
    const int64_t n_steps = (args.row_bytes + kStepBytes - 1) / kStepBytes;
    for (int64_t step = 0; step < n_steps; step += warps_k) {
        __syncthreads();  // nobody reads the step before any more
#pragma unroll
        for (int i = 0; i < kPiecesEach; ++i) {
            const int piece = thread + i * kBlockThreads;
            store16(staged + piece / 16 * kStepActsApart + piece % 16 * 16, pieces[i]);
        }
        __syncthreads();
        Bytes16 next[tiles_m][2];
        load_codes(step + warps_k, next);  // both are under way while this step is multiplied
        load_acts(step + warps_k, pieces);
        const uint8_t* acts = staged + (warp_k * kCols + eighth) * kStepActsApart + 16 * t;
#pragma unroll
        for (int f = 0; f < 4; ++f) {
            uint32_t a[tiles_m][2][4];
#pragma unroll
            for (int m = 0; m < tiles_m; ++m) {
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    a[m][i / 2][i % 2 * 2] = static_cast<uint32_t>(i2s_field(codes[m][0].word[i], f));
                    a[m][i / 2][i % 2 * 2 + 1] = static_cast<uint32_t>(i2s_field(codes[m][1].word[i], f));
                }
            }
#pragma unroll
            for (int n = 0; n < tiles_n; ++n) {
                const Bytes16 q = load16(acts + 8 * n * kStepActsApart + 64 * f);
                const uint32_t b[2][2] = {{q.word[0], q.word[1]}, {q.word[2], q.word[3]}};
#pragma unroll
                for (int m = 0; m < tiles_m; ++m) {
                    gpu_mma_s8(sums[m][n], a[m][0], b[0]);
                    gpu_mma_s8(sums[m][n], a[m][1], b[1]);
                }
            }
        }
#pragma unroll
        for (int m = 0; m < tiles_m; ++m) {
            codes[m][0] = next[m][0];
            codes[m][1] = next[m][1];
        }
    }

    if constexpr (warps_k > 1) {
        // The first of the warps that share rows adds the others' sums to its own; number i of all lanes side by side.
        int32_t* all = reinterpret_cast<int32_t*>(staged);
        __syncthreads();
        if (warp_k > 0) {
            int32_t* mine = all + ((warp_k - 1) * warps_m + warp_m) * kSums * 32 + thread % 32;
#pragma unroll
            for (int i = 0; i < kSums; ++i) mine[i * 32] = sums[i / (4 * tiles_n)][i / 4 % tiles_n][i % 4];
        }
        __syncthreads();
        if (warp_k > 0) return;
        for (int other = 1; other < warps_k; ++other) {
            const int32_t* theirs = all + ((other - 1) * warps_m + warp_m) * kSums * 32 + thread % 32;
#pragma unroll
            for (int i = 0; i < kSums; ++i) sums[i / (4 * tiles_n)][i / 4 % tiles_n][i % 4] += theirs[i * 32];
        }
    }
#pragma unroll
    for (int n = 0; n < tiles_n; ++n) {
#pragma unroll
        for (int c = 0; c < 2; ++c) {
            const int64_t col = first_col + 8 * n + 2 * t + c;
            if (col >= output.n_cols) continue;
            const uint8_t* column = args.acts + col * args.column_bytes;
            const float scale = part.tensor_scale / act_scale_of(column);
            const int32_t sum = act_sum_of(column);
#pragma unroll
            for (int m = 0; m < tiles_m; ++m) {
#pragma unroll
                for (int h = 0; h < 2; ++h) {
                    const int64_t row = first_row + 16 * m + 8 * h;
                    if (row >= output.n_rows) continue;
                    store_product(output, row, col, static_cast<float>(sums[m][n][2 * h + c] - sum) * scale);
                }
            }
        }
    }
}

}  // namespace

GPU_KERNEL(i2s_mma_slim, I2sArgs, 256) { i2s_mma<1, 8, 1, 1>(args); }
GPU_KERNEL(i2s_mma_deep, I2sArgs, 256) { i2s_mma<2, 4, 1, 4>(args); }
GPU_KERNEL(i2s_mma_wide, I2sArgs, 128) { i2s_mma<4, 1, 2, 8>(args); }

}  // namespace kern::gpu
