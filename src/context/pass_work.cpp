// Walks the micro-batches of a batch, sequence after sequence.
#include "src/context/pass_work.h"

#include <algorithm>
#include <cstring>

namespace bitnet {
namespace {

struct Matrices {
    uint64_t bytes = 0;
    uint64_t int8_ops = 0;  // for one token
    uint64_t float_ops = 0;

    void add(const tg::Weight& weight) {
        if (!weight.present()) return;
        const kern::MulMatKernel& kernel = *weight.kernel;
        const int64_t k = weight.padded_k();
        bytes += kernel.pack != nullptr ? kernel.packed_bytes(weight.n_rows, k)
                                        : kern::quant_row_bytes(kernel.type, k) * static_cast<uint64_t>(weight.n_rows);
        const uint64_t ops = 2 * static_cast<uint64_t>(weight.k) * static_cast<uint64_t>(weight.n_rows);
        (std::strcmp(kernel.act->name, "f32") == 0 ? float_ops : int8_ops) += ops;
    }
    void add(const NormWeight& norm) { bytes += norm.size() * sizeof(float); }
};

Matrices of_layers(const ModelWeights& weights) {
    Matrices all;
    for (const LayerWeights& layer : weights.layers) {
        for (const NormWeight* norm :
             {&layer.attn_norm, &layer.attn_q_norm_in, &layer.attn_k_norm_in, &layer.attn_v_norm_in, &layer.attn_q_norm,
              &layer.attn_k_norm, &layer.attn_sub_norm, &layer.attn_output_norm_in, &layer.post_attention_norm,
              &layer.ffn_norm, &layer.ffn_gate_norm_in, &layer.ffn_up_norm_in, &layer.ffn_sub_norm,
              &layer.ffn_down_norm_in, &layer.post_ffw_norm}) {
            all.add(*norm);
        }
        for (const tg::Weight* weight : {&layer.attn_q, &layer.attn_k, &layer.attn_v, &layer.attn_output,
                                         &layer.ffn_gate, &layer.ffn_up, &layer.ffn_down}) {
            all.add(*weight);
        }
    }
    return all;
}

// Cells that a token at the end of n sees, over all layers.
uint64_t visible_cells(const Hparams& hparams, int64_t n) {
    uint64_t cells = 0;
    for (int64_t layer = 0; layer < hparams.n_layer; ++layer) {
        cells += static_cast<uint64_t>(hparams.slides(layer) ? std::min(n, hparams.sliding_window) : n);
    }
    return cells;
}

}  // namespace

PassWork pass_work(const Model& model, const PassShape& shape) {
    const Hparams& hparams = model.hparams;
    const Matrices layers = of_layers(model.weights);
    Matrices head;
    if (model.screen != nullptr) {  // the few rows that are multiplied besides depend on the text
        const tg::Weight& rows = model.screen->rows;
        head.bytes = tg::head_screen_read_bytes(*model.screen->exact);
        head.int8_ops = 4 * static_cast<uint64_t>(rows.k) * static_cast<uint64_t>(rows.n_rows);  // in two 8-bit parts
    } else {
        head.add(model.weights.head());
    }
    PassWork work;
    work.layer_bytes = layers.bytes;
    work.head_bytes = head.bytes;
    const uint64_t cell_bytes =
        static_cast<uint64_t>(hparams.n_head_kv * (kern::kv_head_bytes(shape.k_type, hparams.head_dim) +
                                                   kern::kv_head_bytes(shape.v_type, hparams.head_dim)));
    uint64_t head_reads = 0, seen = 0;
    const int64_t n_all = shape.n_seq * shape.n_tokens;
    for (int64_t begin = 0; begin < n_all; begin += shape.n_ubatch) {
        const int64_t end = std::min(begin + shape.n_ubatch, n_all);
        ++work.n_micro_batches;
        head_reads += end / shape.n_tokens > begin / shape.n_tokens ? 1u : 0u;  // some sequence ends here
        for (int64_t at = begin; at < end;) {                                   // the part of one sequence
            const int64_t sequence = at / shape.n_tokens;
            const int64_t stop = std::min(end, (sequence + 1) * shape.n_tokens);
            const int64_t held = shape.n_past + stop - sequence * shape.n_tokens;
            work.kv_bytes += cell_bytes * visible_cells(hparams, held);
            at = stop;
        }
    }
    for (int64_t i = 0; i < shape.n_tokens; ++i) seen += visible_cells(hparams, shape.n_past + i + 1);
    const auto n_tokens = static_cast<uint64_t>(n_all), n_seq = static_cast<uint64_t>(shape.n_seq);
    work.kv_bytes += cell_bytes * static_cast<uint64_t>(hparams.n_layer) * n_tokens;  // written
    work.total_bytes =
        layers.bytes * static_cast<uint64_t>(work.n_micro_batches) + head.bytes * head_reads + work.kv_bytes;
    work.int8_ops = layers.int8_ops * n_tokens + head.int8_ops * n_seq;
    // A score and its share of the values: two products of a head each.
    work.float_ops =
        layers.float_ops * n_tokens + head.float_ops * n_seq + 4 * static_cast<uint64_t>(hparams.n_q()) * seen * n_seq;
    return work;
}

}  // namespace bitnet
