// `bitnet-b1.58`: microsoft's BitNet b1.58 2B-4T and models of its kind; `bitnet-25` is the same model's first upload.
// Squared ReLU, a norm before attn_output and one before ffn_down, NEOX rotation (FORMATS 4.1, 4.4).
#include "src/arch/arch.h"

namespace bitnet {

constinit const LayerTensor kSubNormTensors[11] = {
    {"attn_norm.weight", Dim::n_embd, Dim::n_embd, nullptr, &LayerWeights::attn_norm},
    {"attn_q.weight", Dim::n_embd, Dim::n_q, &LayerWeights::attn_q, nullptr},
    {"attn_k.weight", Dim::n_embd, Dim::n_kv, &LayerWeights::attn_k, nullptr},
    {"attn_v.weight", Dim::n_embd, Dim::n_kv, &LayerWeights::attn_v, nullptr},
    {"attn_sub_norm.weight", Dim::n_q, Dim::n_q, nullptr, &LayerWeights::attn_sub_norm},
    {"attn_output.weight", Dim::n_q, Dim::n_embd, &LayerWeights::attn_output, nullptr},
    {"ffn_norm.weight", Dim::n_embd, Dim::n_embd, nullptr, &LayerWeights::ffn_norm},
    {"ffn_gate.weight", Dim::n_embd, Dim::n_ff, &LayerWeights::ffn_gate, nullptr},
    {"ffn_up.weight", Dim::n_embd, Dim::n_ff, &LayerWeights::ffn_up, nullptr},
    {"ffn_sub_norm.weight", Dim::n_ff, Dim::n_ff, nullptr, &LayerWeights::ffn_sub_norm},
    {"ffn_down.weight", Dim::n_ff, Dim::n_embd, &LayerWeights::ffn_down, nullptr},
};

namespace {

Activation always_relu2(const Hparams&) { return Activation::relu2; }

}  // namespace

constinit const ArchRow kArchBitnetB158 = {"bitnet-b1.58", kSubNormTensors, {.rope_halves = true, .sub_norms = true}, always_relu2};
constinit const ArchRow kArchBitnet25 = {"bitnet-25", kSubNormTensors, {.rope_halves = true, .sub_norms = true}, always_relu2};

}  // namespace bitnet
