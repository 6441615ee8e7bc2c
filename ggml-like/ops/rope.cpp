// rope_table: cosine and sine of every rotated pair for each token of the step, shared by all heads and layers.
// rope: turns the heads of a row in place.
#include "ggml-like/op_table.h"

namespace tg {

void run_rope_table(const OpContext& c) {
    const RopeParams& rope = c.node.params.rope;
    int64_t begin, end;
    c.share(c.inputs.n_tokens, 1, &begin, &end);
    for (int64_t t = begin; t < end; ++t) {
        float* out = c.row(c.node.output, t);
        for (int32_t i = 0; i < rope.n_dims / 2; ++i) {
            const double factor = (rope.freq_factors != nullptr ? double{rope.freq_factors[i]} : 1.0) / rope.freq_scale;
            kern::rope_angle(c.inputs.positions[t], i, rope.n_dims, rope.freq_base, factor, &out[2 * i], &out[2 * i + 1]);
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
