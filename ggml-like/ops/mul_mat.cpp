// mul_mat: each thread computes its own output rows (features) for all tokens. pack_acts: turns floats into the
// activation format the kernel reads, once for all matrices that share the input.
#include <algorithm>

#include "ggml-like/op_table.h"

namespace tg {

void run_pack_acts(const OpContext& c) {
    const ValueId x = c.node.inputs[0];
    const Value& in = c.graph.value(x);
    const kern::ActFormat& format = *c.graph.value(c.node.output).format;
    const int64_t n = c.rows(x);
    int64_t begin, end;
    c.share(n, format.col_tile, &begin, &end);
    if (begin < end) format.pack(c.row(x, 0), in.width, in.width, n, begin, end, c.bytes(c.node.output));
}

void run_mul_mat(const OpContext& c) {
    const Weight& w = *c.node.params.weight;
    const ValueId x = c.node.inputs[0];
    const int64_t n = c.rows(x);
    int64_t begin, end;
    c.share(w.n_rows, w.kernel->row_tile, &begin, &end);
    if (n == 0 || begin >= end) return;
    kern::MulMatArgs args{};
    args.weights = w.data;
    args.weight_scale = w.tensor_scale;
    args.acts = c.bytes(x);
    args.act_stride = c.graph.value(x).width;
    args.out = c.row(c.node.output, 0);
    args.out_stride = w.n_rows;
    args.k = w.padded_k();
    args.n_rows = w.n_rows;
    args.n_cols = n;
    args.row_begin = begin;
    args.row_end = end;
    w.kernel->run(args);
    if (w.row_scales != nullptr) {
        for (int64_t i = 0; i < n; ++i) {
            float* out = args.out + i * args.out_stride;
            for (int64_t row = begin; row < end; ++row) out[row] *= w.row_scales[row];
        }
    }
    if (w.out_scale != 1.0f) {
        for (int64_t i = 0; i < n; ++i) {
            float* out = args.out + i * args.out_stride + begin;
            c.vec.scale(out, w.out_scale, out, end - begin);
        }
    }
}

}  // namespace tg
