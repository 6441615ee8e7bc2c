// add, relu2_mul, silu_mul, gelu_mul: two rows in, one out; pad: one longer. A single row stays with one thread: the norm that follows would have
// to wait for all threads otherwise, which costs more than a few thousand additions.
#include <algorithm>

#include "ggml-like/op_table.h"

namespace tg {
namespace {

using Binary = void (*)(const float* a, const float* b, float* out, int64_t n);

void run_binary(const OpContext& c, Binary function) {
    const int64_t width = c.graph.value(c.node.output).width;
    int64_t begin, end;
    c.share(c.rows(c.node.output), 1, &begin, &end);
    if (begin < end) {  // rows are contiguous in all three values
        function(c.row(c.node.inputs[0], begin), c.row(c.node.inputs[1], begin), c.row(c.node.output, begin),
                 (end - begin) * width);
    }
}

}  // namespace

void run_add(const OpContext& c) { run_binary(c, c.vec.add); }
void run_relu2_mul(const OpContext& c) { run_binary(c, c.vec.relu2_mul); }
void run_silu_mul(const OpContext& c) { run_binary(c, c.vec.silu_mul); }
void run_gelu_mul(const OpContext& c) { run_binary(c, c.vec.gelu_mul); }

void run_pad(const OpContext& c) {
    const ValueId x = c.node.inputs[0];
    const int64_t from = c.graph.value(x).width, to = c.graph.value(c.node.output).width;
    int64_t begin, end;
    c.share(c.rows(x), 1, &begin, &end);
    for (int64_t i = begin; i < end; ++i) {
        float* row = c.row(c.node.output, i);
        std::copy_n(c.row(x, i), from, row);
        std::fill(row + from, row + to, 0.0f);
    }
}

}  // namespace tg
