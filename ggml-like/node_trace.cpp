#include "ggml-like/node_trace.h"

namespace tg {

TraceRow name_trace_row(const Graph& graph, const Node& node, const RunInputs& inputs, const char* kernel) {
    TraceRow row;
    row.op = op_row(node.op).name;
    row.name = node.name.c_str();
    row.kernel = kernel;
    const bool of_outputs = node.output != kNoValue && graph.value(node.output).rows == Rows::outputs;
    row.rows = of_outputs ? inputs.n_outputs : inputs.n_tokens;
    return row;
}

void finish_trace_row(const Graph& graph, const Node& node, const float* values, const GraphTrace& trace, TraceRow& row) {
    const int64_t width = graph.value(node.output).width;
    row.checksum = checksum_bytes(values, static_cast<size_t>(row.rows * width) * sizeof(float));
    if (trace.on_value == nullptr) return;
    const size_t index = static_cast<size_t>(&node - graph.nodes().data());
    trace.on_value({index, row, values, width}, trace.user_data);
}

}  // namespace tg
