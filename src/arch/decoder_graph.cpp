// The forward pass as a graph, exactly as FORMATS 4.4 numbers it. Architectures differ in their traits, not in this code.
#include <initializer_list>

#include "src/arch/arch.h"
#include "src/model/adapter.h"

namespace bitnet {
namespace {

class DecoderBuilder {
public:
    DecoderBuilder(const Model& model, std::span<const tg::KvLayer> kv, int64_t max_lora_rank)
        : model_(model), h_(model.hparams), kv_(kv), max_lora_rank_(max_lora_rank),
          activation_(model.arch->activation(model.hparams)) {
        rope_.halves = model.arch->traits.rope_halves;
        rope_.n_dims = static_cast<int32_t>(h_.n_rot);
        rope_.freq_base = h_.rope_freq_base;
        rope_.freq_scale = h_.rope_freq_scale;
        rope_.freq_factors = model.weights.rope_freqs.empty() ? nullptr : model.weights.rope_freqs.data();
    }

    DecoderGraph build() {
        rope_table_ = g_.rope_table(rope_, "rope_table");
        tg::ValueId x = g_.get_rows(model_.weights.token_embd, "embedding");            // 1
        for (int64_t i = 0; i < h_.n_layer; ++i) x = layer(x, i);
        DecoderGraph out;
        out.hidden = norm(x, model_.weights.output_norm, "output_norm");                // 7
        out.logits = g_.mul_mat(model_.weights.head(), out.hidden, "logits");
        if (model_.weights.output.present()) adapt(out.hidden, {{out.logits, adapter_head_slot(h_.n_layer)}});
        out.graph = std::move(g_);
        return out;
    }

private:
    tg::ValueId norm(tg::ValueId x, const NormWeight& weight, std::string name) {
        return g_.rms_norm(x, weight.data(), static_cast<int64_t>(weight.size()), h_.rms_norm_eps, std::move(name));
    }

    // Adapters' shares of matrices that read x. All of A first: threads meet once for the group, not once per matrix.
    struct Adapted {
        tg::ValueId y;
        int32_t slot;
    };
    void adapt(tg::ValueId x, std::initializer_list<Adapted> matrices) {
        if (max_lora_rank_ == 0) return;
        std::vector<tg::ValueId> down;
        for (const Adapted& matrix : matrices) {
            down.push_back(g_.lora_down(x, max_lora_rank_, matrix.slot, g_.value(matrix.y).name + ".lora_a"));
        }
        size_t i = 0;
        for (const Adapted& matrix : matrices) {
            g_.lora_up(matrix.y, down[i++], matrix.slot, g_.value(matrix.y).name + ".lora_b");
        }
    }

    tg::ValueId layer(tg::ValueId x, int64_t i) {
        const LayerWeights& w = model_.weights.layers[static_cast<size_t>(i)];
        const std::string blk = "blk." + std::to_string(i) + ".";
        const tg::ValueId a = attention(x, w, i, blk);
        // Past the last attention only rows whose logits are wanted go on.
        const bool last = i == h_.n_layer - 1;
        if (last) x = g_.pick_rows(x, blk + "picked");
        const tg::ValueId picked = last ? g_.pick_rows(a, blk + "attn_picked") : a;
        x = attention_output(x, picked, w, i, blk);
        return feed_forward(x, w, i, blk);
    }

    tg::ValueId attention(tg::ValueId x, const LayerWeights& w, int64_t i, const std::string& blk) {
        const tg::KvLayer& kv = kv_[static_cast<size_t>(i)];
        const int32_t n_head = static_cast<int32_t>(h_.n_head), n_head_kv = static_cast<int32_t>(h_.n_head_kv);
        const int32_t head_dim = static_cast<int32_t>(h_.head_dim);
        const tg::ValueId h = norm(x, w.attn_norm, blk + "attn_norm");                  // 2
        const tg::ValueId q = g_.mul_mat(w.attn_q, h, blk + "attn_q");
        const tg::ValueId k = g_.mul_mat(w.attn_k, h, blk + "attn_k");
        const tg::ValueId v = g_.mul_mat(w.attn_v, h, blk + "attn_v");
        adapt(h, {{q, adapter_slot(i, &LayerWeights::attn_q)},
                  {k, adapter_slot(i, &LayerWeights::attn_k)},
                  {v, adapter_slot(i, &LayerWeights::attn_v)}});
        g_.rope(q, rope_table_, rope_, n_head, head_dim, blk + "rope_q");               // 3
        g_.rope(k, rope_table_, rope_, n_head_kv, head_dim, blk + "rope_k");
        g_.kv_store(k, v, kv, blk + "kv_store");
        return g_.attention(q, kv, n_head, n_head_kv, head_dim, blk + "attention");
    }

    tg::ValueId attention_output(tg::ValueId x, tg::ValueId a, const LayerWeights& w, int64_t i, const std::string& blk) {
        if (model_.arch->traits.sub_norms) a = norm(a, w.attn_sub_norm, blk + "attn_sub_norm");  // 4
        const tg::ValueId o = g_.mul_mat(w.attn_output, a, blk + "attn_output");
        adapt(a, {{o, adapter_slot(i, &LayerWeights::attn_output)}});
        return g_.add(x, o, blk + "attn_residual");
    }

    tg::ValueId feed_forward(tg::ValueId x, const LayerWeights& w, int64_t i, const std::string& blk) {
        const tg::ValueId h = norm(x, w.ffn_norm, blk + "ffn_norm");                    // 5
        const tg::ValueId gate = g_.mul_mat(w.ffn_gate, h, blk + "ffn_gate");
        const tg::ValueId up = g_.mul_mat(w.ffn_up, h, blk + "ffn_up");
        adapt(h, {{gate, adapter_slot(i, &LayerWeights::ffn_gate)}, {up, adapter_slot(i, &LayerWeights::ffn_up)}});
        tg::ValueId z = activation_ == Activation::relu2 ? g_.relu2_mul(gate, up, blk + "ffn_relu2")
                                                         : g_.silu_mul(gate, up, blk + "ffn_silu");
        if (model_.arch->traits.sub_norms) z = norm(z, w.ffn_sub_norm, blk + "ffn_sub_norm");    // 6
        const tg::ValueId down = g_.mul_mat(w.ffn_down, z, blk + "ffn_down");
        adapt(z, {{down, adapter_slot(i, &LayerWeights::ffn_down)}});
        return g_.add(x, down, blk + "ffn_residual");
    }

    const Model& model_;
    const Hparams& h_;
    std::span<const tg::KvLayer> kv_;
    const int64_t max_lora_rank_;
    const Activation activation_;
    tg::RopeParams rope_;
    tg::ValueId rope_table_ = tg::kNoValue;
    tg::Graph g_;
};

}  // namespace

DecoderGraph build_decoder(const Model& model, std::span<const tg::KvLayer> kv, int64_t max_lora_rank) {
    return DecoderBuilder(model, kv, max_lora_rank).build();
}

}  // namespace bitnet
