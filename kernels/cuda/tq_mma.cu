// TQ2_0 (and TQ1_0, which lies as TQ2_0) times many columns of int8 activations, on the tensor cores in the steps of mma_steps.h.
// A block of 256 weights is one step: an exact integer, which becomes a float, times the block's scale, in one of the CPU's
// sixteen lanes (tq_mat.cu). A thread keeps all lanes of its outputs: it takes the blocks lane by lane, and the lanes in the
// order in which the tree joins them (0, 8, 4, 12, 2, ...: their bits reversed), so that no more than four joined sums wait.
//   slim  16 rows x 8 columns; four warps have four lanes each, which are a branch of the tree
//   wide  64 rows x 32 columns: codes are unpacked once for 32 columns
#include "kernels/cuda/gpu_lanes.h"
#include "kernels/cuda/mat_output.h"
#include "kernels/cuda/mma_steps.h"

namespace kern::gpu {
namespace {

GPU_FUNCTION int lane_at(int place) {
    return (place & 1) << 3 | (place & 2) << 1 | (place & 4) >> 1 | (place & 8) >> 3;
}

// The sum of the lane at `place` joins those before it, as far as whole branches are there, and waits for the next; the last one
// stays in `sum`, which is else 0 again. Selections, because a branch for each would move the sums to memory.
template <int levels>
GPU_FUNCTION void join_lane(int place, float& sum, float (&waiting)[4]) {
    bool whole = true;  // a branch below this level
#pragma unroll
    for (int level = 0; level < levels; ++level) {
        const bool second = (place >> level & 1) != 0;
        const float joined = waiting[level] + sum;
        waiting[level] = whole && !second ? sum : waiting[level];
        whole = whole && second;
        sum = whole ? joined : sum;
    }
    sum = whole ? sum : 0.0f;
}

// warps_m warps have 16 rows each and share columns; warps_l warps share both and have 16 / warps_l lanes each.
template <int warps_m, int warps_l, int tiles_n>
GPU_FUNCTION void tq_mma(const TqArgs& args) {
    static_assert(warps_m == 1 || warps_l == 1);
    constexpr int kTeam = 32 * warps_m;  // threads that stage columns together
    constexpr int kCols = 8 * tiles_n;
    constexpr int kPieces = kCols * kStepActs / 16 / kTeam;
    constexpr int kLevels = warps_l == 1 ? 4 : 2;
    constexpr int kPlaces = 1 << kLevels;
    static_assert(kPlaces * warps_l == kLanes && kCols <= kTeam);
    constexpr int kSums = 4 * tiles_n;
    __align__(16) __shared__ uint8_t staged[warps_l][kCols * kStepActsApart];
    __shared__ int32_t staged_sums[warps_l][kCols];

    const int warp = static_cast<int>(threadIdx.x) / 32;
    const int warp_l = warps_l == 1 ? 0 : warp;
    const int warp_m = warps_l == 1 ? warp : 0;
    const int in_team = static_cast<int>(threadIdx.x) % kTeam;
    const int t = static_cast<int>(threadIdx.x) % 4;
    const int eighth = static_cast<int>(threadIdx.x) % 32 / 4;  // row of the weights, column of the activations
    const TqPart& part = args.part[part_of_block(args)];
    const MatOutput& output = part.output;
    const int64_t block = static_cast<int64_t>(blockIdx.x) - part.first_block;
    const int64_t first_row = (block * warps_m + warp_m) * 16 + eighth;
    const int64_t first_col = static_cast<int64_t>(blockIdx.y) * kCols;
    const auto team_meets = [] {
        if constexpr (warps_l == 1) {
            __syncthreads();
        } else {
            __syncwarp();
        }
    };

    Bytes16 codes[2], pieces[kPieces];
    float scales[2];
    int32_t column_sum = 0;
    const auto load_block = [&](int64_t b) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
            const int64_t row = first_row + 8 * h;
            const bool there = row < output.n_rows;
            const int64_t at = row * args.n_blocks + b;
            codes[h] = there ? load16(part.codes + kStepBytes * at + 16 * t) : no_bytes16();
            scales[h] = there ? half_to_float(part.d[at]) : 0.0f;
        }
#pragma unroll
        for (int i = 0; i < kPieces; ++i) {
            const int piece = in_team + i * kTeam;
            const int64_t col = first_col + piece / 16;
            const uint8_t* from = args.acts + col * args.column_bytes + kActHeaderBytes + b * kStepActs;
            pieces[i] = col < output.n_cols ? load16(from + mma_source_of(piece % 16)) : no_bytes16();
        }
        const int64_t col = first_col + in_team;
        if (in_team < kCols && col < output.n_cols) {
            column_sum = reinterpret_cast<const int32_t*>(args.acts + col * args.column_bytes + args.sums_offset)[b];
        }
    };

    float sums[kSums] = {}, waiting[kSums][4] = {};
    int place = 0;  // of kPlaces: whose lane's sum is being made
    const auto lane_of = [&](int of) { return lane_at(of + warp_l * kPlaces); };
    const auto join = [&](int end) {
        for (; place < end; ++place) {
#pragma unroll
            for (int i = 0; i < kSums; ++i) join_lane<kLevels>(place, sums[i], waiting[i]);
        }
    };
    // The first block at or behind b of the lane at that place, or of one of those behind it; places end at kPlaces.
    int next_place = 0;
    int64_t next = lane_of(0);
    const auto find_next = [&] {
        while (next_place < kPlaces && next >= args.n_blocks) {
            ++next_place;
            next = lane_of(next_place);
        }
    };
    find_next();
    if (next_place < kPlaces) load_block(next);
    while (next_place < kPlaces) {
        team_meets();  // nobody reads the step before any more
#pragma unroll
        for (int i = 0; i < kPieces; ++i) {
            const int piece = in_team + i * kTeam;
            store16(staged[warp_l] + piece / 16 * kStepActsApart + piece % 16 * 16, pieces[i]);
        }
        if (in_team < kCols) staged_sums[warp_l][in_team] = column_sum;
        const Bytes16 now[2] = {codes[0], codes[1]};
        const float scale[2] = {scales[0], scales[1]};
        join(next_place);
        team_meets();
        next += kLanes;
        find_next();
        if (next_place < kPlaces) load_block(next);  // under way while this block is multiplied

        int32_t dots[tiles_n][4] = {};
        const uint8_t* acts = staged[warp_l] + eighth * kStepActsApart + 16 * t;
#pragma unroll
        for (int f = 0; f < 4; ++f) {
            uint32_t a[2][4];
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                a[i / 2][i % 2 * 2] = static_cast<uint32_t>(tq2_field(now[0].word[i], f));
                a[i / 2][i % 2 * 2 + 1] = static_cast<uint32_t>(tq2_field(now[1].word[i], f));
            }
#pragma unroll
            for (int n = 0; n < tiles_n; ++n) {
                const Bytes16 q = load16(acts + 8 * n * kStepActsApart + 64 * f);
                const uint32_t b[2][2] = {{q.word[0], q.word[1]}, {q.word[2], q.word[3]}};
                gpu_mma_s8(dots[n], a[0], b[0]);
                gpu_mma_s8(dots[n], a[1], b[1]);
            }
        }
#pragma unroll
        for (int n = 0; n < tiles_n; ++n) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int32_t column = staged_sums[warp_l][8 * n + 2 * t + i % 2];
                sums[4 * n + i] = sums[4 * n + i] + static_cast<float>(dots[n][i] - column) * scale[i / 2];
            }
        }
    }
    join(kPlaces);

    if constexpr (warps_l > 1) {
        __shared__ float branches[warps_l][kSums * 32];
#pragma unroll
        for (int i = 0; i < kSums; ++i) branches[warp_l][i * 32 + threadIdx.x % 32] = sums[i];
        __syncthreads();
        if (warp_l > 0) return;
#pragma unroll
        for (int i = 0; i < kSums; ++i) {
            const int at = i * 32 + static_cast<int>(threadIdx.x);
            sums[i] = (branches[0][at] + branches[1][at]) + (branches[2][at] + branches[3][at]);
        }
    }
#pragma unroll
    for (int i = 0; i < kSums; ++i) {
        const int64_t row = first_row + i % 4 / 2 * 8, col = first_col + i / 4 * 8 + 2 * t + i % 2;
        if (row >= output.n_rows || col >= output.n_cols) continue;
        store_product(output, row, col, sums[i] * (1.0f / act_scale_of(args.acts + col * args.column_bytes)));
    }
}

}  // namespace

GPU_KERNEL(tq_mma_slim, TqArgs, 128) { tq_mma<1, 4, 1>(args); }
GPU_KERNEL(tq_mma_wide, TqArgs, 128) { tq_mma<4, 1, 4>(args); }

}  // namespace kern::gpu
