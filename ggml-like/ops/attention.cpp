// kv_store: writes the step's keys and values to their cells as F16. attention: for each token and KV head, softmax over
// the cells the token sees, in order of position - wherever the cells lie, so results depend on the sequence alone.
#include "ggml-like/arena.h"
#include "ggml-like/op_table.h"

namespace tg {

void run_kv_store(const OpContext& c) {
    const OpParams& p = c.node.params;
    const ValueId k = c.node.inputs[0], v = c.node.inputs[1];
    const int64_t width = c.graph.value(k).width;
    int64_t begin, end;
    c.share(c.inputs.n_tokens, 1, &begin, &end);
    for (int64_t i = begin; i < end; ++i) {
        const int64_t cell = c.inputs.cells[i];
        c.vec.f32_to_f16(c.row(k, i), p.kv.k + cell * width, width);
        c.vec.f32_to_f16(c.row(v, i), p.kv.v + cell * width, width);
    }
}

void run_attention(const OpContext& c) {
    const OpParams& p = c.node.params;
    const int64_t group = p.n_head / p.n_head_kv;
    kern::AttendArgs args{};
    args.q_stride = p.head_dim;
    args.out_stride = p.head_dim;
    args.cell_stride = int64_t{p.n_head_kv} * p.head_dim;
    args.head_dim = p.head_dim;
    // 1/sqrt in float: head_dim is small, the square root is correctly rounded on every machine.
    args.scale = 1.0f / __builtin_sqrtf(static_cast<float>(p.head_dim));
    args.scores = c.scratch;
    // The unit of work is one query head, so that few tokens still feed many threads; neighbouring heads of a thread
    // that share a KV head go in one call.
    int64_t begin, end;
    c.share(c.inputs.n_tokens * p.n_head, 1, &begin, &end);
    for (int64_t i = begin; i < end;) {
        const int64_t token = i / p.n_head, head = i % p.n_head, kv_head = head / group;
        int64_t n_q = (kv_head + 1) * group - head;
        if (n_q > end - i) n_q = end - i;
        args.n_cells = c.inputs.n_visible[token];
        args.scores_stride = (args.n_cells + 15) / 16 * 16;
        if (n_q > c.scratch_floats / args.scores_stride) n_q = c.scratch_floats / args.scores_stride;
        args.n_q = n_q;
        args.cells = c.inputs.visible[token];
        args.q = c.row(c.node.inputs[0], token) + head * p.head_dim;
        args.k = p.kv.k + kv_head * p.head_dim;
        args.v = p.kv.v + kv_head * p.head_dim;
        args.out = c.row(c.node.output, token) + head * p.head_dim;
        c.vec.attend(args);
        i += n_q;
    }
}

}  // namespace tg
