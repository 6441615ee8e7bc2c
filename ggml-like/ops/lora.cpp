// lora_down: the few inner products A x of each row's adapters, scaled. lora_up: y += B (A x). Both multiply with the dense
// kernels, whose sums have a fixed order, and add the adapters one after the other: a row's bits depend on itself alone.
#include <algorithm>

#include "ggml-like/op_table.h"

namespace tg {
namespace {

constexpr int64_t kDownRows = 4;   // ranks are small: a whole row tile of the kernels would leave threads idle
constexpr int64_t kUpRows = 64;    // products wait on the stack
constexpr int64_t kTileCols = 32;  // as many as the kernels block

const LoraSegments& segments_of(const OpContext& c, ValueId rows) {
    return c.graph.value(rows).rows == Rows::tokens ? c.inputs.lora_tokens : c.inputs.lora_outputs;
}

// Rows [row, row + n_rows) of w times n_cols columns. To the kernel they are a matrix of their own, because its tiles begin
// at the first row; dense types lie row after row.
void multiply(const Weight& w, int64_t row, int64_t n_rows, const float* x, int64_t x_stride, int64_t n_cols,
              float* out, int64_t out_stride) {
    kern::MulMatArgs args{};
    args.weights =
        static_cast<const uint8_t*>(w.data) + static_cast<uint64_t>(row) * kern::quant_row_bytes(w.type, w.k);
    args.weight_scale = 1.0f;
    args.acts = x;
    args.act_stride = x_stride;
    args.out = out;
    args.out_stride = out_stride;
    args.k = w.k;
    args.n_rows = n_rows;
    args.n_cols = n_cols;
    args.row_begin = 0;
    args.row_end = n_rows;
    w.kernel->run(args);
}

// Threads share the tiles of A's rows and the segment's columns.
void multiply_down(const OpContext& c, const LoraPair& pair, float factor, const LoraSegment& segment, int64_t at) {
    const ValueId x = c.node.inputs[0], out = c.node.output;
    const int64_t x_width = c.graph.value(x).width, out_width = c.graph.value(out).width;
    const int64_t rank = pair.a.n_rows, n_cols = segment.end - segment.begin;
    const int64_t n_row_tiles = (rank + kDownRows - 1) / kDownRows, n_col_tiles = (n_cols + kTileCols - 1) / kTileCols;
    int64_t begin, end;
    c.share(n_row_tiles * n_col_tiles, 1, &begin, &end);
    for (int64_t tile = begin; tile < end; ++tile) {
        const int64_t row = tile % n_row_tiles * kDownRows, col = tile / n_row_tiles * kTileCols;
        const int64_t rows = std::min(kDownRows, rank - row), cols = std::min(kTileCols, n_cols - col);
        float* to = c.row(out, segment.begin + col) + at + row;
        multiply(pair.a, row, rows, c.row(x, segment.begin + col), x_width, cols, to, out_width);
        for (int64_t i = 0; i < cols; ++i) c.vec.scale(to + i * out_width, factor, to + i * out_width, rows);
    }
}

void multiply_up(const OpContext& c, const LoraPair& pair, const LoraSegment& segment, int64_t at, int64_t begin,
                 int64_t end) {
    const ValueId y = c.node.output, down = c.node.inputs[1];
    const int64_t down_width = c.graph.value(down).width;
    alignas(64) float product[kTileCols * kUpRows];
    for (int64_t col = segment.begin; col < segment.end; col += kTileCols) {
        const int64_t cols = std::min(kTileCols, segment.end - col);
        for (int64_t row = begin; row < end; row += kUpRows) {
            const int64_t rows = std::min(kUpRows, end - row);
            multiply(pair.b, row, rows, c.row(down, col) + at, down_width, cols, product, kUpRows);
            for (int64_t i = 0; i < cols; ++i) {
                float* to = c.row(y, col + i) + row;
                c.vec.add(to, product + i * kUpRows, to, rows);
            }
        }
    }
}

}  // namespace

void run_lora_down(const OpContext& c) {
    const int64_t width = c.graph.value(c.node.output).width;
    const LoraSegments& segments = segments_of(c, c.node.output);
    for (int64_t s = 0; s < segments.n; ++s) {
        const LoraSegment& segment = segments.items[s];
        int64_t at = 0;
        for (int64_t u = 0; u < segment.n_uses; ++u) {
            const LoraPair& pair = segment.uses[u].pairs[c.node.params.lora_slot];
            if (!pair.a.present()) continue;
            const float factor = static_cast<float>(static_cast<double>(segment.uses[u].scale) * pair.factor);
            multiply_down(c, pair, factor, segment, at);
            at += pair.a.n_rows;
        }
        // Nobody reads the rest of a row but a trace, whose checksums should be the same every time.
        int64_t begin, end;
        c.share(segment.end - segment.begin, 1, &begin, &end);
        for (int64_t i = segment.begin + begin; i < segment.begin + end; ++i) {
            std::fill(c.row(c.node.output, i) + at, c.row(c.node.output, i) + width, 0.0f);
        }
    }
}

void run_lora_up(const OpContext& c) {
    int64_t begin, end;
    c.share(c.graph.value(c.node.output).width, 16, &begin, &end);
    if (begin >= end) return;
    const LoraSegments& segments = segments_of(c, c.node.output);
    for (int64_t s = 0; s < segments.n; ++s) {
        const LoraSegment& segment = segments.items[s];
        int64_t at = 0;
        for (int64_t u = 0; u < segment.n_uses; ++u) {
            const LoraPair& pair = segment.uses[u].pairs[c.node.params.lora_slot];
            if (!pair.a.present()) continue;
            multiply_up(c, pair, segment, at, begin, end);
            at += pair.a.n_rows;
        }
    }
}

}  // namespace tg
