// The patterns are a table: the operations in a row, whether the values that go between them allow it, and the launch. A step of
// a layer with ternary weights is eleven launches in place of twenty-three.
#include "ggml-like/gpu/launch_fusion.h"

#include <algorithm>

namespace tg {
namespace {

constexpr size_t kMostNodes = 3;
using kern::gpu::GateOp;

// Nothing but the node right behind it reads the value, nor the caller: it need not be written.
bool goes_between(const Graph& graph, ValueId id) {
    return graph.value(id).n_readers == 1 && graph.value(id).home != Home::external;
}

bool same_matrices(const Node& a, const Node& b) {
    return a.inputs[0] == b.inputs[0] && a.params.weight->type == b.params.weight->type &&
           a.params.weight->padded_k() == b.params.weight->padded_k();
}

bool fits_norm_pack(const Graph&, const Node* nodes) {
    return nodes[1].inputs[0] == nodes[0].output && nodes[0].params.head_dim == 0;
}

void launch_norm_pack(const GpuStep& s) {
    const Node* const nodes = &s.node;
    gpu_norm_pack(s.stream, s.floats(s.in(0)), s.weights.find_floats(s.params().norm_weight), s.params().eps,
                  s.width(s.in(0)), s.rows(s.in(0)),
                  goes_between(s.graph, s.node.output) ? nullptr : s.floats(s.node.output), s.values[nodes[1].output]);
}

// The node behind the first adds its output, which nobody else reads, to another row. A sum of two numbers is the same bits both
// ways round.
bool fits_sum(const Graph& graph, const Node* nodes) {
    const ValueId first = nodes[0].output;
    return (nodes[1].inputs[0] == first) != (nodes[1].inputs[1] == first) && goes_between(graph, first);
}

const float* other_row(const GpuStep& s) {
    const Node& add = (&s.node)[1];
    return s.floats(add.inputs[0] == s.node.output ? add.inputs[1] : add.inputs[0]);
}

bool fits_added_norm(const Graph& graph, const Node* nodes) {
    return nodes[0].params.head_dim == 0 && fits_sum(graph, nodes);
}

void launch_added_norm(const GpuStep& s) {
    const int64_t width = s.width(s.in(0));
    gpu_rms_norm(s.stream, s.floats(s.in(0)), s.weights.find_floats(s.params().norm_weight), s.params().eps,
                 s.rows(s.in(0)), width, width, s.floats((&s.node)[1].output), other_row(s));
}

void launch_added_product(const GpuStep& s) {
    gpu_mul_mat(s.stream, on_gpu(*s.params().weight), s.values[s.in(0)], s.width(s.in(0)), s.rows(s.in(0)),
                s.floats((&s.node)[1].output), {0, 1.0f, other_row(s)});
}

template <int n>
bool fits_products(const Graph&, const Node* nodes) {
    return std::all_of(nodes + 1, nodes + n, [&](const Node& node) { return same_matrices(nodes[0], node); });
}

template <int n>
void launch_products(const GpuStep& s) {
    GpuProduct products[n];
    for (int i = 0; i < n; ++i) {
        const Node& node = (&s.node)[i];
        products[i] = {&on_gpu(*node.params.weight), s.floats(node.output)};
    }
    gpu_mul_mats(s.stream, products, s.values[s.in(0)], s.width(s.in(0)), s.rows(s.in(0)));
}

bool fits_gated(const Graph& graph, const Node* nodes) {
    return nodes[0].params.weight->type == kern::QuantType::i2_s && same_matrices(nodes[0], nodes[1]) &&
           nodes[0].params.weight->n_rows == nodes[1].params.weight->n_rows && nodes[2].inputs[0] == nodes[0].output &&
           nodes[2].inputs[1] == nodes[1].output && goes_between(graph, nodes[0].output) &&
           goes_between(graph, nodes[1].output);
}

bool has_few_columns(const GpuStep& s) { return s.rows(s.in(0)) <= kMostGatedColumns; }

template <GateOp op>
void launch_gated(const GpuStep& s) {
    const Node* const nodes = &s.node;
    gpu_gated_mul_mat(s.stream, on_gpu(*nodes[0].params.weight), on_gpu(*nodes[1].params.weight), op, s.values[s.in(0)],
                      s.rows(s.in(0)), s.floats(nodes[2].output));
}

// The rotated keys are read by the cache's rows alone, so memory keeps them as they were.
bool fits_rope_store(const Graph& graph, const Node* nodes) {
    const Node &q = nodes[0], &k = nodes[1], &store = nodes[2];
    constexpr int kReaders = 2;  // the rotation, which is in place, and the cache
    return q.inputs[1] == k.inputs[1] && q.params.rope.n_dims == k.params.rope.n_dims &&
           q.params.rope.halves == k.params.rope.halves && q.params.head_dim == k.params.head_dim &&
           q.output != k.output && store.inputs[0] == k.output && store.inputs[1] != k.output &&
           store.inputs[1] != q.output && store.params.head_dim == q.params.head_dim &&
           graph.value(k.output).n_readers <= kReaders && graph.value(k.output).home != Home::external;
}

void launch_rope_store(const GpuStep& s) {
    const Node &q = s.node, &k = (&s.node)[1], &store = (&s.node)[2];
    GpuRopeStore work;
    work.q = s.floats(q.output);
    work.k = s.floats(k.output);
    work.v = s.floats(store.inputs[1]);
    work.table = s.floats(q.inputs[1]);
    work.n_head = q.params.n_head;
    work.n_head_kv = k.params.n_head;
    work.head_dim = q.params.head_dim;
    work.n_dims = q.params.rope.n_dims;
    work.halves = q.params.rope.halves;
    gpu_rope_store(s.stream, store.params.kv, work, s.numbers + s.gathered.places().cells, s.inputs.n_tokens);
}

struct Pattern {
    size_t n_nodes;
    OpKind ops[kMostNodes];
    bool (*fits)(const Graph& graph, const Node* nodes);
    bool (*serves)(const GpuStep& step);  // this step's rows; null: any
    void (*launch)(const GpuStep& step);
};

// The first that matches is taken.
constexpr Pattern kPatterns[] = {
    {3, {OpKind::rope, OpKind::rope, OpKind::kv_store}, fits_rope_store, nullptr, launch_rope_store},
    {3,
     {OpKind::mul_mat, OpKind::mul_mat, OpKind::relu2_mul},
     fits_gated,
     has_few_columns,
     launch_gated<GateOp::relu2>},
    {3, {OpKind::mul_mat, OpKind::mul_mat, OpKind::silu_mul}, fits_gated, has_few_columns, launch_gated<GateOp::silu>},
    {3, {OpKind::mul_mat, OpKind::mul_mat, OpKind::gelu_mul}, fits_gated, has_few_columns, launch_gated<GateOp::gelu>},
    {3, {OpKind::mul_mat, OpKind::mul_mat, OpKind::mul_mat}, fits_products<3>, nullptr, launch_products<3>},
    {2, {OpKind::mul_mat, OpKind::mul_mat}, fits_products<2>, nullptr, launch_products<2>},
    {2, {OpKind::mul_mat, OpKind::add}, fits_sum, nullptr, launch_added_product},
    {2, {OpKind::rms_norm, OpKind::add}, fits_added_norm, nullptr, launch_added_norm},
    {2, {OpKind::rms_norm, OpKind::pack_acts}, fits_norm_pack, nullptr, launch_norm_pack},
};
static_assert(kern::gpu::kMatParts >= 3, "as many products as a launch takes");

bool matches(const Pattern& pattern, const Graph& graph, const Node* nodes, size_t n_nodes) {
    if (n_nodes < pattern.n_nodes) return false;
    for (size_t i = 0; i < pattern.n_nodes; ++i) {
        if (nodes[i].op != pattern.ops[i]) return false;
    }
    return pattern.fits(graph, nodes);
}

}  // namespace

std::vector<uint8_t> nodes_launched_together(const Graph& graph) {
    const std::vector<Node>& nodes = graph.nodes();
    std::vector<uint8_t> together(nodes.size(), 1);
    for (size_t i = 0; i < nodes.size();) {
        const auto pattern = std::find_if(std::begin(kPatterns), std::end(kPatterns), [&](const Pattern& p) {
            return matches(p, graph, &nodes[i], nodes.size() - i);
        });
        const size_t n = pattern != std::end(kPatterns) ? pattern->n_nodes : 1;
        // A step for whose rows the pattern does not serve may do with fewer of them.
        for (size_t k = 0; k < n; ++k) together[i + k] = static_cast<uint8_t>(n - k);
        i += n;
    }
    return together;
}

size_t launch_together(const GpuStep& step, size_t most) {
    for (const Pattern& pattern : kPatterns) {
        if (!matches(pattern, step.graph, &step.node, most)) continue;
        if (pattern.serves != nullptr && !pattern.serves(step)) continue;
        pattern.launch(step);
        return pattern.n_nodes;
    }
    return 0;
}

}  // namespace tg
