// rms_norm: one row, or one head of it, is one sum; a row belongs to one thread.
#include "ggml-like/op_table.h"

namespace tg {

void run_rms_norm(const OpContext& c) {
    const ValueId x = c.node.inputs[0];
    const int64_t width = c.graph.value(x).width;
    const int64_t part = c.node.params.head_dim != 0 ? c.node.params.head_dim : width;
    int64_t begin, end;
    c.share(c.rows(x), 1, &begin, &end);
    for (int64_t i = begin; i < end; ++i) {
        for (int64_t at = 0; at < width; at += part) {
            c.vec.rms_norm(c.row(x, i) + at, c.node.params.norm_weight, c.node.params.eps, part, c.row(c.node.output, i) + at);
        }
    }
}

}  // namespace tg
