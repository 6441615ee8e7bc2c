#include "ggml-like/node_work.h"

#include <algorithm>

namespace tg {
namespace {

constexpr int64_t kElementwise = 8;  // what a value costs in multiplications of a matrix, roughly
constexpr int64_t kAngle = 1024;     // sine and cosine to 75 bits

struct Work {
    int64_t multiplications;
    int64_t most_pieces;  // more would be empty
};

Work work_of(const Graph& graph, const Node& node, const RunInputs& inputs) noexcept {
    const ValueId id = node.output != kNoValue ? node.output : node.inputs[0];
    const Value& value = graph.value(id);
    const int64_t rows = value.rows == Rows::tokens ? inputs.n_tokens : inputs.n_outputs;
    if (node.op == OpKind::mul_mat) {
        const Weight& w = *node.params.weight;
        return {w.n_rows * w.k * rows, (w.n_rows + w.kernel->row_tile - 1) / w.kernel->row_tile};
    }
    if (node.op == OpKind::attention) {
        int64_t cells = 0;
        for (int64_t i = 0; i < inputs.n_tokens; ++i) cells += inputs.n_visible[i];
        return {cells * node.params.n_head * node.params.head_dim * 2, rows * node.params.n_head};
    }
    if (node.op == OpKind::lora_up || node.op == OpKind::lora_down) {
        const int64_t inner = graph.value(node.inputs[node.op == OpKind::lora_up ? 1 : 0]).width;
        return {rows * value.width * inner,
                node.op == OpKind::lora_up ? value.width / 16 + 1 : rows * value.width / 4 + 1};
    }
    return {rows * value.width * (node.op == OpKind::rope_table ? kAngle : kElementwise), rows};
}

}  // namespace

int64_t piece_count(const Graph& graph, const Node& node, const RunInputs& inputs, int n_threads) noexcept {
    const Work work = work_of(graph, node, inputs);
    const int64_t wanted = work.multiplications / (kPieceWork * n_threads) + 1;
    return std::clamp<int64_t>(work.most_pieces / n_threads, 1, wanted);
}

}  // namespace tg
