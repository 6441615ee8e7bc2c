// The tensors of a model by their place in it. Shapes are [input width, output width], as ne in the file.
#pragma once

#include <vector>

#include "ggml-like/weight.h"

namespace bitnet {

using NormWeight = std::vector<float>;  // always float, whatever the file stores; empty = absent

struct LayerWeights {
    // *_norm_in: of the input of one matrix. What an architecture does not have stays empty.
    NormWeight attn_norm;      // [n_embd]
    NormWeight attn_q_norm_in, attn_k_norm_in, attn_v_norm_in;  // [n_embd]
    tg::Weight attn_q;         // [n_embd, n_q]
    tg::Weight attn_k;         // [n_embd, n_kv]
    tg::Weight attn_v;         // [n_embd, n_kv]
    NormWeight attn_q_norm, attn_k_norm;  // [head_dim], of each head before it is rotated
    NormWeight attn_sub_norm;  // [n_q], before attn_output
    NormWeight attn_output_norm_in;  // [n_q]
    tg::Weight attn_output;    // [n_q, n_embd]
    NormWeight post_attention_norm;  // [n_embd], before attn_output's result is added
    NormWeight ffn_norm;       // [n_embd]
    NormWeight ffn_gate_norm_in, ffn_up_norm_in;  // [n_embd]
    tg::Weight ffn_gate;       // [n_embd, n_ff]
    tg::Weight ffn_up;         // [n_embd, n_ff]
    NormWeight ffn_sub_norm;   // [n_ff], before ffn_down
    NormWeight ffn_down_norm_in;  // [n_ff]
    tg::Weight ffn_down;       // [n_ff, n_embd]
    NormWeight post_ffw_norm;  // [n_embd], before ffn_down's result is added
};

struct ModelWeights {
    tg::Weight token_embd;     // [n_embd, n_vocab]
    NormWeight output_norm;    // [n_embd]
    tg::Weight output;         // [n_embd, n_vocab]; absent: the embedding is the head
    NormWeight rope_freqs;     // [n_rot / 2], divides the frequencies; may be absent
    std::vector<LayerWeights> layers;

    tg::Weight head_copy;      // the embedding once more where its device is not the head's; else absent

    const tg::Weight& head() const { return output.present() ? output : head_copy.present() ? head_copy : token_embd; }
};

}  // namespace bitnet
