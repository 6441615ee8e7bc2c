// Attention of a few queries over the cells of one KV head, on top of vec_generic.h: scores, softmax, weighted sum of
// the values. Queries share each load and conversion of K and V; how they are blocked, and how the cells are, never
// changes a result, because every score is its own sum and every output adds its cells one by one in their order.
//
//   score[j] = dot(k[j], q) * scale
//   e[j]     = exp(score[j] - max)
//   out[d]   = (sum over j of e[j] * v[j][d]) * (1 / sum of e)
//
// Where more than kFewQueries queries, or quantised values, read the same cells, a few cells at a time become floats in a
// buffer that stays in the first cache. Quantised keys become tiles there, sixteen cells at a time.
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

// The lane sums of `cells` cells and `queries` queries: as many as there are registers for.
template <int queries, int cells, class Rows, class Key>
inline void score_cells(const float* const* q, const Key* k, int64_t head_dim, V16* out) {
    V16 sums[queries][cells];
    for (int i = 0; i < queries; ++i) {
        for (int c = 0; c < cells; ++c) sums[i][c] = v16_set1(0.0f);
    }
    int64_t d = 0;
    for (; d + 16 <= head_dim; d += 16) {
        V16 keys[cells];
        for (int c = 0; c < cells; ++c) keys[c] = Rows::load(k[c] + d);
        for (int i = 0; i < queries; ++i) {
            const V16 query = v16_load(q[i] + d);
            for (int c = 0; c < cells; ++c) sums[i][c] = v16_add(sums[i][c], v16_mul(keys[c], query));
        }
    }
    if (const int64_t left = head_dim - d; left > 0) {
        V16 keys[cells];
        for (int c = 0; c < cells; ++c) keys[c] = Rows::load_part(k[c] + d, left);
        for (int i = 0; i < queries; ++i) {
            const V16 query = v16_load_part(q[i] + d, left, 0.0f);
            for (int c = 0; c < cells; ++c) sums[i][c] = v16_add(sums[i][c], v16_mul(keys[c], query));
        }
    }
    for (int i = 0; i < queries; ++i) {
        for (int c = 0; c < cells; ++c) out[i * kScoreCells + c] = sums[i][c];
    }
}

// Scores of the cells [begin, end) and `queries` queries from `first` on, not yet times scale. Rows of scores are written
// up to the next multiple of kScoreCells; a query may get scores of cells that it does not see and never reads.
template <int queries, class Rows>
inline void attend_scores(const Queries& all, int64_t first, const Rows& rows, int64_t begin, int64_t end) {
    const int64_t head_dim = all.args.head_dim;
    const float* q[queries];
    for (int i = 0; i < queries; ++i) q[i] = all.q(first + i);
    constexpr int cells = kCellsAtOnce[queries];
    for (int64_t j = begin; j < end; j += kScoreCells) {
        decltype(rows.at(0)) k[kScoreCells];
        for (int c = 0; c < kScoreCells; ++c) {
            const int64_t cell = j + c < end ? j + c : end - 1;  // the last one again: not used
            k[c] = rows.at(cell);
            rows.fetch_ahead(cell, 0, head_dim);
        }
        V16 sums[queries][kScoreCells];
        for (int at = 0; at < kScoreCells; at += cells)
            score_cells<queries, cells, Rows>(q, k + at, head_dim, &sums[0][at]);
        for (int i = 0; i < queries; ++i) v16_tree4(sums[i], all.scores(first + i) + j);
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

// Sixteen quantised keys as a tile, in which lanes are cells: no sum crosses lanes, and however many queries read it, the
// cells are turned once. The cache keeps rows: cells may lie anywhere, and states and devices want them one by one.
struct KeyTile {
    static constexpr int64_t kCells = 16;
    static constexpr int64_t kBlocks = kMaxQuantizedHead / kKvBlock;
    alignas(64) int8_t codes[kCells * kMaxQuantizedHead];
    alignas(64) float scales[kCells * kBlocks];

    void fill(const Cells& keys, KvType type, int64_t head_dim, int64_t begin, int64_t n_cells) {
        const int64_t n_blocks = head_dim / kKvBlock, head_bytes = kv_head_bytes(type, head_dim);
        const int64_t scales_at = head_bytes - 2 * n_blocks, block_bytes = scales_at / n_blocks;
        const uint8_t* rows[kCells];
        float of_cell[kBlocks] = {};
        for (int64_t c = 0; c < kCells; ++c) {
            const int64_t cell = begin + c < n_cells ? begin + c : n_cells - 1;  // the last one again: not used
            rows[c] = keys.at(cell);
            keys.fetch_ahead(cell, 0, head_bytes);
            kv_scales(rows[c] + scales_at, n_blocks, of_cell);
            for (int64_t b = 0; b < n_blocks; ++b) scales[kCells * b + c] = of_cell[b];
        }
        alignas(64) int8_t room[kCells][kKvBlock];
        const int8_t* k[kCells];
        for (int64_t b = 0; b < n_blocks; ++b) {
            for (int64_t c = 0; c < kCells; ++c) k[c] = kv_codes(type, rows[c] + b * block_bytes, kKvBlock, room[c]);
            i8_tile_block(k, codes + b * kCells * kKvBlock);
        }
    }
};

// Scores of all cells with quantised keys, not yet times scale; rows of scores are written up to the next multiple of 16.
inline void attend_code_scores(const Queries& all) {
    constexpr int64_t kCodes = 8192;  // of the queries that go through the cells together
    const int64_t head_dim = all.args.head_dim, n_blocks = head_dim / kKvBlock, at_once = kCodes / head_dim;
    alignas(64) int8_t codes[kCodes];
    alignas(64) float scales[kCodes / kKvBlock];
    int32_t sums[kCodes / kKvBlock];
    KeyTile tile;
    const Cells keys = keys_of(all.args);
    for (int64_t from = 0; from < all.size(); from += at_once) {
        const int64_t count = all.size() - from < at_once ? all.size() - from : at_once;
        for (int64_t i = 0, b = 0; i < count; ++i) {
            for (const float* q = all.q(from + i); q < all.q(from + i) + head_dim; q += kKvBlock, ++b) {
                scales[b] = 1.0f / vec_quantize_i8(q, kKvBlock, codes + b * kKvBlock, sums + b);
            }
        }
        const I8Queries queries{codes, scales, sums, head_dim, n_blocks};
        const int64_t n_cells = all.n_cells(from + count - 1);
        for (int64_t begin = 0; begin < n_cells; begin += KeyTile::kCells) {
            tile.fill(keys, all.args.k_type, head_dim, begin, n_cells);
            for_query_blocks(count, [&]<int n>(int64_t i) {
                i8_tile_scores<n>(tile.codes, tile.scales, queries.from(i), n_blocks, all.scores(from + i) + begin,
                                  all.args.scores_stride);
            });
        }
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
    const bool shared = n > kFewQueries && buffer_fits;
    if (args.k_type != KvType::f16) {
        attend_code_scores(all);
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
