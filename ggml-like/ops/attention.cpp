// kv_store: writes the step's keys and values to their cells, in the cache's types. attention: for each token and KV head,
// softmax over the cells the token sees (with a sliding window: the last ones), in order of position - wherever the cells
// lie, so results depend on the sequence alone.
#include <algorithm>

#include "ggml-like/arena.h"
#include "ggml-like/op_table.h"

namespace tg {
namespace {

// Tokens of a prompt that go through the cells of a KV head together.
constexpr int64_t kTileTokens = 8;

struct HeadAttention {
    const OpContext& c;
    const OpParams& p;
    kern::AttendArgs args{};

    explicit HeadAttention(const OpContext& context) : c(context), p(context.node.params) {
        args.head_dim = p.head_dim;
        args.q_stride = args.out_stride = p.head_dim;
        args.q_token_stride = args.out_token_stride = int64_t{p.n_head} * p.head_dim;
        args.k_type = p.kv.k_type;
        args.v_type = p.kv.v_type;
        args.k_stride = kern::kv_head_bytes(args.k_type, p.head_dim);
        args.v_stride = kern::kv_head_bytes(args.v_type, p.head_dim);
        // 1/sqrt in float: head_dim is small, the square root is correctly rounded on every machine.
        args.scale = 1.0f / __builtin_sqrtf(static_cast<float>(p.head_dim));
        args.scores = c.scratch;
    }

    int64_t group() const { return p.n_head / p.n_head_kv; }
    int64_t n_outside(int64_t token) const {
        return p.windowed && c.inputs.n_outside != nullptr ? c.inputs.n_outside[token] : 0;
    }
    const int32_t* cells(int64_t token) const { return c.inputs.visible[token] + n_outside(token); }
    int64_t n_cells(int64_t token) const { return c.inputs.n_visible[token] - n_outside(token); }
    // The token goes on where the one before it ends: it sees the same cells and one more.
    bool follows(int64_t token) const {
        return cells(token) == cells(token - 1) && n_cells(token) == n_cells(token - 1) + 1;
    }

    // Heads [head, head + n_q) of one KV head at n_tokens tokens from `token` on. Scores fit the scratch memory.
    void run(int64_t token, int64_t n_tokens, int64_t head, int64_t n_q) {
        const int64_t kv_head = head / group();
        args.n_q = n_q;
        args.n_tokens = n_tokens;
        args.cells = cells(token);
        args.n_cells = n_cells(token);
        args.scores_stride = row_floats(token + n_tokens - 1);
        args.q = c.row(c.node.inputs[0], token) + head * p.head_dim;
        args.k = p.kv.k + kv_head * p.kv.n_cells * args.k_stride;
        args.v = p.kv.v + kv_head * p.kv.n_cells * args.v_stride;
        args.out = c.row(c.node.output, token) + head * p.head_dim;
        c.vec.attend(args);
    }

    int64_t row_floats(int64_t token) const { return (n_cells(token) + 15) / 16 * 16; }
    int64_t rows_that_fit(int64_t token) const { return std::max<int64_t>(1, c.scratch_floats / row_floats(token)); }

    // Few tokens: the unit of work is one query head, so that they still feed many threads; neighbouring heads of a thread
    // that share a KV head go in one call.
    void run_heads() {
        int64_t begin, end;
        c.share(c.inputs.n_tokens * p.n_head, 1, &begin, &end);
        for (int64_t i = begin; i < end;) {
            const int64_t token = i / p.n_head, head = i % p.n_head;
            const int64_t n_q = std::min({group() - head % group(), end - i, rows_that_fit(token)});
            run(token, 1, head, n_q);
            i += n_q;
        }
    }

    // All heads of a KV head at the tokens [begin, end): as many tokens at once as go on from each other and fit.
    void run_tile(int64_t begin, int64_t end, int64_t kv_head) {
        const int64_t head = kv_head * group();
        for (int64_t token = begin; token < end;) {
            int64_t n = 1;
            while (token + n < end && follows(token + n) && (n + 1) * group() <= rows_that_fit(token + n)) ++n;
            if (group() <= rows_that_fit(token)) {
                run(token, n, head, group());
            } else {
                for (int64_t i = 0; i < group(); ++i) run(token, 1, head + i, 1);
            }
            token += n;
        }
    }

    int64_t tile_work(int64_t tile) const {
        int64_t work = 0;
        const int64_t end = std::min((tile + 1) * kTileTokens, c.inputs.n_tokens);
        for (int64_t token = tile * kTileTokens; token < end; ++token) work += n_cells(token);
        return work;
    }

    // Many tokens: tiles of them, the KV heads one after the other. A later token sees more cells, so threads share the
    // cells, not the tiles: a tile belongs to the thread in whose share of all cells it begins.
    void run_tiles() {
        const int64_t n_tiles = (c.inputs.n_tokens + kTileTokens - 1) / kTileTokens;
        int64_t of_head = 0;
        for (int64_t tile = 0; tile < n_tiles; ++tile) of_head += tile_work(tile);
        const int64_t all = of_head * p.n_head_kv;
        // all * thread / n_threads in numbers that stay small: 32-bit processors have no 128-bit integers.
        const auto bound = [&](int64_t thread) {
            return all / c.n_threads * thread + all % c.n_threads * thread / c.n_threads;
        };
        const int64_t first = bound(c.thread), last = bound(c.thread + 1);
        for (int64_t kv_head = first / std::max<int64_t>(of_head, 1); kv_head < p.n_head_kv; ++kv_head) {
            int64_t at = kv_head * of_head;
            for (int64_t tile = 0; tile < n_tiles && at < last; ++tile) {
                if (at >= first) {
                    run_tile(tile * kTileTokens, std::min((tile + 1) * kTileTokens, c.inputs.n_tokens), kv_head);
                }
                at += tile_work(tile);
            }
        }
    }
};

}  // namespace

void run_kv_store(const OpContext& c) {
    const OpParams& p = c.node.params;
    const ValueId k = c.node.inputs[0], v = c.node.inputs[1];
    const int64_t n_heads = c.graph.value(k).width / p.head_dim;
    const int64_t k_bytes = kern::kv_head_bytes(p.kv.k_type, p.head_dim);
    const int64_t v_bytes = kern::kv_head_bytes(p.kv.v_type, p.head_dim);
    int64_t begin, end;
    c.share(c.inputs.n_tokens, 1, &begin, &end);
    for (int64_t i = begin; i < end; ++i) {
        for (int64_t h = 0; h < n_heads; ++h) {
            const int64_t place = h * p.kv.n_cells + c.inputs.cells[i];
            c.vec.f32_to_kv(p.kv.k_type, c.row(k, i) + h * p.head_dim, p.head_dim, p.kv.k + place * k_bytes);
            c.vec.f32_to_kv(p.kv.v_type, c.row(v, i) + h * p.head_dim, p.head_dim, p.kv.v + place * v_bytes);
        }
    }
}

void run_attention(const OpContext& c) {
    HeadAttention attention(c);
    const OpParams& p = c.node.params;
    const int64_t n_tiles = c.inputs.n_tokens / kTileTokens * p.n_head_kv;
    if (n_tiles >= 4 * c.n_threads) {
        attention.run_tiles();
    } else {
        attention.run_heads();
    }
}

}  // namespace tg
