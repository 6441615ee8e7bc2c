// gpu_attention: which blocks score and add, for one token, for a few texts together and for a prompt. The grids follow from
// what does not change while a text grows, so that a recorded step may be played again.
#include <algorithm>

#include "ggml-like/gpu/gpu_ops.h"
#include "kernels/cuda/kernel_args.h"

namespace tg {
namespace {

using kern::KvType;
using kern::gpu::AttendEight;
using kern::gpu::AttendFour;
using kern::gpu::AttendOne;
using kern::gpu::GpuAttendArgs;
using kern::gpu::kAttendQueries;
using kern::gpu::KernelId;

constexpr int64_t kFewTokens = 8;           // fewer: a block for each query head
constexpr int64_t kManyTokens = 64;         // at least: neighbouring tokens share their cells, as those of a prompt do
constexpr int kFourQueries = 16;            // of a block of AttendFour, for its 512 threads
constexpr int kMostSlices = 4;              // of 32 dimensions, of a block
constexpr int64_t kScoreBytes = 32 * 1024;  // of queries in shared memory
constexpr int64_t kMostTiles = 65535;       // of blocks in z

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

int64_t scores_stride(int64_t most_cells) { return divide_up(most_cells, 8) * 8; }

// The block's part of a group of query heads: as many as fit `most`, in parts of about the same size.
int32_t even_part(int64_t group, int64_t most) {
    return static_cast<int32_t>(divide_up(group, divide_up(group, std::min(group, most))));
}

bool is_wide(const kern::gpu::KvRows& rows) {
    const uint64_t alignment = reinterpret_cast<uintptr_t>(rows.base) | static_cast<uint64_t>(rows.head_bytes);
    return alignment % (rows.type == KvType::f16 ? 16 : 8) == 0;
}

uint32_t blocks_y(const GpuAttendArgs& args) {
    const int64_t parts = divide_up(args.group, args.block_heads);
    return static_cast<uint32_t>(args.n_head / args.group * parts);
}

uint32_t blocks_z(const GpuAttendArgs& args) {
    return static_cast<uint32_t>(divide_up(args.n_tokens, args.tile_tokens));
}

void launch_scores(GpuStream& stream, GpuAttendArgs args, int64_t most_cells) {
    const bool halves = args.k.type == KvType::f16;
    const int64_t query_bytes =
        halves ? divide_up(args.head_dim, 16) * 64 : args.head_dim + args.head_dim / kern::kKvBlock * 4;
    const int64_t queries = std::clamp<int64_t>(kScoreBytes / query_bytes, 1, kAttendQueries);
    args.block_heads = even_part(args.group, queries);
    args.tile_tokens =
        static_cast<int32_t>(args.n_tokens < kManyTokens ? 1 : std::max<int64_t>(1, queries / args.block_heads));
    args.wide = is_wide(args.k) ? 1 : 0;
    GpuGrid grid{.y = blocks_y(args), .z = blocks_z(args), .threads = halves ? 128u : 256u};
    const int64_t others = int64_t{grid.y} * grid.z;
    const int64_t enough = divide_up(4 * std::max(stream.info().n_multiprocessors, 1), others);
    grid.x = static_cast<uint32_t>(std::clamp<int64_t>(divide_up(most_cells, halves ? 128 : 64), 1, enough));
    grid.shared_bytes = static_cast<uint32_t>(args.block_heads * args.tile_tokens * query_bytes);
    stream.run(halves                        ? KernelId::attend_scores_f16
               : args.k.type == KvType::q8_0 ? KernelId::attend_scores_q8
                                             : KernelId::attend_scores_q4,
               grid, args);
}

template <class Shape>
void launch_values_as(GpuStream& stream, KernelId kernel, GpuAttendArgs args, uint32_t threads) {
    const int n_queries = args.block_heads * args.tile_tokens;
    const int64_t slices = divide_up(args.head_dim, 32);
    GpuGrid grid{.y = blocks_y(args), .z = blocks_z(args), .threads = threads};
    grid.x = static_cast<uint32_t>(divide_up(slices, args.block_slices));
    grid.shared_bytes = Shape::shared_bytes(args.block_slices, n_queries);
    if (threads == 0) {
        grid.threads = static_cast<uint32_t>(32 * args.block_slices * divide_up(n_queries, Shape::queries));
    }
    stream.run(kernel, grid, args);
}

void launch_values(GpuStream& stream, GpuAttendArgs args) {
    args.wide = is_wide(args.v) ? 1 : 0;
    args.tile_tokens = 1;
    args.block_slices = static_cast<int32_t>(std::min<int64_t>(divide_up(args.head_dim, 32), kMostSlices));
    if (args.n_tokens >= kManyTokens) {
        args.block_heads = even_part(args.group, kAttendQueries);
        args.tile_tokens = kAttendQueries / args.block_heads;
        launch_values_as<AttendEight>(stream, KernelId::attend_values_8, args, 0);
    } else if (args.n_tokens >= kFewTokens && args.group > 1) {
        args.block_heads = even_part(args.group, kFourQueries);
        launch_values_as<AttendFour>(stream, KernelId::attend_values_4, args, 0);
    } else {
        args.block_heads = 1;
        args.block_slices = 1;
        launch_values_as<AttendOne>(stream, KernelId::attend_values_1, args, 32 + 2 * 128);
    }
}

}  // namespace

int64_t gpu_attention_scores(int64_t n_head, int64_t most_cells) { return n_head * scores_stride(most_cells); }

void gpu_attention(GpuStream& stream, const GpuAttention& work) {
    GpuAttendArgs args{};
    args.k = kern::gpu::kv_rows(work.kv.k, work.kv.k_type, work.head_dim);
    args.v = kern::gpu::kv_rows(work.kv.v, work.kv.v_type, work.head_dim);
    args.cells = work.cells;
    args.scores = work.scores;
    args.scores_stride = scores_stride(work.most_cells);
    args.n_cells_all = work.kv.n_cells;
    args.n_head = static_cast<int32_t>(work.n_head);
    args.group = static_cast<int32_t>(work.n_head / work.n_head_kv);
    args.head_dim = static_cast<int32_t>(work.head_dim);
    args.scale = 1.0f / __builtin_sqrtf(static_cast<float>(work.head_dim));
    // Pieces of tokens whose scores fit, one after the other.
    const int64_t fit = work.n_scores / gpu_attention_scores(work.n_head, work.most_cells);
    const int64_t piece = std::clamp<int64_t>(fit, 1, kMostTiles);
    for (int64_t token = 0; token < work.n_tokens; token += piece) {
        args.n_tokens = std::min(piece, work.n_tokens - token);
        args.q = work.q + token * work.n_head * work.head_dim;
        args.out = work.out + token * work.n_head * work.head_dim;
        args.begin = work.begin + token;
        args.n_cells = work.n_cells + token;
        launch_scores(stream, args, work.most_cells);
        launch_values(stream, args);
    }
}

}  // namespace tg
