// rms_norm: one row is one sum, so a row belongs to one thread.
#include "ggml-like/op_table.h"

namespace tg {

void run_rms_norm(const OpContext& c) {
    const ValueId x = c.node.inputs[0];
    const int64_t width = c.graph.value(x).width;
    int64_t begin, end;
    c.share(c.rows(x), 1, &begin, &end);
    for (int64_t i = begin; i < end; ++i) {
        c.vec.rms_norm(c.row(x, i), c.node.params.norm_weight, c.node.params.eps, width, c.row(c.node.output, i));
    }
}

}  // namespace tg
