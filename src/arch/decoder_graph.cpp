// The forward pass as a graph, as FORMATS 4.4 numbers it. Architectures differ in their traits, not in this code.
#include <initializer_list>

#include "src/arch/arch.h"
#include "src/model/adapter.h"

namespace bitnet {
namespace {

class DecoderBuilder {
public:
    DecoderBuilder(const Model& model, std::span<const tg::KvLayer> kv, int64_t max_lora_rank)
        : model_(model), h_(model.hparams), kv_(kv), max_lora_rank_(max_lora_rank),
          traits_(model.arch->traits), activation_(model.arch->activation(model.hparams)) {
        rope_.halves = traits_.rope_halves;
        rope_.n_dims = static_cast<int32_t>(h_.n_rot);
        rope_.freq_base = h_.rope_freq_base;
        rope_.freq_scale = h_.rope_freq_scale;
        rope_.freq_factors = model.weights.rope_freqs.empty() ? nullptr : model.weights.rope_freqs.data();
        // Scaled positions are for reaching far, which a layer with a window does not.
        sliding_rope_.halves = rope_.halves;
        sliding_rope_.n_dims = rope_.n_dims;
        sliding_rope_.freq_base = h_.rope_freq_base_sliding;
    }

    DecoderGraph build() {
        rope_table_ = g_.rope_table(rope_, "rope_table");
        if (h_.sliding_window > 0) sliding_rope_table_ = g_.rope_table(sliding_rope_, "rope_table_sliding");
        const float factor = traits_.scaled_embedding ? __builtin_sqrtf(static_cast<float>(h_.n_embd)) : 1.0f;
        tg::ValueId x = g_.get_rows(model_.weights.token_embd, "embedding", factor);    // 1
        for (int64_t i = 0; i < h_.n_layer; ++i) {
            if (i > 0 && model_.share_of(i) != model_.share_of(i - 1)) g_.begin_place();
            x = layer(x, i);
        }
        DecoderGraph out;
        out.hidden = norm(x, model_.weights.output_norm, "output_norm");                // 7
        out.logits = g_.mul_mat(model_.weights.head(), out.hidden, "logits");
        if (model_.weights.output.present()) adapt({{out.hidden, out.logits, adapter_head_slot(h_.n_layer)}});
        out.n_nodes = g_.nodes().size();
        if (model_.screen != nullptr) out.near_logits = g_.mul_mat(model_.screen->rows, out.hidden, "near_logits");
        out.graph = std::move(g_);
        return out;
    }

private:
    tg::ValueId norm(tg::ValueId x, const NormWeight& weight, std::string name) {
        return g_.rms_norm(x, weight.data(), static_cast<int64_t>(weight.size()), h_.rms_norm_eps, std::move(name));
    }

    tg::ValueId head_norm(tg::ValueId x, const NormWeight& weight, std::string name) {
        if (!traits_.head_norms) return x;
        return g_.head_norm(x, weight.data(), static_cast<int64_t>(weight.size()), h_.rms_norm_eps, std::move(name));
    }

    // Matrices that read the same value, each through a norm of its own where the model has it.
    struct Matrix {
        const tg::Weight* weight;
        const NormWeight* norm_in;
        int32_t slot;
        const char* name;
    };
    std::vector<tg::ValueId> multiply(tg::ValueId x, std::initializer_list<Matrix> matrices, const std::string& blk) {
        std::vector<tg::ValueId> results;
        std::vector<Adapted> adapted;
        for (const Matrix& matrix : matrices) {
            const std::string name = blk + matrix.name;
            const tg::ValueId input = matrix.norm_in->empty() ? x : norm(x, *matrix.norm_in, name + "_norm_in");
            results.push_back(g_.mul_mat(*matrix.weight, input, name));
            adapted.push_back({input, results.back(), matrix.slot});
        }
        adapt(adapted);
        return results;
    }

    // Adapters' shares of matrices; x is what the matrix sees. All of A first: threads meet once for the group, not once
    // per matrix.
    struct Adapted {
        tg::ValueId x;
        tg::ValueId y;
        int32_t slot;
    };
    void adapt(const std::vector<Adapted>& matrices) {
        if (max_lora_rank_ == 0) return;
        std::vector<tg::ValueId> down;
        for (const Adapted& matrix : matrices) {
            down.push_back(g_.lora_down(matrix.x, max_lora_rank_, matrix.slot, g_.value(matrix.y).name + ".lora_a"));
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
        const Matrix q{&w.attn_q, &w.attn_q_norm_in, adapter_slot(i, &LayerWeights::attn_q), "attn_q"};
        const Matrix k{&w.attn_k, &w.attn_k_norm_in, adapter_slot(i, &LayerWeights::attn_k), "attn_k"};
        const Matrix v{&w.attn_v, &w.attn_v_norm_in, adapter_slot(i, &LayerWeights::attn_v), "attn_v"};
        const std::vector<tg::ValueId> qkv = multiply(h, {q, k, v}, blk);
        const tg::ValueId queries = head_norm(qkv[0], w.attn_q_norm, blk + "attn_q_norm");
        const tg::ValueId keys = head_norm(qkv[1], w.attn_k_norm, blk + "attn_k_norm");
        const bool slides = h_.slides(i);
        const tg::RopeParams& rope = slides ? sliding_rope_ : rope_;
        const tg::ValueId table = slides ? sliding_rope_table_ : rope_table_;
        g_.rope(queries, table, rope, n_head, head_dim, blk + "rope_q");                // 3
        g_.rope(keys, table, rope, n_head_kv, head_dim, blk + "rope_k");
        g_.kv_store(keys, qkv[2], kv, head_dim, blk + "kv_store");
        return g_.attention(queries, kv, n_head, n_head_kv, head_dim, blk + "attention", slides);
    }

    tg::ValueId attention_output(tg::ValueId x, tg::ValueId a, const LayerWeights& w, int64_t i, const std::string& blk) {
        if (traits_.sub_norms) a = norm(a, w.attn_sub_norm, blk + "attn_sub_norm");     // 4
        const Matrix output{&w.attn_output, &w.attn_output_norm_in, adapter_slot(i, &LayerWeights::attn_output), "attn_output"};
        tg::ValueId o = multiply(a, {output}, blk)[0];
        if (traits_.post_norms) o = norm(o, w.post_attention_norm, blk + "post_attention_norm");
        return g_.add(x, o, blk + "attn_residual");
    }

    tg::ValueId feed_forward(tg::ValueId x, const LayerWeights& w, int64_t i, const std::string& blk) {
        const tg::ValueId h = norm(x, w.ffn_norm, blk + "ffn_norm");                    // 5
        const Matrix gate{&w.ffn_gate, &w.ffn_gate_norm_in, adapter_slot(i, &LayerWeights::ffn_gate), "ffn_gate"};
        const Matrix up{&w.ffn_up, &w.ffn_up_norm_in, adapter_slot(i, &LayerWeights::ffn_up), "ffn_up"};
        const std::vector<tg::ValueId> both = multiply(h, {gate, up}, blk);
        tg::ValueId z = activate(both[0], both[1], blk);
        if (traits_.sub_norms) z = norm(z, w.ffn_sub_norm, blk + "ffn_sub_norm");       // 6
        const Matrix down{&w.ffn_down, &w.ffn_down_norm_in, adapter_slot(i, &LayerWeights::ffn_down), "ffn_down"};
        tg::ValueId y = multiply(z, {down}, blk)[0];
        if (traits_.post_norms) y = norm(y, w.post_ffw_norm, blk + "post_ffw_norm");
        return g_.add(x, y, blk + "ffn_residual");
    }

    tg::ValueId activate(tg::ValueId gate, tg::ValueId up, const std::string& blk) {
        switch (activation_) {
            case Activation::relu2: return g_.relu2_mul(gate, up, blk + "ffn_relu2");
            case Activation::silu: return g_.silu_mul(gate, up, blk + "ffn_silu");
            case Activation::gelu: return g_.gelu_mul(gate, up, blk + "ffn_gelu");
        }
        return tg::kNoValue;
    }

    const Model& model_;
    const Hparams& h_;
    std::span<const tg::KvLayer> kv_;
    const int64_t max_lora_rank_;
    const DecoderTraits& traits_;
    const Activation activation_;
    tg::RopeParams rope_, sliding_rope_;
    tg::ValueId rope_table_ = tg::kNoValue, sliding_rope_table_ = tg::kNoValue;
    tg::Graph g_;
};

}  // namespace

DecoderGraph build_decoder(const Model& model, std::span<const tg::KvLayer> kv, int64_t max_lora_rank) {
    return DecoderBuilder(model, kv, max_lora_rank).build();
}

}  // namespace bitnet
