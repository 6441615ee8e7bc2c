// Attention of a few queries over the cells of one KV head, on top of vec_generic.h: scores, softmax, weighted sum of
// the values. Queries share each load and conversion of K and V; how they are blocked, and how the cells are, never
// changes a result, because every score is its own sum and every output adds its cells one by one in their order.
//
//   score[j] = dot(k[j], q) * scale
//   e[j]     = exp(score[j] - max)
//   out[d]   = (sum over j of e[j] * v[j][d]) * (1 / sum of e)
//
// Where more queries than two blocks of registers, or quantised values, read the same cells, a few cells at a time become
// floats in a buffer that stays in the first cache.
#pragma once

#include "kernels/cpu/kv_rows.h"

namespace kern {
namespace {

// How many cells ahead K and V are fetched: further than memory takes to answer while four queries work on a cell.
constexpr int64_t kAheadCells = 64;
// Values that two passes over halves of a head read: few enough to be in the first cache the second time.
constexpr int64_t kValueCells = 32;
constexpr int64_t kBufferFloats = 6144;  // 24 KiB, half of a first cache
constexpr int64_t kLine = 64;

// Queries are numbered token by token; each has a row of scores and as many cells as its token sees.
struct Queries {
    const AttendArgs& args;

    int64_t size() const { return args.n_tokens * args.n_q; }
    int64_t n_cells(int64_t i) const { return args.n_cells + i / args.n_q; }
    int64_t most_cells() const { return args.n_cells + args.n_tokens - 1; }
    const float* q(int64_t i) const {
        return args.q + i / args.n_q * args.q_token_stride + i % args.n_q * args.q_stride;
    }
    float* out(int64_t i) const {
        return args.out + i / args.n_q * args.out_token_stride + i % args.n_q * args.out_stride;
    }
    float* scores(int64_t i) const { return args.scores + i * args.scores_stride; }
};

// The rows of K or of V, cell by cell.
struct Cells {
    const uint8_t* base;
    int64_t stride;
    const int32_t* cells;
    int64_t n_cells;

    const uint8_t* at(int64_t j) const { return base + cells[j] * stride; }
    void fetch_ahead(int64_t j, int64_t from, int64_t n_bytes) const {
        if (j + kAheadCells >= n_cells) return;
        const uint8_t* p = at(j + kAheadCells) + from;
        for (int64_t i = 0; i < n_bytes; i += kLine) __builtin_prefetch(p + i);
    }
};

inline Cells keys_of(const AttendArgs& args) {
    return {static_cast<const uint8_t*>(args.k), args.k_stride, args.cells, args.n_cells};
}
inline Cells values_of(const AttendArgs& args) {
    return {static_cast<const uint8_t*>(args.v), args.v_stride, args.cells, args.n_cells};
}

// Two forms that the kernels read: F16 rows of the cache, and cells from `first` on in the buffer.
struct HalfRows {
    static constexpr int64_t kPiece = kValueCells;
    Cells cells;

    const uint16_t* at(int64_t j) const { return reinterpret_cast<const uint16_t*>(cells.at(j)); }
    void fetch_ahead(int64_t j, int64_t d, int64_t n) const { cells.fetch_ahead(j, 2 * d, 2 * n); }
    static V16 load(const uint16_t* p) { return v16_from_f16(p); }
    static V16 load_part(const uint16_t* p, int64_t n) { return v16_from_f16_part(p, n); }
};

struct FloatRows {
    static constexpr int64_t kPiece = kBufferFloats;  // all of it
    const float* buffer;
    int64_t first;
    int64_t width;

    const float* at(int64_t j) const { return buffer + (j - first) * width; }
    void fetch_ahead(int64_t, int64_t, int64_t) const {}
    static V16 load(const float* p) { return v16_load(p); }
    static V16 load_part(const float* p, int64_t n) { return v16_load_part(p, n, 0.0f); }
};

// Scores of the cells [begin, end) and `queries` queries from `first` on, not yet times scale. Rows of scores are written
// up to the next multiple of kScoreCells; a query may get scores of cells that it does not see and never reads.
template <int queries, class Rows>
inline void attend_scores(const Queries& all, int64_t first, const Rows& rows, int64_t begin, int64_t end) {
    const int64_t head_dim = all.args.head_dim;
    const float* q[queries];
    for (int i = 0; i < queries; ++i) q[i] = all.q(first + i);
    for (int64_t j = begin; j < end; j += kScoreCells) {
        decltype(rows.at(0)) k[kScoreCells];
        for (int c = 0; c < kScoreCells; ++c) {
            const int64_t cell = j + c < end ? j + c : end - 1;  // the last one again: not used
            k[c] = rows.at(cell);
            rows.fetch_ahead(cell, 0, head_dim);
        }
        V16 sums[queries][kScoreCells];
        for (int i = 0; i < queries; ++i) {
            for (int c = 0; c < kScoreCells; ++c) sums[i][c] = v16_set1(0.0f);
        }
        int64_t d = 0;
        for (; d + 16 <= head_dim; d += 16) {
            V16 keys[kScoreCells];
            for (int c = 0; c < kScoreCells; ++c) keys[c] = Rows::load(k[c] + d);
            for (int i = 0; i < queries; ++i) {
                const V16 query = v16_load(q[i] + d);
                for (int c = 0; c < kScoreCells; ++c) sums[i][c] = v16_add(sums[i][c], v16_mul(keys[c], query));
            }
        }
        if (const int64_t left = head_dim - d; left > 0) {
            V16 keys[kScoreCells];
            for (int c = 0; c < kScoreCells; ++c) keys[c] = Rows::load_part(k[c] + d, left);
            for (int i = 0; i < queries; ++i) {
                const V16 query = v16_load_part(q[i] + d, left, 0.0f);
                for (int c = 0; c < kScoreCells; ++c) sums[i][c] = v16_add(sums[i][c], v16_mul(keys[c], query));
            }
        }
        for (int i = 0; i < queries; ++i) v16_tree4(sums[i], all.scores(first + i) + j);
    }
}

// The same for all cells, with quantised keys.
template <int queries>
inline void attend_code_scores(const Queries& all, int64_t first) {
    const AttendArgs& args = all.args;
    constexpr int64_t kBlocks = kMaxQuantizedHead / kKvBlock;
    const int64_t n_blocks = args.head_dim / kKvBlock;
    alignas(64) int8_t q[queries][kMaxQuantizedHead];
    alignas(64) float q_scale[queries][4 * kBlocks];
    for (int i = 0; i < queries; ++i) {
        for (int64_t b = 0; b < n_blocks; ++b) {
            int32_t sum;
            const float scale =
                1.0f / vec_quantize_i8(all.q(first + i) + b * kKvBlock, kKvBlock, q[i] + b * kKvBlock, &sum);
            for (int c = 0; c < 4; ++c) q_scale[i][4 * b + c] = scale;
        }
    }
    alignas(64) int8_t room[4][kMaxQuantizedHead];
    alignas(64) float k_scale[4 * kBlocks];
    float of_cell[kBlocks];
    const Cells cells = keys_of(args);
    const int64_t n_cells = all.n_cells(first + queries - 1), head_bytes = kv_head_bytes(args.k_type, args.head_dim);
    const int64_t scales_at = head_bytes - 2 * n_blocks;
    for (int64_t j = 0; j < n_cells; j += 4) {
        const int8_t* k[4];
        for (int c = 0; c < 4; ++c) {
            const int64_t cell = j + c < n_cells ? j + c : n_cells - 1;  // the last one again: not used
            const uint8_t* row = cells.at(cell);
            cells.fetch_ahead(cell, 0, head_bytes);
            k[c] = kv_codes(args.k_type, row, args.head_dim, room[c]);
            kv_scales(row + scales_at, n_blocks, of_cell);
            for (int64_t b = 0; b < n_blocks; ++b) k_scale[4 * b + c] = of_cell[b];
        }
        i8_scores4<queries>(k, k_scale, q[0], kMaxQuantizedHead, q_scale[0], 4 * kBlocks, n_blocks,
                            all.scores(first) + j, args.scores_stride);
    }
}

// Adds the cells [begin, end) to the weighted sums of `chunks` times 16 outputs from d on, which begin at +0 with the first
// cell; `left` < 16 limits a last, single chunk.
template <int queries, int chunks, bool partial, class Rows>
inline void add_values(const Queries& all, int64_t first, const Rows& rows, int64_t begin, int64_t end, int64_t d,
                       int64_t left) {
    const auto load_sum = [left](const float* p) { return partial ? v16_load_part(p, left, 0.0f) : v16_load(p); };
    V16 sums[queries][chunks];
    float* out[queries];
    const float* weights[queries];
    for (int i = 0; i < queries; ++i) {
        out[i] = all.out(first + i) + d;
        weights[i] = all.scores(first + i);
        for (int c = 0; c < chunks; ++c) sums[i][c] = begin == 0 ? v16_set1(0.0f) : load_sum(out[i] + 16 * c);
    }
    // Cells that every one of these queries sees, then what only the later ones do.
    const int64_t n_common = all.n_cells(first) < end ? all.n_cells(first) : end;
    int64_t j = begin;
    for (; j < n_common; ++j) {
        const auto* v = rows.at(j) + d;
        rows.fetch_ahead(j, d, partial ? left : chunks * 16);
        V16 values[chunks];
        for (int c = 0; c < chunks; ++c)
            values[c] = partial ? Rows::load_part(v + 16 * c, left) : Rows::load(v + 16 * c);
        for (int i = 0; i < queries; ++i) {
            const V16 weight = v16_set1(weights[i][j]);
            for (int c = 0; c < chunks; ++c) sums[i][c] = v16_add(sums[i][c], v16_mul(weight, values[c]));
        }
    }
    for (int i = 0; i < queries; ++i) {
        for (int c = 0; c < chunks; ++c) {
            if (partial) {
                v16_store_part(out[i] + 16 * c, sums[i][c], left);
            } else {
                v16_store(out[i] + 16 * c, sums[i][c]);
            }
        }
    }
    for (; j < end; ++j) {
        const auto* v = rows.at(j) + d;
        for (int i = 0; i < queries; ++i) {
            if (j >= all.n_cells(first + i)) continue;
            const V16 weight = v16_set1(weights[i][j]);
            for (int c = 0; c < chunks; ++c) {
                const V16 value = partial ? Rows::load_part(v + 16 * c, left) : Rows::load(v + 16 * c);
                const V16 sum = v16_add(load_sum(out[i] + 16 * c), v16_mul(weight, value));
                if (partial) {
                    v16_store_part(out[i] + 16 * c, sum, left);
                } else {
                    v16_store(out[i] + 16 * c, sum);
                }
            }
        }
    }
}

template <int queries, class Rows>
inline void attend_values(const Queries& all, int64_t first, const Rows& rows, int64_t begin, int64_t end) {
    constexpr int kChunks = kValueChunks[queries];
    const int64_t head_dim = all.args.head_dim, most = all.n_cells(first + queries - 1);
    if (end > most) end = most;
    if (begin >= end) return;
    for (int64_t from = begin; from < end; from += Rows::kPiece) {
        const int64_t to = from + Rows::kPiece < end ? from + Rows::kPiece : end;
        int64_t d = 0;
        for (; d + 16 * kChunks <= head_dim; d += 16 * kChunks) {
            add_values<queries, kChunks, false>(all, first, rows, from, to, d, 0);
        }
        for (; d + 16 <= head_dim; d += 16) add_values<queries, 1, false>(all, first, rows, from, to, d, 0);
        if (d < head_dim) add_values<queries, 1, true>(all, first, rows, from, to, d, head_dim - d);
    }
}

// Calls body.operator()<queries>(first) for blocks of kMaxQueries queries and one of what is left.
template <int queries, class Body>
inline void for_rest(int64_t n, int64_t first, const Body& body) {
    if constexpr (queries >= 1) {
        if (n - first == queries) {
            body.template operator()<queries>(first);
        } else {
            for_rest<queries - 1>(n, first, body);
        }
    }
}

template <class Body>
inline void for_query_blocks(int64_t n, const Body& body) {
    int64_t i = 0;
    for (; i + kMaxQueries <= n; i += kMaxQueries) body.template operator()<kMaxQueries>(i);
    for_rest<kMaxQueries - 1>(n, i, body);
}

// Calls body(rows, begin, end) for pieces of the cells as floats; a piece is a multiple of kScoreCells.
template <class Body>
inline void for_float_rows(const Queries& all, const Cells& cells, KvType type, const Body& body) {
    alignas(64) float buffer[kBufferFloats];
    const int64_t head_dim = all.args.head_dim, n_cells = all.most_cells();
    const int64_t piece = kBufferFloats / head_dim / kScoreCells * kScoreCells;
    for (int64_t begin = 0; begin < n_cells; begin += piece) {
        const int64_t end = begin + piece < n_cells ? begin + piece : n_cells;
        for (int64_t j = begin; j < end; ++j) {
            cells.fetch_ahead(j, 0, kv_head_bytes(type, head_dim));
            kv_to_f32(type, cells.at(j), head_dim, buffer + (j - begin) * head_dim);
        }
        body(FloatRows{buffer, begin, head_dim}, begin, end);
    }
}

// exp of the scores in place; the outputs are divided by their sum later, so it is kept behind: the row's factor.
inline float attend_softmax(const Queries& all, int64_t i) {
    float* scores = all.scores(i);
    const int64_t n_cells = all.n_cells(i);
    const V16 scale = v16_set1(all.args.scale);
    // In whole steps of sixteen: the row has room, and what lies behind the last cell is not read again.
    for (int64_t j = 0; j < n_cells; j += 16) v16_store(scores + j, v16_mul(v16_load(scores + j), scale));
    return 1.0f / vec_exp_sum(scores, n_cells);
}

inline void multiply_out(const Queries& all, int64_t i, float factor) {
    vec_scale(all.out(i), factor, all.out(i), all.args.head_dim);
}

// Scores that hold a NaN or +inf, or nothing but -inf, make the output NaN, as in softmax.
inline void vec_attend(const AttendArgs& args) {
    const Queries all{args};
    const int64_t n = all.size(), n_cells = all.most_cells();
    const bool buffer_fits = args.head_dim * kScoreCells <= kBufferFloats;
    const bool shared = n > 2 * kMaxQueries && buffer_fits;  // else converting again costs less than a buffer
    if (args.k_type != KvType::f16) {
        for_query_blocks(n, [&]<int queries>(int64_t first) { attend_code_scores<queries>(all, first); });
    } else if (shared) {
        for_float_rows(all, keys_of(args), args.k_type, [&](const FloatRows& rows, int64_t begin, int64_t end) {
            for_query_blocks(n, [&]<int queries>(int64_t i) { attend_scores<queries>(all, i, rows, begin, end); });
        });
    } else {
        const HalfRows rows{keys_of(args)};
        for_query_blocks(n, [&]<int queries>(int64_t i) { attend_scores<queries>(all, i, rows, 0, n_cells); });
    }
    constexpr int64_t kFactors = 64;  // of the queries whose weighted sums are formed together
    float factors[kFactors];
    for (int64_t from = 0; from < n; from += kFactors) {
        const int64_t count = n - from < kFactors ? n - from : kFactors;
        for (int64_t i = 0; i < count; ++i) factors[i] = attend_softmax(all, from + i);
        if (shared || args.v_type != KvType::f16) {
            for_float_rows(all, values_of(args), args.v_type, [&](const FloatRows& rows, int64_t begin, int64_t end) {
                for_query_blocks(
                    count, [&]<int queries>(int64_t i) { attend_values<queries>(all, from + i, rows, begin, end); });
            });
        } else {
            const HalfRows rows{values_of(args)};
            for_query_blocks(count,
                             [&]<int queries>(int64_t i) { attend_values<queries>(all, from + i, rows, 0, n_cells); });
        }
        for (int64_t i = 0; i < count; ++i) multiply_out(all, from + i, factors[i]);
    }
}

}  // namespace
}  // namespace kern
