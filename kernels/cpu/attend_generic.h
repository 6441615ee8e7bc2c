// Attention of a few queries over the cells of one KV head, on top of vec_generic.h: scores, softmax, weighted sum of
// the values. The queries of a block share each load and conversion of K and V; how they are blocked never changes a
// result, because every score is its own 16-lane sum and every output adds its cells one by one in their order.
//
//   score[j] = dot(k[j], q) * scale
//   e[j]     = exp(score[j] - max)
//   out[d]   = (sum over j of e[j] * v[j][d]) * (1 / sum of e)
#pragma once

#include "kernels/cpu/vec_generic.h"

namespace kern {
namespace {

// How many cells ahead K and V are fetched: cells of one head lie a whole token's K apart, a stride that hardware
// prefetchers follow only within a page.
constexpr int64_t kAheadCells = 16;

inline void prefetch_values(const uint16_t* p, int64_t n) {
    for (int64_t i = 0; i < n; i += 32) __builtin_prefetch(p + i);
}

inline const uint16_t* cell_at(const AttendArgs& args, const uint16_t* base, int64_t j) {
    return base + args.cells[j] * args.cell_stride;
}

// scores of `queries` queries from `first` on. Rows of scores are written up to n_cells rounded up to kScoreCells.
template <int queries>
inline void attend_scores(const AttendArgs& args, int64_t first) {
    const float* q = args.q + first * args.q_stride;
    for (int64_t j = 0; j < args.n_cells; j += kScoreCells) {
        const uint16_t* k[kScoreCells];
        for (int c = 0; c < kScoreCells; ++c) {
            const int64_t cell = j + c < args.n_cells ? j + c : args.n_cells - 1;  // the last one again: not used
            k[c] = cell_at(args, args.k, cell);
            if (cell + kAheadCells < args.n_cells) {
                prefetch_values(cell_at(args, args.k, cell + kAheadCells), args.head_dim);
            }
        }
        V16 sums[queries][kScoreCells];
        for (int i = 0; i < queries; ++i) {
            for (int c = 0; c < kScoreCells; ++c) sums[i][c] = v16_set1(0.0f);
        }
        int64_t d = 0;
        for (; d + 16 <= args.head_dim; d += 16) {
            V16 keys[kScoreCells];
            for (int c = 0; c < kScoreCells; ++c) keys[c] = v16_from_f16(k[c] + d);
            for (int i = 0; i < queries; ++i) {
                const V16 query = v16_load(q + i * args.q_stride + d);
                for (int c = 0; c < kScoreCells; ++c) sums[i][c] = v16_add(sums[i][c], v16_mul(keys[c], query));
            }
        }
        if (const int64_t left = args.head_dim - d; left > 0) {
            V16 keys[kScoreCells];
            for (int c = 0; c < kScoreCells; ++c) keys[c] = v16_from_f16_part(k[c] + d, left);
            for (int i = 0; i < queries; ++i) {
                const V16 query = v16_load_part(q + i * args.q_stride + d, left, 0.0f);
                for (int c = 0; c < kScoreCells; ++c) sums[i][c] = v16_add(sums[i][c], v16_mul(keys[c], query));
            }
        }
        for (int i = 0; i < queries; ++i) v16_tree4(sums[i], args.scores + (first + i) * args.scores_stride + j);
    }
}

// Weighted sums of the values for `chunks` times 16 outputs from d on; `left` < 16 limits a last, single chunk.
template <int queries, int chunks, bool partial>
inline void attend_values(const AttendArgs& args, int64_t first, int64_t d, int64_t left, const float* factors) {
    const float* weights = args.scores + first * args.scores_stride;
    V16 sums[queries][chunks];
    for (int i = 0; i < queries; ++i) {
        for (int c = 0; c < chunks; ++c) sums[i][c] = v16_set1(0.0f);
    }
    for (int64_t j = 0; j < args.n_cells; ++j) {
        const uint16_t* v = cell_at(args, args.v, j) + d;
        if (j + kAheadCells < args.n_cells) {
            prefetch_values(cell_at(args, args.v, j + kAheadCells) + d, partial ? left : chunks * 16);
        }
        V16 values[chunks];
        for (int c = 0; c < chunks; ++c) {
            values[c] = partial ? v16_from_f16_part(v + 16 * c, left) : v16_from_f16(v + 16 * c);
        }
        for (int i = 0; i < queries; ++i) {
            const V16 weight = v16_set1(weights[i * args.scores_stride + j]);
            for (int c = 0; c < chunks; ++c) sums[i][c] = v16_add(sums[i][c], v16_mul(weight, values[c]));
        }
    }
    for (int i = 0; i < queries; ++i) {
        float* out = args.out + (first + i) * args.out_stride + d;
        for (int c = 0; c < chunks; ++c) {
            const V16 result = v16_canonical(v16_mul(sums[i][c], v16_set1(factors[i])));
            if (partial) {
                v16_store_part(out + 16 * c, result, left);
            } else {
                v16_store(out + 16 * c, result);
            }
        }
    }
}

template <int queries>
inline void attend_block(const AttendArgs& args, int64_t first) {
    attend_scores<queries>(args, first);
    float factors[queries];
    const V16 scale = v16_set1(args.scale);
    for (int i = 0; i < queries; ++i) {
        float* scores = args.scores + (first + i) * args.scores_stride;
        // In whole steps of sixteen: the row has room, and what lies behind the last cell is not read again.
        for (int64_t j = 0; j < args.n_cells; j += 16) v16_store(scores + j, v16_mul(v16_load(scores + j), scale));
        factors[i] = 1.0f / vec_exp_sum(scores, args.n_cells);
    }
    constexpr int kChunks = kValueChunks[queries];
    int64_t d = 0;
    for (; d + 16 * kChunks <= args.head_dim; d += 16 * kChunks) {
        attend_values<queries, kChunks, false>(args, first, d, 0, factors);
    }
    for (; d + 16 <= args.head_dim; d += 16) attend_values<queries, 1, false>(args, first, d, 0, factors);
    if (d < args.head_dim) attend_values<queries, 1, true>(args, first, d, args.head_dim - d, factors);
}

template <int queries>
inline void attend_rest(const AttendArgs& args, int64_t first) {
    if constexpr (queries >= 1) {
        if (args.n_q - first == queries) {
            attend_block<queries>(args, first);
        } else {
            attend_rest<queries - 1>(args, first);
        }
    }
}

// Scores that hold a NaN or +inf, or nothing but -inf, make the output NaN, as in softmax.
inline void vec_attend(const AttendArgs& args) {
    int64_t i = 0;
    for (; i + kMaxQueries <= args.n_q; i += kMaxQueries) attend_block<kMaxQueries>(args, i);
    attend_rest<kMaxQueries - 1>(args, i);
}

}  // namespace
}  // namespace kern
