// get_rows: decodes the embedding row of each token and scales it. pick_rows: keeps the rows whose logits are wanted.
#include <cstring>

#include "ggml-like/op_table.h"
#include "kernels/ternary_dialects.h"

namespace tg {

void run_get_rows(const OpContext& c) {
    const Weight& table = *c.node.params.weight;
    const kern::QuantTypeInfo& type = kern::quant_type_info(table.type);
    const uint64_t row_bytes = kern::quant_row_bytes(table.type, table.padded_k());
    int64_t begin, end;
    c.share(c.inputs.n_tokens, 1, &begin, &end);
    for (int64_t i = begin; i < end; ++i) {
        const uint8_t* src = table.file_data + row_bytes * static_cast<uint64_t>(c.inputs.tokens[i]);
        const float row_scale = table.row_scales != nullptr ? table.row_scales[c.inputs.tokens[i]] : 1.0f;
        float* row = c.row(c.node.output, i);
        const float scale = table.tensor_scale * row_scale;
        if (table.padded_k() == table.k) {
            type.decode(src, scale, table.k, row);
        } else {
            kern::i2s_row_to_floats(src, scale, table.k, row);
        }
        if (c.node.params.factor != 1.0f) c.vec.scale(row, c.node.params.factor, row, table.k);
    }
}

void run_pick_rows(const OpContext& c) {
    const size_t bytes = static_cast<size_t>(c.graph.value(c.node.output).width) * sizeof(float);
    int64_t begin, end;
    c.share(c.inputs.n_outputs, 1, &begin, &end);
    for (int64_t i = begin; i < end; ++i) {
        std::memcpy(c.row(c.node.output, i), c.row(c.node.inputs[0], c.inputs.output_rows[i]), bytes);
    }
}

}  // namespace tg
