// The scores of attention: score = dot(k, q) * scale for every query and every cell that it sees.
//
// F16 keys: two threads a cell, each with eight of the sixteen lanes, so that a load of 16 bytes holds a thread's lanes and a
// warp reads whole sectors. Both do two cells at a time and up to four queries: a key is converted once for those, a query
// read once for both cells, and all loads of a step are on their way before the first sum.
// Quantised keys: four threads a cell, each with a block of 32 codes; blocks are exact integers, added as floats in order.
#include "kernels/cuda/attend_tile.h"

namespace kern::gpu {
namespace {

constexpr int kHalfThreads = 128;
constexpr int kHalfCells = 128;  // that a block scores at a time
constexpr int kCodeThreads = 256;
constexpr int kCodeCells = 64;
// Chunks of sixteen numbers whose loads fly together.
template <bool wide>
constexpr int kAhead = wide ? 4 : 1;

// The cells of a block, by their places in the list from its first one on, and the queries that see them.
struct Cells {
    const Query* queries;
    const int32_t* list;
    const uint8_t* rows;  // the KV head's keys
    int64_t row_bytes;
    int end;  // of the block's share
    int n_queries;
    float scale;

    // A place behind the last one gets that one's row: a score that nobody sees.
    GPU_MEMBER const uint8_t* row(int place) const { return rows + list[place < end ? place : end - 1] * row_bytes; }
    GPU_MEMBER void store(int i, int place, float dot) const {
        const Query& query = queries[i];
        if (place >= query.begin && place < query.end) query.scores[place - query.begin] = dot * scale;
    }
};

// Which places of which tile a block scores.
struct Share {
    int tile = -1;  // none
    int first = 0;
    int end = 0;

    GPU_MEMBER Share(const GpuAttendArgs& args, int block_cells) {
        const int x = static_cast<int>(blockIdx.x);
        if (args.shares == nullptr) {
            tile = args.first_tile + static_cast<int>(blockIdx.z);
            first = x * block_cells;
            end = 0x7fffffff;
        } else if (x < args.shares[0]) {
            const int at = args.shares[2 + 2 * x];
            // A launch may serve a part of the tiles.
            if (at >= args.first_tile && at < args.first_tile + args.n_tiles) tile = at;
            first = args.shares[3 + 2 * x];
            end = first + args.shares[1];
        }
    }
    // From the places that a block's threads score at once to the next ones.
    GPU_MEMBER static int step(const GpuAttendArgs& args, int block_cells) {
        return args.shares == nullptr ? static_cast<int>(gridDim.x) * block_cells : block_cells;
    }
};

// prepare(block), then score(cells, first place) for the block's share, with its queries in memory. Grids are made for more cells
// than texts have at first, and a block without work should not prepare its queries.
template <int block_cells, class Prepare, class Score>
GPU_FUNCTION void for_each_place(const GpuAttendArgs& args, Prepare prepare, Score score) {
    __shared__ Query queries[kAttendQueries];
    const Share share(args, block_cells);
    if (share.tile < 0) return;
    const AttendBlock block(args, share.tile);
    const int end = share.end < block.n_places ? share.end : block.n_places;
    if (share.first >= end) return;
    const int i = static_cast<int>(threadIdx.x);
    if (i < block.n_queries()) queries[i] = query_of(args, block, i);
    prepare(block);
    __syncthreads();
    const uint8_t* rows = args.k.base + block.kv_head * args.n_cells_all * args.k.head_bytes;
    const Cells cells{queries, args.cells + block.low, rows, args.k.head_bytes, end, block.n_queries(), args.scale};
#pragma unroll 1
    for (int at = share.first; at < end; at += Share::step(args, block_cells)) score(cells, at);
}

// v16_tree over lanes of which this thread has eight and the one beside it the others.
GPU_FUNCTION float tree_of_eight(const float (&s)[8]) {
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

template <bool wide, int queries>
GPU_FUNCTION void score_halves(const Cells& cells, const uint8_t* (&rows)[2], const float* q, int head_dim, int width,
                               int first, int place) {
    const int half = static_cast<int>(threadIdx.x % 2);
    float sums[queries][2][8] = {};
#pragma unroll 1
    for (int begin = 8 * half; begin < width; begin += 16 * kAhead<wide>) {
        Bytes16 keys[kAhead<wide>][2];
#pragma unroll
        for (int a = 0; a < kAhead<wide>; ++a) {
#pragma unroll
            for (int c = 0; c < 2; ++c) keys[a][c] = load_halves<wide>(rows[c], begin + 16 * a, head_dim);
        }
#pragma unroll
        for (int a = 0; a < kAhead<wide>; ++a) {
            const int d = begin + 16 * a;
            if (d >= width) break;
            float k[2][8];
#pragma unroll
            for (int i = 0; i < 8; ++i) {
                k[0][i] = half_of(keys[a][0], i);
                k[1][i] = half_of(keys[a][1], i);
            }
#pragma unroll
            for (int j = 0; j < queries; ++j) {
                const auto* numbers = reinterpret_cast<const Floats4*>(q + (first + j) * width + d);
                const Floats4 low = numbers[0], high4 = numbers[1];
#pragma unroll
                for (int i = 0; i < 8; ++i) {
                    const float number = i < 4 ? low.f[i] : high4.f[i - 4];
                    sums[j][0][i] = sums[j][0][i] + k[0][i] * number;
                    sums[j][1][i] = sums[j][1][i] + k[1][i] * number;
                }
            }
        }
    }
    // Thread 0 of the two ends the first cell, thread 1 the second: each gives the other its lanes of that one's.
#pragma unroll
    for (int j = 0; j < queries; ++j) {
        float s[8];
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            const float kept = half == 0 ? sums[j][0][i] : sums[j][1][i];
            const float given = half == 0 ? sums[j][1][i] : sums[j][0][i];
            s[i] = kept + __shfl_xor_sync(kWholeWarp, given, 1);
        }
        cells.store(first + j, place + 16 * half, tree_of_eight(s));
    }
}

template <bool wide>
GPU_FUNCTION void all_half_scores(const GpuAttendArgs& args, float* q) {
    const int width = (args.head_dim + kLanes - 1) / kLanes * kLanes;
    const auto prepare = [&](const AttendBlock& block) {
        for (int i = 0; i < block.n_queries(); ++i) {
            const float* from = args.q + block.row(args, i) * args.head_dim;
            for (int d = static_cast<int>(threadIdx.x); d < width; d += kHalfThreads) {
                q[i * width + d] = d < args.head_dim ? from[d] : 0.0f;
            }
        }
    };
    const int in_block = static_cast<int>(threadIdx.x / kWarp) * kWarp + static_cast<int>(threadIdx.x % kWarp / 2);
    for_each_place<kHalfCells>(args, prepare, [&](const Cells& cells, int at) {
        const int place = at + in_block, end = cells.n_queries;
        const uint8_t* rows[2] = {cells.row(place), cells.row(place + 16)};
        int i = 0;
#pragma unroll 1
        for (; i + 4 <= end; i += 4) score_halves<wide, 4>(cells, rows, q, args.head_dim, width, i, place);
#pragma unroll 1
        for (; i + 2 <= end; i += 2) score_halves<wide, 2>(cells, rows, q, args.head_dim, width, i, place);
        if (i < end) score_halves<wide, 1>(cells, rows, q, args.head_dim, width, i, place);
    });
}

// The codes of block b of a cell's keys, in the order of their numbers, and their scale.
struct KeyBlock {
    uint32_t word[8];
    float scale;
};

template <bool four_bits, bool wide>
GPU_FUNCTION KeyBlock load_key_block(const uint8_t* row, int n_blocks, int b) {
    KeyBlock block;
    if constexpr (four_bits) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            const Bytes8 pairs = load_codes<wide>(row + 16 * b + 8 * i);
#pragma unroll
            for (int w = 0; w < 2; ++w) {
                block.word[2 * i + w] = q4_low(pairs.word[w]);
                block.word[4 + 2 * i + w] = q4_high(pairs.word[w]);
            }
        }
    } else {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const Bytes8 codes = load_codes<wide>(row + 32 * b + 8 * i);
            block.word[2 * i] = codes.word[0];
            block.word[2 * i + 1] = codes.word[1];
        }
    }
    block.scale = half_to_float(reinterpret_cast<const uint16_t*>(row + n_blocks * (four_bits ? 16 : 32))[b]);
    return block;
}

// Queries as codes and scales, in the block's memory.
struct CodedQueries {
    int8_t* codes;  // [n_queries][head_dim]
    float* scales;  // [n_queries][n_blocks]: 1 / factor
    int n_blocks;
};

template <bool four_bits, bool wide, int queries>
GPU_FUNCTION void score_codes(const Cells& cells, const uint8_t* row, const CodedQueries& coded, int first, int place) {
    const int lane = static_cast<int>(threadIdx.x % kWarp), mine = lane % 4;
    float sums[queries] = {};
#pragma unroll 1
    for (int begin = 0; begin < coded.n_blocks; begin += 4) {
        const bool there = begin + mine < coded.n_blocks;
        const int at = there ? begin + mine : 0;
        const KeyBlock keys = load_key_block<four_bits, wide>(row, coded.n_blocks, at);
#pragma unroll
        for (int j = 0; j < queries; ++j) {
            const auto* codes =
                reinterpret_cast<const Bytes16*>(coded.codes + ((first + j) * coded.n_blocks + at) * kWarp);
            const Bytes16 low = codes[0], high16 = codes[1];
            int dot = 0;
#pragma unroll
            for (int w = 0; w < 4; ++w) {
                dot = __dp4a(static_cast<int>(keys.word[w]), static_cast<int>(low.word[w]), dot);
                dot = __dp4a(static_cast<int>(keys.word[4 + w]), static_cast<int>(high16.word[w]), dot);
            }
            const float scale = coded.scales[(first + j) * coded.n_blocks + at] * keys.scale;
            // Behind the last block +0, which changes no sum: none is ever -0.
            const float term = there ? static_cast<float>(dot) * scale : 0.0f;
#pragma unroll
            for (int i = 0; i < 4; ++i) sums[j] = sums[j] + __shfl_sync(kWholeWarp, term, lane - mine + i);
        }
    }
#pragma unroll
    for (int j = 0; j < queries; ++j) {
        if (j % 4 == mine) cells.store(first + j, place, sums[j]);
    }
}

template <bool four_bits, bool wide>
GPU_FUNCTION void all_code_scores(const GpuAttendArgs& args, uint8_t* shared) {
    const int n_blocks = args.head_dim / kWarp;
    const int warp = static_cast<int>(threadIdx.x / kWarp), lane = static_cast<int>(threadIdx.x % kWarp);
    // Behind the codes of as many queries as there may be.
    float* const scales = reinterpret_cast<float*>(shared + args.block_heads * args.tile_tokens * args.head_dim);
    const CodedQueries coded{reinterpret_cast<int8_t*>(shared), scales, n_blocks};
    const auto prepare = [&](const AttendBlock& block) {
        for (int i = warp; i < block.n_queries() * n_blocks; i += kCodeThreads / kWarp) {
            const int query = i / n_blocks, d = (i - query * n_blocks) * kWarp + lane;
            const float x = args.q[block.row(args, query) * args.head_dim + d];
            const float factor = warp_i8_factor(x);
            coded.codes[query * args.head_dim + d] = static_cast<int8_t>(whole_code(x, factor, -127.0f, 127.0f));
            if (lane == 0) coded.scales[i] = 1.0f / factor;
        }
    };
    for_each_place<kCodeCells>(args, prepare, [&](const Cells& cells, int at) {
        const int place = at + static_cast<int>(threadIdx.x / 4), end = cells.n_queries;
        const uint8_t* row = cells.row(place);
        constexpr int queries = wide ? 4 : 2;  // what fits into registers
        int i = 0;
#pragma unroll 1
        for (; i + queries <= end; i += queries) score_codes<four_bits, wide, queries>(cells, row, coded, i, place);
#pragma unroll 1
        for (; i < end; ++i) score_codes<four_bits, wide, 1>(cells, row, coded, i, place);
    });
}

}  // namespace

// Dynamic memory: queries * (head_dim rounded up to 16) floats.
GPU_KERNEL(attend_scores_f16, GpuAttendArgs, 128) {
    if (args.wide) {
        all_half_scores<true>(args, gpu_dynamic_shared<float>());
    } else {
        all_half_scores<false>(args, gpu_dynamic_shared<float>());
    }
}

// Dynamic memory: queries * (head_dim bytes and a float for each 32 of them).
GPU_KERNEL(attend_scores_q8, GpuAttendArgs, 256) {
    if (args.wide) {
        all_code_scores<false, true>(args, gpu_dynamic_shared<uint8_t>());
    } else {
        all_code_scores<false, false>(args, gpu_dynamic_shared<uint8_t>());
    }
}

GPU_KERNEL(attend_scores_q4, GpuAttendArgs, 256) {
    if (args.wide) {
        all_code_scores<true, true>(args, gpu_dynamic_shared<uint8_t>());
    } else {
        all_code_scores<true, false>(args, gpu_dynamic_shared<uint8_t>());
    }
}

}  // namespace kern::gpu
