// `llama`: ternary Llama models (Llama3-8B-1.58, Falcon3-1.58bit, TriLM) and dense ones. No sub-norms, SiLU, and NORM
// rotation (2i, 2i+1), because the converter permutes the rows of q and k for it (FORMATS 4.4).
#include "src/arch/arch.h"

namespace bitnet {
namespace {

constinit const LayerTensor kTensors[] = {
    {"attn_norm.weight", Dim::n_embd, Dim::n_embd, nullptr, &LayerWeights::attn_norm},
    {"attn_q.weight", Dim::n_embd, Dim::n_q, &LayerWeights::attn_q, nullptr},
    {"attn_k.weight", Dim::n_embd, Dim::n_kv, &LayerWeights::attn_k, nullptr},
    {"attn_v.weight", Dim::n_embd, Dim::n_kv, &LayerWeights::attn_v, nullptr},
    {"attn_output.weight", Dim::n_q, Dim::n_embd, &LayerWeights::attn_output, nullptr},
    {"ffn_norm.weight", Dim::n_embd, Dim::n_embd, nullptr, &LayerWeights::ffn_norm},
    {"ffn_gate.weight", Dim::n_embd, Dim::n_ff, &LayerWeights::ffn_gate, nullptr},
    {"ffn_up.weight", Dim::n_embd, Dim::n_ff, &LayerWeights::ffn_up, nullptr},
    {"ffn_down.weight", Dim::n_ff, Dim::n_embd, &LayerWeights::ffn_down, nullptr},
};

Activation always_silu(const Hparams&) { return Activation::silu; }

}  // namespace

constinit const ArchRow kArchLlama = {"llama", kTensors, {.rope_halves = false, .sub_norms = false}, always_silu};

}  // namespace bitnet
