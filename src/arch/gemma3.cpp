// `gemma3`: Gemma 3 models of text and microsoft's bitnet-embedding-270m, whose matrices are ternary and each have a norm of
// their input. As qwen3, and: GELU, the embedding times sqrt(n_embd), norms of what a part adds, a sliding window in five
// layers of six where the file names one. Gemma's norms multiply by 1 + w; converters have added the 1.
#include "src/arch/arch.h"

namespace bitnet {
namespace {

constinit const LayerTensor kTensors[] = {
    {"attn_norm.weight", Dim::n_embd, Dim::n_embd, nullptr, &LayerWeights::attn_norm},
    {"attn_q_norm_in.weight", Dim::n_embd, Dim::n_embd, nullptr, &LayerWeights::attn_q_norm_in, Presence::input_norm},
    {"attn_q.weight", Dim::n_embd, Dim::n_q, &LayerWeights::attn_q, nullptr},
    {"attn_k_norm_in.weight", Dim::n_embd, Dim::n_embd, nullptr, &LayerWeights::attn_k_norm_in, Presence::input_norm},
    {"attn_k.weight", Dim::n_embd, Dim::n_kv, &LayerWeights::attn_k, nullptr},
    {"attn_v_norm_in.weight", Dim::n_embd, Dim::n_embd, nullptr, &LayerWeights::attn_v_norm_in, Presence::input_norm},
    {"attn_v.weight", Dim::n_embd, Dim::n_kv, &LayerWeights::attn_v, nullptr},
    {"attn_q_norm.weight", Dim::head, Dim::head, nullptr, &LayerWeights::attn_q_norm},
    {"attn_k_norm.weight", Dim::head, Dim::head, nullptr, &LayerWeights::attn_k_norm},
    {"attn_output_norm_in.weight", Dim::n_q, Dim::n_q, nullptr, &LayerWeights::attn_output_norm_in,
     Presence::input_norm},
    {"attn_output.weight", Dim::n_q, Dim::n_embd, &LayerWeights::attn_output, nullptr},
    {"post_attention_norm.weight", Dim::n_embd, Dim::n_embd, nullptr, &LayerWeights::post_attention_norm},
    {"ffn_norm.weight", Dim::n_embd, Dim::n_embd, nullptr, &LayerWeights::ffn_norm},
    {"ffn_gate_norm_in.weight", Dim::n_embd, Dim::n_embd, nullptr, &LayerWeights::ffn_gate_norm_in,
     Presence::input_norm},
    {"ffn_gate.weight", Dim::n_embd, Dim::n_ff, &LayerWeights::ffn_gate, nullptr},
    {"ffn_up_norm_in.weight", Dim::n_embd, Dim::n_embd, nullptr, &LayerWeights::ffn_up_norm_in, Presence::input_norm},
    {"ffn_up.weight", Dim::n_embd, Dim::n_ff, &LayerWeights::ffn_up, nullptr},
    {"ffn_down_norm_in.weight", Dim::n_ff, Dim::n_ff, nullptr, &LayerWeights::ffn_down_norm_in, Presence::input_norm},
    {"ffn_down.weight", Dim::n_ff, Dim::n_embd, &LayerWeights::ffn_down, nullptr},
    {"post_ffw_norm.weight", Dim::n_embd, Dim::n_embd, nullptr, &LayerWeights::post_ffw_norm},
};

Activation always_gelu(const Hparams&) { return Activation::gelu; }

// Nothing in a file says so but its shape.
const char* unsupported(const Hparams& h) {
    const bool shape_of_27b = h.n_layer == 62 && h.n_embd == 5376;
    return shape_of_27b ? "the 27B model of Gemma 3 scales its attention in a way of its own" : "";
}

}  // namespace

constinit const ArchRow kArchGemma3 = {"gemma3",
                                       kTensors,
                                       {.rope_halves = true,
                                        .sub_norms = false,
                                        .head_norms = true,
                                        .post_norms = true,
                                        .scaled_embedding = true,
                                        .sliding_period = 6},
                                       always_gelu,
                                       unsupported};

}  // namespace bitnet
