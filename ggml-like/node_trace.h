// Rows of a trace out of nodes of a graph, the same for every backend.
#pragma once

#include "ggml-like/graph.h"
#include "ggml-like/graph_trace.h"
#include "ggml-like/op_table.h"

namespace tg {

// Everything but time and checksum. kernel: static storage.
TraceRow name_trace_row(const Graph& graph, const Node& node, const RunInputs& inputs, const char* kernel);
// Adds the checksum of the node's value, floats [row.rows][width], and shows it to who wants to see it.
void finish_trace_row(const Graph& graph, const Node& node, const float* values, const GraphTrace& trace, TraceRow& row);

}  // namespace tg
