// The tensors of a model by their place in it. Shapes are [input width, output width], as ne in the file.
#pragma once

#include <vector>

#include "ggml-like/weight.h"

namespace bitnet {

using NormWeight = std::vector<float>;  // always float, whatever the file stores; empty = absent

struct LayerWeights {
    NormWeight attn_norm;      // [n_embd]
    tg::Weight attn_q;         // [n_embd, n_q]
    tg::Weight attn_k;         // [n_embd, n_kv]
    tg::Weight attn_v;         // [n_embd, n_kv]
    NormWeight attn_sub_norm;  // [n_q], before attn_output
    tg::Weight attn_output;    // [n_q, n_embd]
    NormWeight ffn_norm;       // [n_embd]
    tg::Weight ffn_gate;       // [n_embd, n_ff]
    tg::Weight ffn_up;         // [n_embd, n_ff]
    NormWeight ffn_sub_norm;   // [n_ff], before ffn_down
    tg::Weight ffn_down;       // [n_ff, n_embd]
};

struct ModelWeights {
    tg::Weight token_embd;     // [n_embd, n_vocab]
    NormWeight output_norm;    // [n_embd]
    tg::Weight output;         // [n_embd, n_vocab]; absent: the embedding is the head
    NormWeight rope_freqs;     // [n_rot / 2], divides the frequencies; may be absent
    std::vector<LayerWeights> layers;

    const tg::Weight& head() const { return output.present() ? output : token_embd; }
};

}  // namespace bitnet
