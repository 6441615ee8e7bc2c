// A context: KV cache, activations, threads and outputs over one model. decode() is the heart of the library.
// One thread at a time, except cancel(), which any thread may call.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bitnet.h"
#include "ggml-like/arena.h"
#include "ggml-like/backend.h"
#include "src/arch/arch.h"
#include "src/base/deadline.h"
#include "src/base/error.h"
#include "src/base/logit_row.h"
#include "src/base/memory_budget.h"
#include "src/context/batch_split.h"
#include "src/context/context_config.h"
#include "src/context/context_layout.h"
#include "src/context/decode_ahead.h"
#include "src/context/forward_pass.h"
#include "src/context/kernel_log.h"
#include "src/context/kv_cache.h"
#include "src/context/metrics.h"
#include "src/context/performance_counters.h"
#include "src/context/sequence_adapters.h"
#include "src/context/top_row.h"
#include "src/model/model.h"

namespace bitnet {

// How far a prompt is; no tokens: there is none.
struct PromptProgress {
    int64_t n_tokens = 0;
    int64_t n_done = 0;
};

class Context {
public:
    // Plans first, and refuses with BITNET_E_SECURITY_MEMORY before anything large is allocated.
    Context(std::shared_ptr<const Model> model, const ContextConfig& config);

    // Throws BITNET_E_TIMEOUT when the deadline passes before it is done; otherwise as bitnet_context_decode.
    void decode(const BatchView& batch, const Deadline& deadline = {});
    // A decode in pieces; see bitnet_context_decode_begin. step() is true when it was the last one. While it is not done,
    // whatever touches sequences or outputs throws BITNET_E_STATE.
    void begin_steps(const BatchView& batch);
    bool step(uint64_t budget_us);
    void abandon_steps() noexcept;
    // Decodes a batch that ends in guesses, those of each entry of aheads in turn, and takes them back: all looks as if the
    // tokens before them had been decoded alone. The batch wants output of a guess and of what it follows.
    void decode_ahead(const BatchView& batch, std::span<DecodedAhead* const> aheads, const Deadline& deadline);
    // Whether the token, which comes next in the sequence, is the next one ahead, and nothing has touched the context since.
    bool can_follow(const DecodedAhead& ahead, bitnet_token token) const noexcept;
    // All is as if the next one of each had been decoded now, in this order; can_follow() has said so and there is a free cell
    // for each. Stops as a decode would, with nothing done.
    void follow_ahead(std::span<DecodedAhead* const> aheads, const Deadline& deadline);
    // What forward() writes to out. Throws as it does for what is wrong with the view alone.
    size_t forward_floats(const ForwardView& view) const;
    // As bitnet_context_forward.
    void forward(const ForwardView& view, float* out);
    void cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }

    // Of a batch entry of the last decode, computed now where the decode has left that for later.
    const float* logits(int32_t index);
    // The same for one who needs the k largest and those of these tokens only: others may be missing or -infinity instead. Each of
    // the k largest is there whatever the logits of `also` become. The row is lent until the next call of either.
    LogitRow top_logits(int32_t index, size_t k, std::span<const bitnet_token> also);
    // How often top_logits had rows of the head to choose from, and how many it then multiplied.
    struct ScreenCounts {
        uint64_t n_screened = 0, n_rows = 0, n_full = 0;
    };
    const ScreenCounts& screen_counts() const noexcept { return screen_counts_; }
    void embedding(int32_t index, bool normalize, float* out) const;
    void sequence_embedding(bitnet_seq_id id, bitnet_pooling pooling, bool normalize, float* out) const;

    const Model& model() const noexcept { return *model_; }
    const ContextConfig& config() const noexcept { return config_; }
    KvCache& cache() { return require_no_steps(), ++touched_, cache_; }
    const KvCache& cache() const { return require_no_steps(), cache_; }
    // For numbers that may be asked for at any time.
    const KvCache& cache_in_use() const noexcept { return cache_; }
    SequenceAdapters& adapters() { return require_no_steps(), ++touched_, adapters_; }
    const SequenceAdapters& adapters() const noexcept { return adapters_; }
    // Its keys and values are of its adapters, so those are copied with it.
    void copy_sequence(bitnet_seq_id from, bitnet_seq_id to, bitnet_pos p0, bitnet_pos p1) {
        cache().copy(from, to, p0, p1);
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
    // Shows what each node computes from the next decode on; null ends that.
    void set_on_value(void (*on_value)(const tg::TracedValue& value, void* user_data), void* user_data);
    // The last decode's nodes as JSON; see bitnet_context_get_trace.
    std::string trace_json() const;
    // The deadline that a call has now: the given one, or timeout_us from here if that is earlier.
    Deadline limited(const Deadline& deadline) const noexcept {
        return Deadline::earlier(deadline, Deadline::in_us(config_.timeout_us));
    }
    // These throw BITNET_E_STATE.
    void require_embeddings() const;
    void require_no_steps() const;
    // From here on every decode adds its kernels to the log, which the caller keeps; null: none.
    void log_kernels(KernelLog* log) noexcept { kernel_log_ = log; }
    // Throws BITNET_E_ARGUMENT for a sequence outside the context.
    void check_sequence(bitnet_seq_id id) const;

    // The decodes while it lives are parts of one prompt of n_tokens, whose progress is told.
    class Prompt {
    public:
        Prompt(Context& context, int64_t n_tokens) : context_(context), before_(context.prompt_) {
            if (before_.n_tokens == 0) context.prompt_ = {n_tokens, 0};
        }
        ~Prompt() {
            if (before_.n_tokens == 0) context_.prompt_ = {};
        }
        Prompt(const Prompt&) = delete;
        Prompt& operator=(const Prompt&) = delete;

    private:
        Context& context_;
        const PromptProgress before_;
    };

    // While it lives, decodes tell the log, where there is one, which kernels ran.
    class LogScope {
    public:
        LogScope(Context& context, KernelLog* log) : context_(context) { context_.log_kernels(log); }
        ~LogScope() { context_.log_kernels(nullptr); }
        LogScope(const LogScope&) = delete;
        LogScope& operator=(const LogScope&) = delete;

    private:
        Context& context_;
    };

private:
    void decode_batch(const BatchView& batch, const Deadline& deadline);
    Context(std::shared_ptr<const Model> model, const ContextConfig& config, ContextLayout&& layout);
    // Failures that nobody asked for are counted.
    template <typename Body>
    void counting_failures(Body&& body);
    void start(const BatchView& batch);
    void tell_progress(int32_t n_tokens);
    void undo() noexcept;
    void count(int32_t n_tokens, uint64_t us) noexcept;
    tg::GraphTrace* run_trace() noexcept;
    [[noreturn]] void throw_stopped();
    bitnet_pooling pooling_of_model() const;
    tg::RunInputs micro_batch(int32_t begin, int32_t end);
    bool defers_head() const noexcept;
    void leave_head(tg::RunInputs& inputs);
    template <typename Body>
    void late_head(Body&& body);
    void run_head(size_t first_node, size_t n_nodes);
    bool near_logits(int64_t row, size_t k, std::span<const bitnet_token> also, LogitRow* out);
    const float* hidden_of(int64_t row) const noexcept;
    void set_outputs(tg::RunInputs& inputs, float* logits, float* hidden) const noexcept;
    void run(const tg::RunInputs& inputs);
    void reserve_outputs(int64_t n_outputs);
    void reserve_rows(int64_t n_logits, int64_t n_hidden);
    void forget_outputs() noexcept;
    bool should_stop() noexcept;
    const float* hidden_row(int32_t index) const;
    int64_t output_row(int32_t index) const;

    std::shared_ptr<const Model> model_;
    ContextConfig config_;
    MemoryCharge charge_;
    uint64_t bytes_without_outputs_ = 0;
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
    // What the last decode's rows of logits_ are: here; to be computed by head_inputs_ from the hidden states that it left, all or
    // first the near ones; or kept by the backend.
    enum class HeadState : uint8_t { done, deferred, near, kept };
    HeadState head_state_ = HeadState::done;
    tg::RunInputs head_inputs_;
    bool last_was_step_ = true;             // what was decoded last counts as decoding, not as prefill
    // Per output, where near: its near logits have made way for the chosen ones; where kept: they are in logits_, too.
    std::vector<uint8_t> settled_;
    tg::RowSelection selection_;
    TopRow top_row_;
    ScreenCounts screen_counts_;
    tg::GraphTrace trace_;
    KernelLog* kernel_log_ = nullptr;
    Metrics metrics_;
    PromptProgress prompt_;
    uint64_t touched_ = 0;   // counts what may have changed cells, adapters or outputs
    int32_t n_guessed_ = 0;  // of the tokens of the decode that runs: they do not count as decoded
    struct Steps {
        bool open = false;
        int32_t n_tokens = 0;
        int32_t begin = 0, end = 0;  // the micro-batch; none was cut yet where they are equal
        tg::RunInputs inputs;
        tg::RunCursor cursor;
        uint64_t us = 0;  // inside of steps
    } steps_;
    PerformanceCounters performance_;
    Deadline deadline_;       // of the decode that runs
    bool timed_out_ = false;  // it, and nobody's wish, stopped the decode
    std::atomic<bool> cancelled_{false};
};

template <typename Body>
void Context::counting_failures(Body&& body) {
    try {
        body();
    } catch (const Error& error) {
        if (error.status() != BITNET_E_CANCELLED && error.status() != BITNET_E_TIMEOUT) performance_.count_error();
        throw;
    } catch (...) {
        performance_.count_error();
        throw;
    }
}

}  // namespace bitnet
