// What an architecture has to say: its name in the file, its tensors, and how its graph is built. One row per name in
// arch_table.cpp, one file per architecture.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ggml-like/graph.h"
#include "src/model/model.h"

namespace bitnet {

// Widths that tensors have, named instead of numbered so that a table can hold them for any model size.
enum class Dim : uint8_t { n_embd, n_q, n_kv, n_ff, head };

int64_t dim_value(Dim dim, const Hparams& hparams);

// Whether a file has to have a tensor. input_norm: if it has any of them.
enum class Presence : uint8_t { required, input_norm };

// One tensor of a layer, "blk.N." + name. Exactly one of matrix and norm is set.
struct LayerTensor {
    const char* name;
    Dim k;
    Dim rows;  // matrices only
    tg::Weight LayerWeights::*matrix;
    NormWeight LayerWeights::*norm;
    Presence presence = Presence::required;
};

// What the builders below differ in.
struct DecoderTraits {
    bool rope_halves;  // NEOX pairing
    bool sub_norms;
    bool head_norms = false;       // of queries and keys, before they are rotated
    bool post_norms = false;       // of what attention and feed-forward part add to the hidden state
    bool scaled_embedding = false; // by sqrt(n_embd)
    int64_t sliding_period = 0;    // where the file has a window, each layer of that number sees everything; 0: no windows
};

struct ArchRow {
    const char* name;                     // general.architecture
    std::span<const LayerTensor> layer_tensors;
    DecoderTraits traits;
    Activation (*activation)(const Hparams& hparams);
    // What about these numbers this build would compute wrongly; "" for nothing. May be null.
    const char* (*unsupported)(const Hparams& hparams) = nullptr;
};

// nullptr when unknown.
const ArchRow* find_arch(std::string_view name);
// "bitnet-b1.58, bitnet-25, bitnet, llama, ...", for messages.
std::string arch_names();

// The tensors of every architecture with sub-norms (bitnet_b158.cpp).
extern const LayerTensor kSubNormTensors[11];

extern const ArchRow kArchBitnetB158;
extern const ArchRow kArchBitnet25;
extern const ArchRow kArchBitnet;
extern const ArchRow kArchLlama;
extern const ArchRow kArchQwen3;
extern const ArchRow kArchGemma3;

// The whole forward pass of FORMATS 4.4 as a graph.
// kv: one entry per layer. max_lora_rank: room for adapters, 0: none, and no node for them. Outputs: the hidden state after
// the last norm, and the logits; behind them, where the model has a screen of its head, the near logits, which are no part of
// an ordinary run.
struct DecoderGraph {
    tg::Graph graph;
    tg::ValueId hidden = tg::kNoValue;  // [n_embd] per output
    tg::ValueId logits = tg::kNoValue;  // [n_vocab] per output
    tg::ValueId near_logits = tg::kNoValue;  // likewise; see ggml-like/head_screen.h
    size_t n_nodes = 0;                      // up to the logits, adapters included
};
DecoderGraph build_decoder(const Model& model, std::span<const tg::KvLayer> kv, int64_t max_lora_rank = 0);

}  // namespace bitnet
