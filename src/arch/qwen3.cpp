// `qwen3`: Qwen3 models and microsoft's bitnet-embedding-0.6b, whose matrices are ternary and each have a norm of their input.
// Norms of every query and key head, SiLU, NEOX rotation; the heads' width is not n_embd / n_head (FORMATS 4.1, 4.3).
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
    {"ffn_norm.weight", Dim::n_embd, Dim::n_embd, nullptr, &LayerWeights::ffn_norm},
    {"ffn_gate_norm_in.weight", Dim::n_embd, Dim::n_embd, nullptr, &LayerWeights::ffn_gate_norm_in,
     Presence::input_norm},
    {"ffn_gate.weight", Dim::n_embd, Dim::n_ff, &LayerWeights::ffn_gate, nullptr},
    {"ffn_up_norm_in.weight", Dim::n_embd, Dim::n_embd, nullptr, &LayerWeights::ffn_up_norm_in, Presence::input_norm},
    {"ffn_up.weight", Dim::n_embd, Dim::n_ff, &LayerWeights::ffn_up, nullptr},
    {"ffn_down_norm_in.weight", Dim::n_ff, Dim::n_ff, nullptr, &LayerWeights::ffn_down_norm_in, Presence::input_norm},
    {"ffn_down.weight", Dim::n_ff, Dim::n_embd, &LayerWeights::ffn_down, nullptr},
};

Activation always_silu(const Hparams&) { return Activation::silu; }

}  // namespace

constinit const ArchRow kArchQwen3 = {
    "qwen3", kTensors, {.rope_halves = true, .sub_norms = false, .head_norms = true}, always_silu};

}  // namespace bitnet
