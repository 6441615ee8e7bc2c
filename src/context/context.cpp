#include "src/context/context.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "src/base/error.h"

namespace bitnet {
namespace {

constexpr int32_t kMaxCells = 1 << 24;     // above any trained context; keeps sums of cells within int32
constexpr int32_t kMaxSequences = 4096;
constexpr int32_t kMaxThreads = 1024;
constexpr int32_t kMaxMicroBatch = 16384;
constexpr int32_t kDefaultContext = 4096;  // a long-context model must not take all memory unasked
constexpr int32_t kDefaultMicroBatch = 512;

enum ExternalSlot : int32_t { kLogitsSlot = 0, kHiddenSlot = 1 };

int32_t checked(const char* name, int32_t value, int32_t low, int32_t high) {
    if (value < low || value > high) {
        throw Error(BITNET_E_CONFIG, std::string(name) + " = " + std::to_string(value) + " is outside " +
                                         std::to_string(low) + ".." + std::to_string(high))
            .with_subject(name);
    }
    return value;
}

DecoderGraph build_graph(const Model& model, const KvCache& cache, bool embeddings, int32_t max_lora_rank) {
    DecoderGraph decoder = build_decoder(model, cache.layers(), max_lora_rank);
    decoder.graph.make_external(decoder.logits, kLogitsSlot);
    if (embeddings) decoder.graph.make_external(decoder.hidden, kHiddenSlot);
    return decoder;
}

void normalize_in_place(float* x, int64_t n) {
    double sum = 0.0;
    for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    if (sum <= 0.0) return;
    const double length = std::sqrt(sum);  // correctly rounded, the same everywhere
    for (int64_t i = 0; i < n; ++i) x[i] = static_cast<float>(static_cast<double>(x[i]) / length);
}

}  // namespace

ContextConfig resolve_context_config(const bitnet_context_params& params, const Model& model, int32_t default_threads,
                                     int32_t default_batch, int32_t thread_limit) {
    ContextConfig config;
    const int64_t trained = std::clamp<int64_t>(model.hparams.n_ctx_train, 1, kDefaultContext);
    config.n_ctx = checked("n_ctx", params.n_ctx == 0 ? static_cast<int32_t>(trained) : params.n_ctx, 1, kMaxCells);
    config.n_batch = checked("n_batch", params.n_batch == 0 ? config.n_ctx : params.n_batch, 1, kMaxCells);
    if (params.n_batch == 0 && default_batch != 0) config.n_batch = std::min(config.n_batch, default_batch);
    config.n_ubatch = checked("n_ubatch", params.n_ubatch == 0 ? kDefaultMicroBatch : params.n_ubatch, 1, kMaxMicroBatch);
    config.n_ubatch = std::min({config.n_ubatch, config.n_batch, config.n_ctx});
    config.n_seq_max = checked("n_seq_max", params.n_seq_max == 0 ? 1 : params.n_seq_max, 1, kMaxSequences);
    // More threads than CPUs only slow each other down, and never change a result.
    const int32_t asked = params.n_threads == 0 && default_threads != 0 ? default_threads : params.n_threads;
    config.n_threads = std::clamp(asked == 0 ? thread_limit : checked("n_threads", asked, 1, kMaxThreads), 1, thread_limit);
    config.embeddings = params.embeddings != 0;
    config.trace = params.trace != 0;
    config.max_lora_rank = checked("max_lora_rank", params.max_lora_rank, 0, kMaxAdapterRank);
    config.should_abort = params.should_abort;
    config.abort_user_data = params.abort_user_data;
    return config;
}

Context::Context(std::shared_ptr<const Model> model, const ContextConfig& config)
    : model_(std::move(model)), config_(config),
      backend_(tg::make_cpu_backend(*model_->kernels.vec, config.n_threads, config.n_ctx,
                                    model_->hparams.n_head / model_->hparams.n_head_kv)),
      cache_(*backend_, model_->hparams.n_layer, model_->hparams.n_kv(), config.n_ctx, config.n_seq_max),
      adapters_(*model_, config.max_lora_rank, config.n_ubatch, config.n_seq_max),
      decoder_(build_graph(*model_, cache_, config.embeddings, config.max_lora_rank)), plan_(tg::plan_memory(decoder_.graph, config.n_ubatch)),
      arena_(backend_->allocate(plan_.arena_bytes, "activations")), split_(config.n_batch, config.n_ubatch, config.n_ctx, config.n_seq_max) {
    ubatch_outputs_.reserve(static_cast<size_t>(config.n_ubatch));
    output_of_token_.reserve(static_cast<size_t>(config.n_batch));
    output_seq_.reserve(static_cast<size_t>(config.n_batch));
    if (config.trace) trace_.rows.reserve(decoder_.graph.nodes().size());
    reserve_outputs(1);
}

// Room for outputs grows to the most that a decode has asked for and stays.
void Context::reserve_outputs(int64_t n_outputs) {
    if (n_outputs <= output_capacity_) return;
    const size_t n = static_cast<size_t>(n_outputs);
    tg::Arena logits(n * static_cast<size_t>(model_->hparams.n_vocab) * sizeof(float), "logits");
    if (config_.embeddings) {
        hidden_ = tg::Arena(n * static_cast<size_t>(model_->hparams.n_embd) * sizeof(float), "embeddings");
    }
    logits_ = std::move(logits);
    output_capacity_ = n_outputs;
}

bool Context::should_stop() noexcept {
    if (cancelled_.load(std::memory_order_relaxed)) return true;
    if (config_.should_abort != nullptr && config_.should_abort(config_.abort_user_data) != 0) return true;
    timed_out_ = deadline_.passed();
    return timed_out_;
}

// What the last decode left behind is gone, whatever becomes of this one.
void Context::forget_outputs() noexcept {
    output_of_token_.clear();
    output_seq_.clear();
    trace_.rows.clear();  // a stopped run leaves rows unfilled
}

void Context::decode(const BatchView& batch, const Deadline& deadline) {
    try {
        decode_batch(batch, deadline);
    } catch (const Error& error) {
        if (error.status() != BITNET_E_CANCELLED && error.status() != BITNET_E_TIMEOUT) performance_.count_error();
        throw;
    } catch (...) {
        performance_.count_error();
        throw;
    }
}

void Context::decode_batch(const BatchView& batch, const Deadline& deadline) {
    if (batch.n_tokens == 0) return;
    deadline_ = deadline;
    timed_out_ = false;
    forget_outputs();
    if (batch.n_tokens > config_.n_batch) {
        throw Error(BITNET_E_ARGUMENT, "the batch has " + std::to_string(batch.n_tokens) + " tokens, the context takes " +
                                           std::to_string(config_.n_batch) + " at once; split it or raise n_batch")
            .with_numbers(static_cast<uint64_t>(config_.n_batch), static_cast<uint64_t>(batch.n_tokens));
    }
    const auto begin_time = std::chrono::steady_clock::now();
    split_.reserve(batch, model_->hparams.n_vocab, cache_);
    try {
        reserve_outputs(split_.n_outputs());
        for (int32_t begin = 0, end = 0; begin < batch.n_tokens; begin = end) {
            end = split_.cut(begin, config_.n_ubatch, cache_);
            run_micro_batch(batch, begin, end, static_cast<int64_t>(output_seq_.size()));
        }
    } catch (...) {
        split_.undo(cache_);
        forget_outputs();
        throw;
    }
    const uint64_t us = static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                                  std::chrono::steady_clock::now() - begin_time)
                                                  .count());
    (split_.single_step() ? metrics_.decode_us : metrics_.prefill_us) += us;
    (split_.single_step() ? metrics_.decode_tokens : metrics_.prefill_tokens) += static_cast<uint64_t>(batch.n_tokens);
    ++metrics_.n_decodes;
    performance_.add_forward(us);
}

void Context::run_micro_batch(const BatchView& batch, int32_t begin, int32_t end, int64_t first_output) {
    ubatch_outputs_.clear();
    for (int32_t i = begin; i < end; ++i) {
        const bool wanted = split_.wanted()[static_cast<size_t>(i)] != 0;
        output_of_token_.push_back(wanted ? static_cast<int32_t>(output_seq_.size()) : -1);
        if (!wanted) continue;
        ubatch_outputs_.push_back(i - begin);
        output_seq_.push_back(batch.seq_of(i));
    }
    tg::RunInputs inputs;
    inputs.n_tokens = end - begin;
    inputs.n_outputs = static_cast<int64_t>(ubatch_outputs_.size());
    inputs.tokens = batch.tokens + begin;
    inputs.positions = split_.positions().data() + begin;
    inputs.cells = split_.cells().data() + begin;
    inputs.visible = split_.visible().data() + begin;
    inputs.n_visible = split_.n_visible().data() + begin;
    inputs.output_rows = ubatch_outputs_.data();
    inputs.external[kLogitsSlot] = reinterpret_cast<float*>(logits_.data()) + first_output * model_->hparams.n_vocab;
    if (config_.embeddings) {
        inputs.external[kHiddenSlot] = reinterpret_cast<float*>(hidden_.data()) + first_output * model_->hparams.n_embd;
    }
    adapters_.cut(batch, begin, end, ubatch_outputs_, inputs);
    const tg::StopCheck stop{[](void* self) { return static_cast<Context*>(self)->should_stop(); }, this};
    trace_.names_only = !config_.trace;
    const bool tracing = config_.trace || kernel_log_ != nullptr;
    if (backend_->run(decoder_.graph, plan_, *arena_, inputs, stop, tracing ? &trace_ : nullptr) ==
        tg::RunResult::stopped) {
        if (timed_out_) {
            throw Error(BITNET_E_TIMEOUT, "the deadline of " + std::to_string(deadline_.us()) +
                                              " us passed during the decode; the sequences are as before it")
                .with_numbers(deadline_.us(), deadline_.elapsed_us());
        }
        cancelled_.store(false, std::memory_order_relaxed);
        throw Error(BITNET_E_CANCELLED, "the decode was cancelled; the sequences are as before it");
    }
    if (kernel_log_ != nullptr) kernel_log_->add(trace_);
}

int64_t Context::output_row(int32_t index) const {
    const int64_t n = static_cast<int64_t>(output_of_token_.size());
    const int64_t i = index < 0 ? n + index : index;
    if (i < 0 || i >= n || output_of_token_[static_cast<size_t>(i)] < 0) {
        throw Error(BITNET_E_NOT_FOUND, "the last decode has no output for batch entry " + std::to_string(index) +
                                            (n == 0 ? "; nothing was decoded" : "; mark it in bitnet_batch.want_output"));
    }
    return output_of_token_[static_cast<size_t>(i)];
}

const float* Context::logits(int32_t index) const {
    return reinterpret_cast<const float*>(logits_.data()) + output_row(index) * model_->hparams.n_vocab;
}

const float* Context::hidden_row(int32_t index) const {
    if (!config_.embeddings) {
        throw Error(BITNET_E_STATE, "the context was created without embeddings; set bitnet_context_params.embeddings = 1");
    }
    return reinterpret_cast<const float*>(hidden_.data()) + output_row(index) * model_->hparams.n_embd;
}

void Context::embedding(int32_t index, bool normalize, float* out) const {
    const float* row = hidden_row(index);
    std::copy(row, row + model_->hparams.n_embd, out);
    if (normalize) normalize_in_place(out, model_->hparams.n_embd);
}

void Context::sequence_embedding(bitnet_seq_id id, bitnet_pooling pooling, bool normalize, float* out) const {
    check_sequence(id);
    const int64_t n_embd = model_->hparams.n_embd;
    int64_t count = 0;
    std::vector<double> sum(static_cast<size_t>(n_embd), 0.0);
    for (size_t i = 0; i < output_of_token_.size(); ++i) {
        const int32_t output = output_of_token_[i];
        if (output < 0 || output_seq_[static_cast<size_t>(output)] != id) continue;
        const float* row = hidden_row(static_cast<int32_t>(i));
        ++count;
        for (int64_t d = 0; d < n_embd; ++d) {
            double& cell = sum[static_cast<size_t>(d)];
            cell = pooling == BITNET_POOLING_MEAN ? cell + static_cast<double>(row[d]) : static_cast<double>(row[d]);
        }
    }
    if (count == 0) {
        hidden_row(-1);  // says so when the context has no embeddings at all
        throw Error(BITNET_E_NOT_FOUND, "the last decode has no output of sequence " + std::to_string(id));
    }
    const double divisor = pooling == BITNET_POOLING_MEAN ? static_cast<double>(count) : 1.0;
    for (int64_t d = 0; d < n_embd; ++d) out[d] = static_cast<float>(sum[static_cast<size_t>(d)] / divisor);
    if (normalize) normalize_in_place(out, n_embd);
}

uint64_t Context::scratch_bytes() const noexcept {
    return plan_.arena_bytes + backend_->scratch_bytes() + logits_.size() + hidden_.size() + adapters_.bytes() +
           BatchSplit::bytes_needed(config_.n_batch, config_.n_ubatch, config_.n_ctx, config_.n_seq_max);
}

void Context::check_sequence(bitnet_seq_id id) const {
    if (id < 0 || id >= cache_.n_seq()) {
        throw Error(BITNET_E_ARGUMENT, "sequence " + std::to_string(id) + " is outside 0.." + std::to_string(cache_.n_seq() - 1));
    }
}

std::string Context::trace_json() const {
    if (!config_.trace) {
        throw Error(BITNET_E_STATE, "the context was created without a trace; set bitnet_context_params.trace = 1");
    }
    static const char kDigits[] = "0123456789abcdef";
    std::string json = "[";
    for (const tg::TraceRow& row : trace_.rows) {
        std::string hex(16, '0');
        for (size_t i = 0; i < 16; ++i) hex[15 - i] = kDigits[(row.checksum >> (4 * i)) & 15];
        // Names hold letters, digits, dots and underscores only: nothing to escape.
        json += std::string(json.size() > 1 ? "," : "") + "{\"op\":\"" + row.op + "\",\"name\":\"" + row.name + "\",\"kernel\":\"" +
                row.kernel + "\",\"rows\":" + std::to_string(row.rows) + ",\"us\":" + std::to_string(row.microseconds) +
                ",\"checksum\":\"" + hex + "\"}";
    }
    return json + "]";
}

}  // namespace bitnet
