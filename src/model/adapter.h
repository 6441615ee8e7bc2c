// A loaded LoRA adapter: immutable, shared by every sequence that uses it. Data only; load/adapter_load.cpp fills it. Its
// pairs have the numbers of the matrices they change: seven per layer, then the head.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ggml-like/arena.h"
#include "ggml-like/lora.h"
#include "src/base/memory_budget.h"
#include "src/model/model.h"

namespace bitnet {

inline constexpr tg::Weight LayerWeights::*kAdaptedMatrices[] = {
    &LayerWeights::attn_q,   &LayerWeights::attn_k, &LayerWeights::attn_v,   &LayerWeights::attn_output,
    &LayerWeights::ffn_gate, &LayerWeights::ffn_up, &LayerWeights::ffn_down,
};
inline constexpr int32_t kAdaptedPerLayer = 7;
inline constexpr int32_t kMaxAdapterRank = 4096;

// -1 for a member that is not among them.
constexpr int32_t adapter_slot(int64_t layer, tg::Weight LayerWeights::*matrix) {
    for (int32_t i = 0; i < kAdaptedPerLayer; ++i) {
        if (kAdaptedMatrices[i] == matrix) return static_cast<int32_t>(layer) * kAdaptedPerLayer + i;
    }
    return -1;
}
constexpr int32_t adapter_head_slot(int64_t n_layer) { return static_cast<int32_t>(n_layer) * kAdaptedPerLayer; }

struct Adapter {
    std::shared_ptr<const Model> model;  // whose shapes were checked: it fits no other
    std::vector<tg::LoraPair> pairs;     // per slot
    tg::Arena data;
    std::vector<std::unique_ptr<tg::GpuWeights>> gpus;  // by share of the model, where it is on devices
    MemoryCharge charge;  // of data
    std::string name;   // general.name
    std::string label;  // the name or the file, fit for messages
    std::string architecture;
    int32_t rank = 0;  // the largest
    float alpha = 0.0f;
    uint64_t n_tensors = 0;
    uint64_t n_parameters = 0;
    uint64_t fingerprint = 0;  // of all that changes a result
};

}  // namespace bitnet
