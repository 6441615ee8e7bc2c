// add, relu2_mul, silu_mul: two rows in, one out. Elements are independent, so a single long row is split too.
#include "ggml-like/op_table.h"

namespace tg {
namespace {

using Binary = void (*)(const float* a, const float* b, float* out, int64_t n);

void run_binary(const OpContext& c, Binary function) {
    // Rows of all three values are contiguous: treat them as one line, cut at cache lines.
    const int64_t n = c.rows(c.node.output) * c.graph.value(c.node.output).width;
    int64_t begin, end;
    c.share(n, 256, &begin, &end);
    if (begin < end) {
        function(c.row(c.node.inputs[0], 0) + begin, c.row(c.node.inputs[1], 0) + begin, c.row(c.node.output, 0) + begin,
                 end - begin);
    }
}

}  // namespace

void run_add(const OpContext& c) { run_binary(c, c.vec.add); }
void run_relu2_mul(const OpContext& c) { run_binary(c, c.vec.relu2_mul); }
void run_silu_mul(const OpContext& c) { run_binary(c, c.vec.silu_mul); }

}  // namespace tg
