// rope_table: cosine and sine of every rotated pair for each token of the step, shared by all heads and layers.
// rope: turns the heads of a row in place.
#include "ggml-like/op_table.h"

namespace tg {

void run_rope_table(const OpContext& c) {
    const int64_t n_pairs = c.graph.value(c.node.output).width / 2;
    int64_t begin, end;
    c.share(c.inputs.n_tokens, 1, &begin, &end);
    for (int64_t t = begin; t < end; ++t) {
        float* out = c.row(c.node.output, t);
        for (int64_t i = 0; i < n_pairs; ++i) {
            kern::rope_angle(c.inputs.positions[t], c.node.params.frequencies[i], &out[2 * i], &out[2 * i + 1]);
        }
    }
}

void run_rope(const OpContext& c) {
    const OpParams& p = c.node.params;
    const auto turn = p.rope.halves ? c.vec.rope_halves : c.vec.rope_pairs;
    int64_t begin, end;
    c.share(c.inputs.n_tokens, 1, &begin, &end);
    for (int64_t token = begin; token < end; ++token) {
        float* heads = c.row(c.node.output, token);
        for (int32_t head = 0; head < p.n_head; ++head) {
            turn(heads + head * p.head_dim, c.row(c.node.inputs[1], token), p.rope.n_dims);
        }
    }
}

}  // namespace tg
