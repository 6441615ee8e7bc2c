// gpu_attention: which blocks score and add, for one text, for many texts and for prompts beside them: each part of a step is served in
// its own way. The grids follow from what does not change while texts grow, so that a recorded step may be played again.
#include <algorithm>

#include "ggml-like/gpu/attend_plan.h"
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

// Of a cell's keys' type, in the memory of a block that scores.
int64_t query_bytes(KvType k_type, int64_t head_dim) {
    return k_type == KvType::f16 ? divide_up(head_dim, 16) * 64 : head_dim + head_dim / kern::kKvBlock * 4;
}

int64_t most_queries(KvType k_type, int64_t head_dim) {
    return std::clamp<int64_t>(kScoreBytes / query_bytes(k_type, head_dim), 1, kAttendQueries);
}

// n_alone: of all pieces, whose shares are in one list.
void launch_scores(GpuStream& stream, GpuAttendArgs args, int64_t most_cells, int64_t n_alone) {
    const bool halves = args.k.type == KvType::f16;
    args.block_heads = even_part(args.group, most_queries(args.k.type, args.head_dim));
    args.wide = is_wide(args.k) ? 1 : 0;
    GpuGrid grid{.y = blocks_y(args), .threads = halves ? 128u : 256u};
    if (args.shares != nullptr) {
        grid.x = static_cast<uint32_t>(AttendPlan::most_shares(n_alone, most_cells));
    } else {
        grid.z = static_cast<uint32_t>(args.n_tiles);
        const int64_t enough = divide_up(4 * std::max(stream.info().n_multiprocessors, 1), int64_t{grid.y} * grid.z);
        grid.x = static_cast<uint32_t>(std::clamp<int64_t>(divide_up(most_cells, halves ? 128 : 64), 1, enough));
    }
    grid.shared_bytes =
        static_cast<uint32_t>(args.block_heads * args.tile_tokens * query_bytes(args.k.type, args.head_dim));
    stream.run(halves                        ? KernelId::attend_scores_f16
               : args.k.type == KvType::q8_0 ? KernelId::attend_scores_q8
                                             : KernelId::attend_scores_q4,
               grid, args);
}

template <class Shape>
void launch_values_as(GpuStream& stream, KernelId kernel, GpuAttendArgs args, uint32_t threads) {
    const int n_queries = args.block_heads * args.tile_tokens;
    const int64_t slices = divide_up(args.head_dim, 32);
    GpuGrid grid{.y = blocks_y(args), .z = static_cast<uint32_t>(args.n_tiles), .threads = threads};
    grid.x = static_cast<uint32_t>(divide_up(slices, args.block_slices));
    grid.shared_bytes = Shape::shared_bytes(args.block_slices, n_queries);
    if (threads == 0) {
        grid.threads = static_cast<uint32_t>(32 * args.block_slices * divide_up(n_queries, Shape::queries));
    }
    stream.run(kernel, grid, args);
}

void launch_values(GpuStream& stream, GpuAttendArgs args, int64_t n_alone) {
    args.wide = is_wide(args.v) ? 1 : 0;
    args.block_slices = static_cast<int32_t>(std::min<int64_t>(divide_up(args.head_dim, 32), kMostSlices));
    if (n_alone == 0) {
        args.block_heads = even_part(args.group, most_queries(args.k.type, args.head_dim));
        launch_values_as<AttendEight>(stream, KernelId::attend_values_8, args, 0);
    } else if (n_alone >= AttendPlan::kFewTexts && args.group > 1) {
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

int32_t gpu_attention_tile(int64_t n_head, int64_t n_head_kv, int64_t head_dim, KvType k_type) {
    const int64_t queries = most_queries(k_type, head_dim);
    return static_cast<int32_t>(queries / even_part(n_head / n_head_kv, queries));
}

void gpu_attention(GpuStream& stream, const GpuAttention& work) {
    GpuAttendArgs args{};
    args.q = work.q;
    args.out = work.out;
    args.k = kern::gpu::kv_rows(work.kv.k, work.kv.k_type, work.head_dim);
    args.v = kern::gpu::kv_rows(work.kv.v, work.kv.v_type, work.head_dim);
    args.cells = work.cells;
    args.begin = work.begin;
    args.n_cells = work.n_cells;
    args.tiles = work.tiles;
    args.scores = work.scores;
    args.scores_stride = scores_stride(work.most_cells);
    args.n_cells_all = work.kv.n_cells;
    args.n_head = static_cast<int32_t>(work.n_head);
    args.group = static_cast<int32_t>(work.n_head / work.n_head_kv);
    args.head_dim = static_cast<int32_t>(work.head_dim);
    args.scale = 1.0f / __builtin_sqrtf(static_cast<float>(work.head_dim));
    const int64_t tokens_at_once = work.n_scores / gpu_attention_scores(work.n_head, work.most_cells);
    // Pieces of the tiles [begin, end) whose scores fit, one after the other.
    const auto serve = [&](int64_t begin, int64_t end, int64_t n_alone) {
        const int64_t piece = std::clamp<int64_t>(tokens_at_once / args.tile_tokens, 1, kMostTiles);
        for (int64_t tile = begin; tile < end; tile += piece) {
            args.first_tile = static_cast<int32_t>(tile);
            args.n_tiles = static_cast<int32_t>(std::min(piece, end - tile));
            launch_scores(stream, args, work.most_cells, n_alone);
            launch_values(stream, args, n_alone);
        }
    };
    args.tile_tokens = gpu_attention_tile(work.n_head, work.n_head_kv, work.head_dim, work.kv.k_type);
    serve(0, work.n_together, 0);
    args.tile_tokens = 1;
    args.shares = work.shares;
    serve(work.n_together, work.n_together + work.n_alone, work.n_alone);
}

}  // namespace tg
