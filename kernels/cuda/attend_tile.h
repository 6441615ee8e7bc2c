// What the two kernels of attention share: which queries a block serves, which cells those see, and loads of eight numbers
// of a cell. (Scores: attend_scores.cu; softmax and weighted sums: attend_values.cu.)
//
// Each token sees a slice of one list of cells. Tokens of a tile see nearly the same slice, so a block walks once through
// the places of the list that any of its tokens sees, and a cell serves all tokens whose slice holds its place.
#pragma once

#include "kernels/cuda/gpu_lanes.h"
#include "kernels/cuda/kernel_args.h"

namespace kern::gpu {

// Blocks are numbered (x: share of the cells, or of the dimensions; y: KV head and part of its query heads; z: tile).
struct AttendBlock {
    int kv_head;
    int first_head;  // among all query heads
    int n_heads;
    int64_t first_token;
    int n_tokens;
    int64_t first_row;  // of scores, counted in tokens
    int64_t low = 0;    // places [low, low + n_places) of the list are seen
    int n_places;

    // tile: among all of the launch's list.
    GPU_MEMBER AttendBlock(const GpuAttendArgs& args, int tile) {
        const int n_parts = (args.group + args.block_heads - 1) / args.block_heads;
        kv_head = static_cast<int>(blockIdx.y) / n_parts;
        const int done = (static_cast<int>(blockIdx.y) - kv_head * n_parts) * args.block_heads;
        first_head = kv_head * args.group + done;
        n_heads = args.group - done < args.block_heads ? args.group - done : args.block_heads;
        first_token = args.tiles != nullptr ? args.tiles[2 * tile] : tile;
        n_tokens = args.tiles != nullptr ? args.tiles[2 * tile + 1] : 1;
        first_row = static_cast<int64_t>(tile - args.first_tile) * args.tile_tokens;
        int64_t high = 0;
        for (int t = 0; t < n_tokens; ++t) {
            const int64_t begin = args.begin[first_token + t], end = begin + args.n_cells[first_token + t];
            low = t == 0 || begin < low ? begin : low;
            high = t == 0 || end > high ? end : high;
        }
        n_places = static_cast<int>(high - low);
    }
    GPU_MEMBER int n_queries() const { return n_tokens * n_heads; }
    // Where query i's row of [n_tokens][n_head] lies.
    GPU_MEMBER int64_t row(const GpuAttendArgs& args, int i) const {
        const int token = i / n_heads;
        return (first_token + token) * args.n_head + first_head + (i - token * n_heads);
    }
};

// A query of the block: its row of scores, and the places of the list that it sees, counted from the block's first one:
// [begin, end).
struct alignas(16) Query {
    float* scores;
    float* out;
    int begin;
    int end;
    float largest;  // of the scores
};
static_assert(sizeof(Query) == 32);

GPU_FUNCTION Query query_of(const GpuAttendArgs& args, const AttendBlock& block, int i) {
    const int token = i / block.n_heads, head = block.first_head + (i - token * block.n_heads);
    const int64_t at = block.first_token + token, scores_row = (block.first_row + token) * args.n_head + head;
    const int begin = static_cast<int>(args.begin[at] - block.low), end = begin + args.n_cells[at];
    return {args.scores + scores_row * args.scores_stride, args.out + block.row(args, i) * args.head_dim, begin, end,
            0.0f};
}

// Eight halves of a row from number d on, zeros behind the head's last; d is a multiple of 8.
template <bool wide>
GPU_FUNCTION Bytes16 load_halves(const uint8_t* row, int d, int head_dim) {
    Bytes16 bytes = no_bytes16();
    if constexpr (wide) {  // head_dim is a multiple of 8
        if (d < head_dim) bytes = load16(row + 2 * d);
    } else {
        const auto* halves = reinterpret_cast<const uint16_t*>(row) + d;
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            if (d + i < head_dim) bytes.word[i / 2] |= static_cast<uint32_t>(halves[i]) << (16 * (i % 2));
        }
    }
    return bytes;
}

GPU_FUNCTION float half_of(const Bytes16& halves, int i) {
    return half_to_float(static_cast<uint16_t>(halves.word[i / 2] >> (16 * (i % 2))));
}

// Eight bytes of codes.
template <bool wide>
GPU_FUNCTION Bytes8 load_codes(const uint8_t* p) {
    if constexpr (wide) {
        return load8(p);
    } else {
        const auto* pairs = reinterpret_cast<const uint16_t*>(p);
        return Bytes8{
            {pairs[0] | static_cast<uint32_t>(pairs[1]) << 16, pairs[2] | static_cast<uint32_t>(pairs[3]) << 16}};
    }
}

// The low and the high halves of four bytes, each less 8, as signed bytes: no byte borrows from the next.
GPU_FUNCTION uint32_t q4_low(uint32_t pairs) {
    return (((pairs & 0x0f0f0f0fu) | 0x80808080u) - 0x08080808u) ^ 0x80808080u;
}
GPU_FUNCTION uint32_t q4_high(uint32_t pairs) { return q4_low(pairs >> 4); }

}  // namespace kern::gpu
