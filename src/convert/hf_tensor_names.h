// What a Hugging Face architecture is as GGUF: one row per architecture and one row per weight of a layer. A new
// architecture is a row in hf_tensor_names.cpp; a weight that only some models have is optional.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "src/convert/hf_config.h"
#include "src/gguf/gguf_writer.h"

namespace bitnet {

// Widths by name, so that one table serves all sizes.
enum class HfDim : uint8_t { n_embd, n_q, n_kv, n_ff, head_dim };
int64_t hf_dim_value(HfDim dim, const HfConfig& config) noexcept;

enum class HfRole : uint8_t {
    norm,        // one dimension, k; stored as f32
    input_norm,  // the same, of one projection's input and never with HfArch::norm_offset; all layers have it or none
    projection,  // [rows, k], what the b1.58 papers make ternary
    // The same whose rows the converter puts into the order of adjacent rotation pairs (FORMATS 4.4), by heads.
    query_pairs,
    key_pairs,
};

struct HfLayerTensor {
    const char* gguf;  // behind "blk.N."
    const char* hf;    // behind "model.layers.N."
    HfDim k;
    HfDim rows = HfDim::n_embd;  // not of norms
    HfRole role = HfRole::projection;
    bool optional = false;  // a model may be without
};

// What floats of projections are where there is no quantization_config. by_input_norms: masters where the model has those.
enum class HfPlainWeights : uint8_t { dense, masters, by_input_norms };

struct HfArch {
    const char* hf;          // architectures[0] of config.json
    const char* gguf;        // general.architecture
    const char* activation;  // hidden_act that this graph computes; another one is refused
    std::span<const HfLayerTensor> layer;
    HfPlainWeights plain_weights = HfPlainWeights::dense;
    double rope_theta = 10000.0;  // where config.json does not say
    int64_t sliding_period = 0;   // as HfConfig's, where config.json does not say; 0: no layer has a sliding window
    double sliding_rope_theta = 10000.0;  // likewise
    float norm_offset = 0.0f;             // added to every norm weight: 1 where the model computes x * (1 + w)
    // Keys beyond those of hf_source.cpp; may be null.
    void (*add_metadata)(const HfConfig& config, GgufWriter& writer) = nullptr;
};

std::span<const HfArch> hf_archs() noexcept;
// Throws BITNET_E_MODEL_ARCHITECTURE, which lists those that can be converted.
const HfArch& find_hf_arch(const HfConfig& config);
// Tensors that old checkpoints hold and no converter needs: "model.layers.0.self_attn.rotary_emb.inv_freq".
bool is_ignored_hf_tensor(std::string_view name) noexcept;

}  // namespace bitnet
