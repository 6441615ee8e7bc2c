// Everything of a context that can be known before its memory exists: the graph, the plan of its values, and the bytes of
// every part. A context is made from its layout and an estimate is one that nothing was made from, so they cannot differ.
#pragma once

#include <cstdint>
#include <vector>

#include "ggml-like/gpu/backend_gpu.h"
#include "ggml-like/memory_plan.h"
#include "src/arch/arch.h"
#include "src/context/context_config.h"
#include "src/context/kv_cache.h"
#include "src/model/model.h"

namespace bitnet {

struct ContextMemory {
    uint64_t kv_bytes = 0;  // keys, values and who holds them
    uint64_t activation_bytes = 0;
    uint64_t score_bytes = 0;
    uint64_t batch_bytes = 0;
    uint64_t graph_bytes = 0;
    uint64_t logits_bytes = 0;        // one output
    uint64_t extra_output_bytes = 0;  // each further one; not in the sums

    uint64_t scratch_bytes() const { return activation_bytes + score_bytes + batch_bytes + graph_bytes + logits_bytes; }
    uint64_t total_bytes() const { return kv_bytes + scratch_bytes(); }
};

struct ContextLayout {
    DecoderGraph decoder;  // without a cache: Graph::bind_kv gives it one
    tg::MemoryPlan plan;
    ContextMemory memory;
};

inline constexpr int32_t kLogitsSlot = 0, kHiddenSlot = 1;  // of tg::RunInputs::external

// The model may be without values. Throws BITNET_E_OUT_OF_MEMORY where the bytes are beyond any memory.
ContextLayout lay_out_context(const Model& model, const ContextConfig& config);

// On its GPUs.
GpuContextBytes gpu_context_bytes(const Model& model, const ContextConfig& config, const tg::MemoryPlan& plan);
// Of a context over a model on a GPU.
tg::GpuBackendShape gpu_shape(const Model& model, const ContextConfig& config);
// Behind the last layer of each device.
std::vector<int64_t> place_ends(const Model& model);
KvShape kv_shape(const Model& model, const ContextConfig& config);
// What the graph and all that grows with it take; the trace only where one is recorded.
uint64_t graph_bytes(const tg::Graph& graph, const tg::MemoryPlan& plan, bool trace);
// Tables of the batch that the context keeps beside BatchSplit.
uint64_t output_table_bytes(const ContextConfig& config);
// A screened head is left for later where the decode has at most so many outputs: for more its copy would be read too often.
inline constexpr int64_t kMostDeferred = 64;
// Rows that a screen may choose: with more than a sixteenth of them choosing costs more than it saves.
size_t most_chosen_rows(const Model& model) noexcept;
// Tables for choosing them, or of the rows that a device keeps; 0 where no decode of such a context leaves anything for later.
uint64_t chosen_rows_bytes(const Model& model, const ContextConfig& config) noexcept;
uint64_t output_bytes(const Model& model, const ContextConfig& config);

}  // namespace bitnet
