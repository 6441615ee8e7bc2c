// A context: KV cache, activations, threads and outputs over one model. decode() is the heart of the library.
// One thread at a time, except cancel(), which any thread may call.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bitnet.h"
#include "ggml-like/arena.h"
#include "ggml-like/backend.h"
#include "src/arch/arch.h"
#include "src/base/deadline.h"
#include "src/context/batch_split.h"
#include "src/context/kernel_log.h"
#include "src/context/kv_cache.h"
#include "src/context/metrics.h"
#include "src/context/performance_counters.h"
#include "src/context/sequence_adapters.h"
#include "src/model/model.h"

namespace bitnet {

// bitnet_context_params with its zeros resolved, see resolve_context_config.
struct ContextConfig {
    int32_t n_ctx = 0;
    int32_t n_batch = 0;
    int32_t n_ubatch = 0;
    int32_t n_seq_max = 0;
    int32_t n_threads = 0;
    bool embeddings = false;
    bool trace = false;
    int32_t max_lora_rank = 0;
    int32_t (*should_abort)(void* user_data) = nullptr;
    void* abort_user_data = nullptr;
};

// Fills in defaults and checks ranges. default_threads: used where the parameter is 0; if that is 0 too, thread_limit,
// which no answer exceeds. default_batch: n_batch where the parameter is 0, at most n_ctx; 0: n_ctx. Throws BITNET_E_CONFIG.
ContextConfig resolve_context_config(const bitnet_context_params& params, const Model& model, int32_t default_threads,
                                     int32_t default_batch, int32_t thread_limit);

class Context {
public:
    Context(std::shared_ptr<const Model> model, const ContextConfig& config);

    // Throws BITNET_E_TIMEOUT when the deadline passes before it is done; otherwise as bitnet_context_decode.
    void decode(const BatchView& batch, const Deadline& deadline = {});
    void cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }

    const float* logits(int32_t index) const;
    void embedding(int32_t index, bool normalize, float* out) const;
    void sequence_embedding(bitnet_seq_id id, bitnet_pooling pooling, bool normalize, float* out) const;

    const Model& model() const noexcept { return *model_; }
    const ContextConfig& config() const noexcept { return config_; }
    KvCache& cache() noexcept { return cache_; }
    const KvCache& cache() const noexcept { return cache_; }
    SequenceAdapters& adapters() noexcept { return adapters_; }
    const SequenceAdapters& adapters() const noexcept { return adapters_; }
    // Its keys and values are of its adapters, so those are copied with it.
    void copy_sequence(bitnet_seq_id from, bitnet_seq_id to, bitnet_pos p0, bitnet_pos p1) {
        cache_.copy(from, to, p0, p1);
        adapters_.copy(from, to);
    }
    // Of what computed the sequence's keys and values: the model and its adapters.
    uint64_t fingerprint(bitnet_seq_id id) const noexcept { return adapters_.fingerprint(model_->fingerprint, id); }
    const Metrics& metrics() const noexcept { return metrics_; }
    void reset_metrics() noexcept { metrics_ = Metrics(); }
    // Both may be read from any thread.
    PerformanceCounters& performance() noexcept { return performance_; }
    const PerformanceCounters& performance() const noexcept { return performance_; }
    tg::Backend& backend() noexcept { return *backend_; }
    const tg::Backend& backend() const noexcept { return *backend_; }
    uint64_t scratch_bytes() const noexcept;
    // The last decode's nodes as JSON; see bitnet_context_get_trace.
    std::string trace_json() const;
    // From here on every decode adds its kernels to the log, which the caller keeps; null: none.
    void log_kernels(KernelLog* log) noexcept { kernel_log_ = log; }
    // Throws BITNET_E_ARGUMENT for a sequence outside the context.
    void check_sequence(bitnet_seq_id id) const;

private:
    void decode_batch(const BatchView& batch, const Deadline& deadline);
    void run_micro_batch(const BatchView& batch, int32_t begin, int32_t end, int64_t first_output);
    void reserve_outputs(int64_t n_outputs);
    void forget_outputs() noexcept;
    bool should_stop() noexcept;
    const float* hidden_row(int32_t index) const;
    int64_t output_row(int32_t index) const;

    std::shared_ptr<const Model> model_;
    ContextConfig config_;
    std::unique_ptr<tg::Backend> backend_;
    KvCache cache_;
    SequenceAdapters adapters_;
    DecoderGraph decoder_;
    tg::MemoryPlan plan_;
    std::unique_ptr<tg::Buffer> arena_;
    BatchSplit split_;
    std::vector<int32_t> ubatch_outputs_;   // token index in the micro-batch of each of its outputs
    std::vector<int32_t> output_of_token_;  // per batch entry: its row of outputs, -1 = none
    std::vector<bitnet_seq_id> output_seq_; // per output row
    tg::Arena logits_;                      // [output][n_vocab]
    tg::Arena hidden_;                      // [output][n_embd], with embeddings only
    int64_t output_capacity_ = 0;
    tg::GraphTrace trace_;
    KernelLog* kernel_log_ = nullptr;
    Metrics metrics_;
    PerformanceCounters performance_;
    Deadline deadline_;          // of the decode that runs
    bool timed_out_ = false;     // it, and nobody's wish, stopped the decode
    std::atomic<bool> cancelled_{false};
};

}  // namespace bitnet
