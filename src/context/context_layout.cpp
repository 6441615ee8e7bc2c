#include "src/context/context_layout.h"

#include <algorithm>
#include <vector>

#include "ggml-like/backend.h"
#include "ggml-like/gpu/launch_fusion.h"
#include "src/context/batch_split.h"
#include "src/context/kv_cache.h"
#include "src/context/sequence_adapters.h"

namespace bitnet {

KvShape kv_shape(const Model& model, const ContextConfig& config) {
    const Hparams& h = model.hparams;
    return {h.n_layer, h.n_head_kv, h.head_dim, config.k_type, config.v_type};
}

std::vector<int64_t> place_ends(const Model& model) {
    std::vector<int64_t> ends;
    for (const GpuShare& share : model.gpus) ends.push_back(share.end_layer);
    return ends.empty() ? std::vector<int64_t>{model.hparams.n_layer} : ends;
}

tg::GpuBackendShape gpu_shape(const Model& model, const ContextConfig& config) {
    const Hparams& h = model.hparams;
    return {config.n_ubatch, config.n_ctx, h.n_head, h.n_head_kv, h.head_dim, config.k_type, h.n_vocab};
}

GpuContextBytes gpu_context_bytes(const Model& model, const ContextConfig& config, const tg::MemoryPlan& plan) {
    const KvShape shape = kv_shape(model, config);
    return {static_cast<uint64_t>(shape.k_bytes() + shape.v_bytes()) * static_cast<uint64_t>(config.n_ctx),
            plan.arena_bytes + tg::gpu_backend_scratch_bytes(gpu_shape(model, config))};
}

uint64_t output_bytes(const Model& model, const ContextConfig& config) {
    const int64_t floats = model.hparams.n_vocab + (config.embeddings ? model.hparams.n_embd : 0);
    return static_cast<uint64_t>(floats) * sizeof(float);
}

uint64_t output_table_bytes(const ContextConfig& config) {
    return (static_cast<uint64_t>(config.n_ubatch) + 2 * static_cast<uint64_t>(config.n_batch)) * sizeof(int32_t);
}

size_t most_chosen_rows(const Model& model) noexcept { return static_cast<size_t>(model.hparams.n_vocab / 16) + 1; }

uint64_t chosen_rows_bytes(const Model& model, const ContextConfig& config) noexcept {
    if (model.on_gpu()) return static_cast<uint64_t>(config.n_ubatch);
    if (model.screen == nullptr || config.max_lora_rank != 0) return 0;
    return tg::RowSelection::bytes_needed(most_chosen_rows(model)) + kMostDeferred;
}

uint64_t graph_bytes(const tg::Graph& graph, const tg::MemoryPlan& plan, bool trace) {
    return graph.bytes() + plan.bytes_used() + (trace ? graph.nodes().size() * sizeof(tg::TraceRow) : 0);
}

ContextLayout lay_out_context(const Model& model, const ContextConfig& config) {
    const Hparams& h = model.hparams;
    ContextLayout layout;
    ContextMemory& memory = layout.memory;
    memory.kv_bytes = KvCache::bytes_needed(kv_shape(model, config), config.n_ctx, config.n_seq_max);
    const std::vector<tg::KvLayer> no_cache(static_cast<size_t>(h.n_layer));
    layout.decoder = build_decoder(model, no_cache, config.max_lora_rank);
    layout.decoder.graph.make_external(layout.decoder.logits, kLogitsSlot);
    if (layout.decoder.near_logits != tg::kNoValue) {
        layout.decoder.graph.make_external(layout.decoder.near_logits,
                                           kLogitsSlot);  // the same memory, one or the other
    }
    if (config.embeddings) layout.decoder.graph.make_external(layout.decoder.hidden, kHiddenSlot);
    // A device does several nodes in one launch; on a CPU each has its own memory to pass through.
    layout.plan = tg::plan_memory(
        layout.decoder.graph, config.n_ubatch,
        model.on_gpu() ? tg::nodes_launched_together(layout.decoder.graph) : std::vector<uint8_t>());
    const uint64_t n_places = std::max<size_t>(model.gpus.size(), 1);
    memory.activation_bytes = n_places * layout.plan.arena_bytes;
    memory.score_bytes = model.on_gpu()
                             ? n_places * tg::gpu_backend_scratch_bytes(gpu_shape(model, config))
                             : tg::cpu_backend_scratch_bytes(config.n_threads, config.n_ctx, h.n_head / h.n_head_kv);
    memory.batch_bytes = BatchSplit::bytes_needed(config.n_batch, config.n_ubatch, config.n_ctx, config.n_seq_max) +
                         output_table_bytes(config) + chosen_rows_bytes(model, config) +
                         SequenceAdapters::bytes_needed(config.max_lora_rank, config.n_ubatch, config.n_seq_max);
    memory.graph_bytes = graph_bytes(layout.decoder.graph, layout.plan, config.trace);
    memory.logits_bytes = memory.extra_output_bytes = output_bytes(model, config);
    return layout;
}

}  // namespace bitnet
