// The architectures (FORMATS 4.1) and the names of their weights on both sides (FORMATS 4.3).
#include "src/convert/hf_tensor_names.h"

#include <algorithm>

#include "src/base/error.h"
#include "src/gguf/gguf_keys.h"
#include "src/gguf/gguf_text.h"

namespace bitnet {
namespace {

using enum HfDim;
using enum HfRole;

// microsoft's 2B-4T and models of its kind.
constexpr HfLayerTensor kBitnet[] = {
    {"attn_norm.weight", "input_layernorm.weight", n_embd, n_embd, norm},
    {"attn_q.weight", "self_attn.q_proj.weight", n_embd, n_q},
    {"attn_k.weight", "self_attn.k_proj.weight", n_embd, n_kv},
    {"attn_v.weight", "self_attn.v_proj.weight", n_embd, n_kv},
    {"attn_sub_norm.weight", "self_attn.attn_sub_norm.weight", n_q, n_q, norm},
    {"attn_output.weight", "self_attn.o_proj.weight", n_q, n_embd},
    {"ffn_norm.weight", "post_attention_layernorm.weight", n_embd, n_embd, norm},
    {"ffn_gate.weight", "mlp.gate_proj.weight", n_embd, n_ff},
    {"ffn_up.weight", "mlp.up_proj.weight", n_embd, n_ff},
    {"ffn_sub_norm.weight", "mlp.ffn_sub_norm.weight", n_ff, n_ff, norm},
    {"ffn_down.weight", "mlp.down_proj.weight", n_ff, n_embd},
};

// 1bitLLM's models: the same graph with SiLU, and other names for the inner norms.
constexpr HfLayerTensor k1bitLlm[] = {
    {"attn_norm.weight", "input_layernorm.weight", n_embd, n_embd, norm},
    {"attn_q.weight", "self_attn.q_proj.weight", n_embd, n_q},
    {"attn_k.weight", "self_attn.k_proj.weight", n_embd, n_kv},
    {"attn_v.weight", "self_attn.v_proj.weight", n_embd, n_kv},
    {"attn_sub_norm.weight", "self_attn.inner_attn_ln.weight", n_q, n_q, norm},
    {"attn_output.weight", "self_attn.o_proj.weight", n_q, n_embd},
    {"ffn_norm.weight", "post_attention_layernorm.weight", n_embd, n_embd, norm},
    {"ffn_gate.weight", "mlp.gate_proj.weight", n_embd, n_ff},
    {"ffn_up.weight", "mlp.up_proj.weight", n_embd, n_ff},
    {"ffn_sub_norm.weight", "mlp.ffn_layernorm.weight", n_ff, n_ff, norm},
    {"ffn_down.weight", "mlp.down_proj.weight", n_ff, n_embd},
};

// Llama, dense or ternary (Falcon3, Llama3-8B-1.58). GGUF's graph of this name rotates adjacent pairs.
constexpr HfLayerTensor kLlama[] = {
    {"attn_norm.weight", "input_layernorm.weight", n_embd, n_embd, norm},
    {"attn_q.weight", "self_attn.q_proj.weight", n_embd, n_q, query_pairs},
    {"attn_k.weight", "self_attn.k_proj.weight", n_embd, n_kv, key_pairs},
    {"attn_v.weight", "self_attn.v_proj.weight", n_embd, n_kv},
    {"attn_output.weight", "self_attn.o_proj.weight", n_q, n_embd},
    {"ffn_norm.weight", "post_attention_layernorm.weight", n_embd, n_embd, norm},
    {"ffn_gate.weight", "mlp.gate_proj.weight", n_embd, n_ff},
    {"ffn_up.weight", "mlp.up_proj.weight", n_embd, n_ff},
    {"ffn_down.weight", "mlp.down_proj.weight", n_ff, n_embd},
};

// Qwen3, and microsoft's BitNet embedding models of its kind: masters, and a norm of each projection's input.
constexpr HfLayerTensor kQwen3[] = {
    {"attn_norm.weight", "input_layernorm.weight", n_embd, n_embd, norm},
    {"attn_q_norm_in.weight", "self_attn.q_proj.norm.weight", n_embd, n_embd, input_norm},
    {"attn_q.weight", "self_attn.q_proj.weight", n_embd, n_q},
    {"attn_k_norm_in.weight", "self_attn.k_proj.norm.weight", n_embd, n_embd, input_norm},
    {"attn_k.weight", "self_attn.k_proj.weight", n_embd, n_kv},
    {"attn_v_norm_in.weight", "self_attn.v_proj.norm.weight", n_embd, n_embd, input_norm},
    {"attn_v.weight", "self_attn.v_proj.weight", n_embd, n_kv},
    {"attn_q_norm.weight", "self_attn.q_norm.weight", head_dim, head_dim, norm},
    {"attn_k_norm.weight", "self_attn.k_norm.weight", head_dim, head_dim, norm},
    {"attn_output_norm_in.weight", "self_attn.o_proj.norm.weight", n_q, n_q, input_norm},
    {"attn_output.weight", "self_attn.o_proj.weight", n_q, n_embd},
    {"ffn_norm.weight", "post_attention_layernorm.weight", n_embd, n_embd, norm},
    {"ffn_gate_norm_in.weight", "mlp.gate_proj.norm.weight", n_embd, n_embd, input_norm},
    {"ffn_gate.weight", "mlp.gate_proj.weight", n_embd, n_ff},
    {"ffn_up_norm_in.weight", "mlp.up_proj.norm.weight", n_embd, n_embd, input_norm},
    {"ffn_up.weight", "mlp.up_proj.weight", n_embd, n_ff},
    {"ffn_down_norm_in.weight", "mlp.down_proj.norm.weight", n_ff, n_ff, input_norm},
    {"ffn_down.weight", "mlp.down_proj.weight", n_ff, n_embd},
};

// Gemma 3 likewise. post_attention_layernorm is another norm than Qwen3's of that name.
constexpr HfLayerTensor kGemma3[] = {
    {"attn_norm.weight", "input_layernorm.weight", n_embd, n_embd, norm},
    {"attn_q_norm_in.weight", "self_attn.q_proj.norm.weight", n_embd, n_embd, input_norm},
    {"attn_q.weight", "self_attn.q_proj.weight", n_embd, n_q},
    {"attn_k_norm_in.weight", "self_attn.k_proj.norm.weight", n_embd, n_embd, input_norm},
    {"attn_k.weight", "self_attn.k_proj.weight", n_embd, n_kv},
    {"attn_v_norm_in.weight", "self_attn.v_proj.norm.weight", n_embd, n_embd, input_norm},
    {"attn_v.weight", "self_attn.v_proj.weight", n_embd, n_kv},
    {"attn_q_norm.weight", "self_attn.q_norm.weight", head_dim, head_dim, norm},
    {"attn_k_norm.weight", "self_attn.k_norm.weight", head_dim, head_dim, norm},
    {"attn_output_norm_in.weight", "self_attn.o_proj.norm.weight", n_q, n_q, input_norm},
    {"attn_output.weight", "self_attn.o_proj.weight", n_q, n_embd},
    {"post_attention_norm.weight", "post_attention_layernorm.weight", n_embd, n_embd, norm},
    {"ffn_norm.weight", "pre_feedforward_layernorm.weight", n_embd, n_embd, norm},
    {"ffn_gate_norm_in.weight", "mlp.gate_proj.norm.weight", n_embd, n_embd, input_norm},
    {"ffn_gate.weight", "mlp.gate_proj.weight", n_embd, n_ff},
    {"ffn_up_norm_in.weight", "mlp.up_proj.norm.weight", n_embd, n_embd, input_norm},
    {"ffn_up.weight", "mlp.up_proj.weight", n_embd, n_ff},
    {"ffn_down_norm_in.weight", "mlp.down_proj.norm.weight", n_ff, n_ff, input_norm},
    {"ffn_down.weight", "mlp.down_proj.weight", n_ff, n_embd},
    {"post_ffw_norm.weight", "post_feedforward_layernorm.weight", n_embd, n_embd, norm},
};

constexpr HfArch qwen3(const char* name) {
    return {.hf = name,
            .gguf = "qwen3",
            .activation = "silu",
            .layer = kQwen3,
            .plain_weights = HfPlainWeights::by_input_norms};
}

constexpr HfArch gemma3(const char* name) {
    return {.hf = name,
            .gguf = "gemma3",
            .activation = "gelu_pytorch_tanh",
            .layer = kGemma3,
            .plain_weights = HfPlainWeights::by_input_norms,
            .rope_theta = 1000000.0,
            .sliding_period = 6,
            .norm_offset = 1.0f};
}

// Nothing else in such a file tells it from a 2B-4T that a converter named so (src/arch/bitnet_1bitllm.cpp).
void add_activation(const HfConfig& config, GgufWriter& writer) {
    writer.add_string(std::string("bitnet") + gguf_key::kHiddenActivation, config.hidden_act);
}

constexpr HfArch kArchs[] = {
    {.hf = "BitNetForCausalLM",
     .gguf = "bitnet-b1.58",
     .activation = "relu2",
     .layer = kBitnet,
     .rope_theta = 500000.0},
    {.hf = "BitnetForCausalLM",
     .gguf = "bitnet",
     .activation = "silu",
     .layer = k1bitLlm,
     .plain_weights = HfPlainWeights::masters,
     .add_metadata = add_activation},
    {.hf = "LlamaForCausalLM", .gguf = "llama", .activation = "silu", .layer = kLlama},
    qwen3("Qwen3ForCausalLM"),
    qwen3("Qwen3Model"),
    gemma3("Gemma3ForCausalLM"),
    gemma3("Gemma3TextModel"),
};

}  // namespace

namespace {

void check_graph(const HfConfig& config, const HfArch& arch) {
    const auto refuse = [&](const char* key, const std::string& what) {
        throw Error(BITNET_E_UNSUPPORTED, config.file + ": '" + key + "' " + what + ", which this build cannot convert")
            .with_subject(key);
    };
    if (config.layers_slide && arch.sliding_period == 0)
        refuse("sliding_window", std::string("asks a ") + arch.hf + " for layers that see no further");
    if (config.query_scalar != 0 && config.query_scalar != static_cast<double>(config.head_dim))
        refuse("query_pre_attn_scalar", "is not the width of a head");
}

}  // namespace

int64_t hf_dim_value(HfDim dim, const HfConfig& config) noexcept {
    switch (dim) {
        case HfDim::n_embd: return config.n_embd;
        case HfDim::n_q: return config.n_q();
        case HfDim::n_kv: return config.n_kv();
        case HfDim::n_ff: return config.n_ff;
        case HfDim::head_dim: return config.head_dim;
    }
    return 0;
}

std::span<const HfArch> hf_archs() noexcept { return kArchs; }

const HfArch& find_hf_arch(const HfConfig& config) {
    std::string known;
    for (const HfArch& arch : kArchs) {
        if (config.architecture == arch.hf) {
            check_graph(config, arch);
            if (config.hidden_act == arch.activation) return arch;
            throw Error(BITNET_E_UNSUPPORTED, config.file + ": hidden_act '" + for_message(config.hidden_act) +
                                                  "' is not what " + arch.hf + " computes here, which is " +
                                                  arch.activation)
                .with_subject("hidden_act");
        }
        known += (known.empty() ? "" : ", ") + std::string(arch.hf);
    }
    const std::string shown = for_message(config.architecture);
    throw Error(BITNET_E_MODEL_ARCHITECTURE,
                config.file + ": architecture '" + shown + "' cannot be converted; this build converts " + known)
        .with_subject(shown);
}

bool is_ignored_hf_tensor(std::string_view name) noexcept { return name.ends_with(".rotary_emb.inv_freq"); }

}  // namespace bitnet
