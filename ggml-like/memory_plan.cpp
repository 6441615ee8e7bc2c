#include "ggml-like/memory_plan.h"

#include <algorithm>
#include <limits>

#include "ggml-like/arena.h"
#include "ggml-like/op_table.h"
#include "ggml-like/tensor_error.h"

namespace tg {
namespace {

struct Lifetime {
    int first = std::numeric_limits<int>::max();  // node that writes it
    int last = -1;                                // last node that touches it
};

size_t value_bytes(const Value& value, int64_t max_rows) {
    constexpr int64_t kMax = int64_t{1} << 46;  // far above any machine, far below overflow of sums
    if (value.width > kMax / 4 / std::max<int64_t>(max_rows, 1)) {
        throw Error(ErrorKind::out_of_memory, "value '" + value.name + "' is too large; choose a smaller n_ubatch");
    }
    if (value.type == ValueType::packed) return align_up(value.format->bytes(value.width, max_rows));
    return align_up(static_cast<size_t>(value.width * max_rows) * sizeof(float));
}

// Nodes that run together are one moment: the first one's.
std::vector<int> moments_of(int n_nodes, const std::vector<uint8_t>& together) {
    std::vector<int> moments(static_cast<size_t>(n_nodes));
    for (int i = 0; i < n_nodes; ++i) moments[static_cast<size_t>(i)] = i;
    for (int i = 0; i < static_cast<int>(together.size()); i += std::max<int>(together[static_cast<size_t>(i)], 1)) {
        for (int k = 1; k < together[static_cast<size_t>(i)]; ++k) moments[static_cast<size_t>(i + k)] = i;
    }
    return moments;
}

// What a node touches: up to two inputs read, one output written (rope writes its input in place).
bool writes_over(const Node& node, ValueId other, const MemoryPlan& plan, const Graph& graph) {
    if (node.output == kNoValue || other == kNoValue) return false;
    if (node.output == other) return true;
    if (graph.value(node.output).home == Home::external || graph.value(other).home == Home::external) return false;
    const size_t a = plan.offsets[static_cast<size_t>(node.output)], b = plan.offsets[static_cast<size_t>(other)];
    return a < b + plan.bytes[static_cast<size_t>(other)] && b < a + plan.bytes[static_cast<size_t>(node.output)];
}

bool row_local(const Node& node, const Graph& graph) {
    if (node.op == OpKind::pack_acts && graph.value(node.output).format->col_tile != 1) return false;
    return op_row(node.op).row_local;
}

Rows rows_of(const Node& node, const Graph& graph) {
    return graph.value(node.output != kNoValue ? node.output : node.inputs[0]).rows;
}

bool conflict(const Node& earlier, const Node& later, const MemoryPlan& plan, const Graph& graph) {
    // The KV cache is no value: stores and attention of the same layer always meet.
    if (earlier.op == OpKind::kv_store && later.op == OpKind::attention) return true;
    // A thread that goes on with the rows it made itself waits for nobody; memory that merely overlaps is not that case.
    const bool own_rows = same_rows(graph, earlier, later);
    auto clash = [&](const Node& writer, ValueId touched) {
        return writes_over(writer, touched, plan, graph) && !(own_rows && writer.output == touched);
    };
    for (const ValueId input : later.inputs) {
        if (clash(earlier, input)) return true;  // read after write
    }
    for (const ValueId input : earlier.inputs) {
        if (clash(later, input)) return true;  // write after read
    }
    return clash(later, earlier.output);  // write after write
}

}  // namespace

bool same_rows(const Graph& graph, const Node& earlier, const Node& later) {
    return row_local(earlier, graph) && row_local(later, graph) && rows_of(earlier, graph) == rows_of(later, graph);
}

MemoryPlan plan_memory(const Graph& graph, int64_t max_rows, std::vector<uint8_t> together) {
    const size_t n_values = graph.values().size();
    MemoryPlan plan;
    plan.offsets.assign(n_values, 0);
    plan.bytes.assign(n_values, 0);
    std::vector<Lifetime> lives(n_values);
    const int n_nodes = static_cast<int>(graph.nodes().size());
    const std::vector<int> moments = moments_of(n_nodes, together);
    plan.together = std::move(together);
    for (int i = 0; i < n_nodes; ++i) {
        const Node& node = graph.nodes()[static_cast<size_t>(i)];
        const int moment = moments[static_cast<size_t>(i)];
        auto touch = [&](ValueId id) {
            if (id == kNoValue) return;
            Lifetime& life = lives[static_cast<size_t>(id)];
            life.first = std::min(life.first, moment);
            life.last = std::max(life.last, moment);
        };
        touch(node.output);
        touch(node.inputs[0]);
        touch(node.inputs[1]);
    }

    // Largest first, each at the lowest offset free during its whole life: simple, and within a few percent of best.
    std::vector<ValueId> order;
    for (size_t v = 0; v < n_values; ++v) {
        if (graph.values()[v].home == Home::external) continue;
        plan.bytes[v] = value_bytes(graph.values()[v], max_rows);
        order.push_back(static_cast<ValueId>(v));
    }
    std::stable_sort(order.begin(), order.end(), [&](ValueId a, ValueId b) {
        return plan.bytes[static_cast<size_t>(a)] > plan.bytes[static_cast<size_t>(b)];
    });
    std::vector<ValueId> placed;
    for (const ValueId id : order) {
        const size_t v = static_cast<size_t>(id);
        std::vector<std::pair<size_t, size_t>> taken;  // (begin, end) of values alive at the same time
        for (const ValueId other_id : placed) {
            const size_t other = static_cast<size_t>(other_id);
            if (lives[other].first <= lives[v].last && lives[v].first <= lives[other].last) {
                taken.emplace_back(plan.offsets[other], plan.offsets[other] + plan.bytes[other]);
            }
        }
        std::sort(taken.begin(), taken.end());
        size_t offset = 0;
        for (const auto& [begin, end] : taken) {
            if (offset + plan.bytes[v] <= begin) break;
            offset = std::max(offset, end);
        }
        plan.offsets[v] = offset;
        plan.arena_bytes = std::max(plan.arena_bytes, offset + plan.bytes[v]);
        placed.push_back(id);
    }

    plan.barrier_before.assign(static_cast<size_t>(n_nodes), 0);
    int since = 0;  // first node after the last meeting
    for (int i = 1; i < n_nodes; ++i) {
        for (int j = since; j < i; ++j) {
            if (conflict(graph.nodes()[static_cast<size_t>(j)], graph.nodes()[static_cast<size_t>(i)], plan, graph)) {
                plan.barrier_before[static_cast<size_t>(i)] = 1;
                since = i;
                break;
            }
        }
    }
    return plan;
}

}  // namespace tg
