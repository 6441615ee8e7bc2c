// get_rows: decodes the embedding row of each token. pick_rows: keeps the rows whose logits are wanted.
#include <cstring>

#include "ggml-like/op_table.h"

namespace tg {

void run_get_rows(const OpContext& c) {
    const Weight& table = *c.node.params.weight;
    const kern::QuantTypeInfo& type = kern::quant_type_info(table.type);
    const uint64_t row_bytes = kern::quant_row_bytes(table.type, table.k);
    int64_t begin, end;
    c.share(c.inputs.n_tokens, 1, &begin, &end);
    for (int64_t i = begin; i < end; ++i) {
        const uint8_t* src = table.file_data + row_bytes * static_cast<uint64_t>(c.inputs.tokens[i]);
        type.decode(src, table.tensor_scale, table.k, c.row(c.node.output, i));
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
