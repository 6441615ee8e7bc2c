// What the two kernels of attention share: which queries a block serves, which cells those see, and loads of eight numbers
// of a cell. (Scores: attend_scores.cu; softmax and weighted sums: attend_values.cu.)
//
// Each token sees a slice of one list of cells. Tokens of a prompt see nearly the same slice, so a block walks once through
// the places of the list that any of its tokens sees, and a cell serves all tokens whose slice holds its place. Tokens whose
// slices lie apart (texts that are decoded together) are served one after the other.
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

    GPU_MEMBER explicit AttendBlock(const GpuAttendArgs& args) {
        const int n_parts = (args.group + args.block_heads - 1) / args.block_heads;
        kv_head = static_cast<int>(blockIdx.y) / n_parts;
        const int done = (static_cast<int>(blockIdx.y) - kv_head * n_parts) * args.block_heads;
        first_head = kv_head * args.group + done;
        n_heads = args.group - done < args.block_heads ? args.group - done : args.block_heads;
        first_token = static_cast<int64_t>(blockIdx.z) * args.tile_tokens;
        const int64_t left = args.n_tokens - first_token;
        n_tokens = static_cast<int>(left < args.tile_tokens ? left : args.tile_tokens);
    }
    GPU_MEMBER int n_queries() const { return n_tokens * n_heads; }
    // Where query i's row of [n_tokens][n_head] lies.
    GPU_MEMBER int64_t row(const GpuAttendArgs& args, int i) const {
        const int token = i / n_heads;
        return (first_token + token) * args.n_head + first_head + (i - token * n_heads);
    }
};

// Tokens of a block that go through the cells together: places [low, high) of the list.
struct AttendRun {
    int token = 0;  // of the block's
    int n_tokens = 0;
    int64_t low = 0;
    int64_t high = 0;

    GPU_MEMBER int n_places() const { return static_cast<int>(high - low); }
};

// The run that follows `run`; n_tokens is 0 behind the last one.
GPU_FUNCTION AttendRun next_run(const GpuAttendArgs& args, const AttendBlock& block, const AttendRun& run) {
    const int from = run.token + run.n_tokens;
    AttendRun next{from, 0, 0, 0};
    int64_t most = 0;
    for (int t = from; t < block.n_tokens; ++t) {
        const int64_t begin = args.begin[block.first_token + t], n = args.n_cells[block.first_token + t];
        const int64_t low = t == from || begin < next.low ? begin : next.low;
        const int64_t high = t == from || begin + n > next.high ? begin + n : next.high;
        most = n > most ? n : most;
        if (high - low > 2 * most) break;
        next = {from, t - from + 1, low, high};
    }
    return next;
}

// A query of the block: its row of scores, and the places of the list that it sees, counted from the run's first one:
// [begin, end), empty where its token is not in the run.
struct alignas(16) Query {
    float* scores;
    float* out;
    int begin;
    int end;
    float largest;  // of the scores
};
static_assert(sizeof(Query) == 32);

GPU_FUNCTION Query query_of(const GpuAttendArgs& args, const AttendBlock& block, const AttendRun& run, int i) {
    const int token = i / block.n_heads;
    const bool in_run = token >= run.token && token < run.token + run.n_tokens;
    const int64_t at = block.first_token + token;
    const int64_t row = at * args.n_head + block.first_head + (i - token * block.n_heads);
    const int begin = in_run ? static_cast<int>(args.begin[at] - run.low) : 0, n = in_run ? args.n_cells[at] : 0;
    return {args.scores + row * args.scores_stride, args.out + row * args.head_dim, begin, begin + n, 0.0f};
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
