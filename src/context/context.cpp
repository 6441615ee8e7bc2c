#include "src/context/context.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "ggml-like/gpu/backend_gpu_split.h"
#include "ggml-like/gpu/gpu_error.h"
#include "src/base/error.h"

namespace bitnet {
namespace {

// Counts what the context is about to hold.
void charge_for(uint64_t n_bytes, const ContextConfig& config, MemoryCharge& charge) {
    constexpr const char* kAdvice = "choose a smaller n_ctx, n_ubatch or n_seq_max, or free other models and contexts";
    if (config.max_bytes != 0 && n_bytes > config.max_bytes) {
        throw Error(BITNET_E_SECURITY_MEMORY, "the context needs " + std::to_string(n_bytes) +
                                                  " bytes for KV cache and scratch, its max_bytes allows " +
                                                  std::to_string(config.max_bytes) + "; " + kAdvice)
            .with_numbers(config.max_bytes, n_bytes)
            .with_subject("max_bytes");
    }
    charge.resize(n_bytes, config.max_bytes != 0 ? 0 : config.memory_limit, "the context", kAdvice);
}

MemoryCharge charged(uint64_t n_bytes, const ContextConfig& config) {
    MemoryCharge charge;
    charge_for(n_bytes, config, charge);
    return charge;
}

// Each GPU has room for its part, before anything is taken from any of them.
void check_gpu_memory(const Model& model, const ContextConfig& config, const tg::MemoryPlan& plan) {
    if (!model.on_gpu()) return;
    const GpuContextBytes bytes = gpu_context_bytes(model, config, plan);
    for (const GpuShare& share : model.gpus) {
        uint64_t needed = bytes.of_device + static_cast<uint64_t>(share.n_layers()) * bytes.of_layer;
        if (&share == &model.gpus.back()) needed += output_bytes(model, config);
        const uint64_t free = share.weights->device()->memory().free;
        if (needed <= free) continue;
        throw tg::GpuError(tg::GpuFault::out_of_memory,
                           std::string(tg::gpu_device_name(share.index)) + " lacks " + std::to_string(needed - free) +
                               " bytes for the context: keys and values of " + std::to_string(share.n_layers()) +
                               " layers and scratch take " + std::to_string(needed) + ", " + std::to_string(free) +
                               " are free; choose a smaller n_ctx or n_ubatch or quantised keys and values, free other "
                               "contexts, or load the model on more devices",
                           needed, free);
    }
}

std::unique_ptr<tg::Backend> make_backend(const Model& model, const ContextConfig& config) {
    const kern::VecKernels& vec = *model.kernels.vec;
    if (model.gpus.size() == 1) return tg::make_gpu_backend(model.gpus[0].weights, gpu_shape(model, config));
    if (model.gpus.size() > 1) {
        std::vector<tg::GpuPlace> places;
        for (const GpuShare& share : model.gpus) places.push_back({share.weights, share.direct});
        return tg::make_gpu_split_backend(places, gpu_shape(model, config));
    }
    const int64_t group = model.hparams.n_head / model.hparams.n_head_kv;
    if (config.host_threads.run != nullptr) {
        return tg::make_cpu_backend(vec, config.host_threads, config.n_ctx, group);
    }
    return tg::make_cpu_backend(vec, config.n_threads, config.n_ctx, group);
}

void normalize_in_place(float* x, int64_t n) {
    double sum = 0.0;
    for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    if (sum <= 0.0) return;
    const double length = std::sqrt(sum);  // correctly rounded, the same everywhere
    for (int64_t i = 0; i < n; ++i) x[i] = static_cast<float>(static_cast<double>(x[i]) / length);
}

}  // namespace

Context::Context(std::shared_ptr<const Model> model, const ContextConfig& config)
    : Context(model, config, lay_out_context(*model, config)) {}

Context::Context(std::shared_ptr<const Model> model, const ContextConfig& config, ContextLayout&& layout)
    : model_(std::move(model)), config_(config), charge_(charged(layout.memory.total_bytes(), config)),
      bytes_without_outputs_(layout.memory.total_bytes() - layout.memory.logits_bytes),
      backend_((check_gpu_memory(*model_, config, layout.plan), make_backend(*model_, config))),
      cache_(*backend_, kv_shape(*model_, config), config.n_ctx, config.n_seq_max, place_ends(*model_)),
      adapters_(*model_, config.max_lora_rank, config.n_ubatch, config.n_seq_max),
      decoder_(std::move(layout.decoder)), plan_(std::move(layout.plan)),
      arena_(backend_->allocate(plan_.arena_bytes, "activations")),
      split_(config.n_batch, config.n_ubatch, config.n_ctx, config.n_seq_max, model_->hparams.sliding_window) {
    decoder_.graph.bind_kv(cache_.layers());
    ubatch_outputs_.reserve(static_cast<size_t>(config.n_ubatch));
    output_of_token_.reserve(static_cast<size_t>(config.n_batch));
    output_seq_.reserve(static_cast<size_t>(config.n_batch));
    if (model_->on_gpu()) {
        settled_.reserve(static_cast<size_t>(config.n_ubatch));
    } else if (chosen_rows_bytes(*model_, config) != 0) {
        settled_.reserve(kMostDeferred);
        selection_.reserve(most_chosen_rows(*model_));
    }
    if (config.trace) trace_.rows.reserve(decoder_.graph.nodes().size());
    reserve_outputs(1);
}

// Room for outputs grows to the most that a decode has asked for and stays. There is never both, the old room and the new.
void Context::reserve_outputs(int64_t n_outputs) {
    reserve_rows(n_outputs, config_.embeddings ? n_outputs : 0);
}

void Context::reserve_rows(int64_t n_logits, int64_t n_hidden) {
    const auto bytes = [](int64_t n, int64_t width) { return static_cast<size_t>(n * width) * sizeof(float); };
    const size_t logits_bytes = std::max(logits_.size(), bytes(n_logits, model_->hparams.n_vocab));
    const size_t hidden_bytes = std::max(hidden_.size(), bytes(n_hidden, model_->hparams.n_embd));
    if (logits_bytes == logits_.size() && hidden_bytes == hidden_.size()) return;
    charge_for(bytes_without_outputs_ + logits_bytes + hidden_bytes, config_, charge_);
    const auto grow = [](tg::Arena& rows, size_t n_bytes, const char* what) {
        if (n_bytes == rows.size()) return;
        rows = tg::Arena();
        rows = tg::Arena(n_bytes, what);
    };
    grow(logits_, logits_bytes, "logits");
    grow(hidden_, hidden_bytes, "embeddings");
}

bool Context::should_stop() noexcept {
    if (cancelled_.load(std::memory_order_relaxed)) return true;
    if (config_.should_abort != nullptr && config_.should_abort(config_.abort_user_data) != 0) return true;
    timed_out_ = deadline_.passed();
    return timed_out_;
}

// What the last decode left behind is gone, whatever becomes of this one.
void Context::forget_outputs() noexcept {
    ++touched_;
    output_of_token_.clear();
    output_seq_.clear();
    head_state_ = HeadState::done;
    trace_.rows.clear();  // a stopped run leaves rows unfilled
}

void Context::decode(const BatchView& batch, const Deadline& deadline) {
    require_no_steps();
    counting_failures([&] { decode_batch(batch, deadline); });
}

// Checks a batch and takes its cells and the room for its outputs.
void Context::start(const BatchView& batch) {
    forget_outputs();
    if (batch.n_tokens > config_.n_batch) {
        throw Error(BITNET_E_ARGUMENT, "the batch has " + std::to_string(batch.n_tokens) + " tokens, the context takes " +
                                           std::to_string(config_.n_batch) + " at once; split it or raise n_batch")
            .with_numbers(static_cast<uint64_t>(config_.n_batch), static_cast<uint64_t>(batch.n_tokens));
    }
    split_.reserve(batch, model_->hparams.n_vocab, cache_);
    try {
        reserve_outputs(split_.n_outputs());
    } catch (...) {
        undo();
        throw;
    }
}

void Context::undo() noexcept {
    split_.undo(cache_);
    forget_outputs();
}

void Context::count(int32_t n_tokens, uint64_t us) noexcept {
    n_tokens -= n_guessed_;
    const bool single = last_was_step_ = n_tokens == split_.n_sequences();
    (single ? metrics_.decode_us : metrics_.prefill_us) += us;
    (single ? metrics_.decode_tokens : metrics_.prefill_tokens) += static_cast<uint64_t>(n_tokens);
    ++metrics_.n_decodes;
    performance_.add_forward(us);
}

void Context::decode_batch(const BatchView& batch, const Deadline& deadline) {
    if (batch.n_tokens == 0) return;
    deadline_ = limited(deadline);
    const auto begin_time = std::chrono::steady_clock::now();
    const Prompt prompt(*this, batch.n_tokens);
    start(batch);
    try {
        for (int32_t begin = 0, end = 0; begin < batch.n_tokens; begin = end) {
            end = split_.cut(begin, config_.n_ubatch, cache_);
            tg::RunInputs inputs = micro_batch(begin, end);
            if (end - begin == batch.n_tokens) leave_head(inputs);
            run(inputs);
            tell_progress(end - begin);
        }
    } catch (...) {
        undo();
        throw;
    }
    count(batch.n_tokens, static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                                    std::chrono::steady_clock::now() - begin_time)
                                                    .count()));
}

void Context::tell_progress(int32_t n_tokens) {
    if (config_.on_progress == nullptr || prompt_.n_tokens <= config_.n_ubatch) return;
    prompt_.n_done += n_tokens;
    const double done = static_cast<double>(prompt_.n_done) / static_cast<double>(prompt_.n_tokens);
    if (config_.on_progress(static_cast<float>(done), config_.progress_user_data) != 0) throw_stopped();
}

// Notes where the outputs of these tokens will be.
tg::RunInputs Context::micro_batch(int32_t begin, int32_t end) {
    const int64_t first_output = static_cast<int64_t>(output_seq_.size());
    ubatch_outputs_.clear();
    for (int32_t i = begin; i < end; ++i) {
        const bool wanted = split_.wanted()[static_cast<size_t>(i)] != 0;
        output_of_token_.push_back(wanted ? static_cast<int32_t>(output_seq_.size()) : -1);
        if (!wanted) continue;
        ubatch_outputs_.push_back(i - begin);
        output_seq_.push_back(split_.ids()[static_cast<size_t>(i)]);
    }
    tg::RunInputs inputs;
    inputs.n_nodes = decoder_.n_nodes;
    inputs.n_tokens = end - begin;
    inputs.n_outputs = static_cast<int64_t>(ubatch_outputs_.size());
    inputs.tokens = split_.tokens().data() + begin;
    inputs.positions = split_.positions().data() + begin;
    inputs.cells = split_.cells().data() + begin;
    inputs.visible = split_.visible().data() + begin;
    inputs.n_visible = split_.n_visible().data() + begin;
    inputs.n_outside = split_.n_outside().data() + begin;
    inputs.output_rows = ubatch_outputs_.data();
    float* hidden = config_.embeddings
                        ? reinterpret_cast<float*>(hidden_.data()) + first_output * model_->hparams.n_embd
                        : nullptr;
    set_outputs(inputs, reinterpret_cast<float*>(logits_.data()) + first_output * model_->hparams.n_vocab, hidden);
    BatchView all;
    all.seq_ids = split_.ids().data();
    adapters_.cut(all, begin, end, ubatch_outputs_, inputs);
    return inputs;
}

void Context::set_outputs(tg::RunInputs& inputs, float* logits, float* hidden) const noexcept {
    inputs.external[kLogitsSlot] = logits;
    inputs.external[kHiddenSlot] = hidden;
}

void Context::run(const tg::RunInputs& inputs) {
    timed_out_ = false;
    const tg::StopCheck stop{[](void* self) { return static_cast<Context*>(self)->should_stop(); }, this};
    const tg::RunResult result = backend_->run(decoder_.graph, plan_, *arena_, inputs, stop, run_trace());
    if (result == tg::RunResult::stopped) throw_stopped();
    if (kernel_log_ != nullptr) kernel_log_->add(trace_);
}

// Where a run writes down what it does, if anyone wants to know.
tg::GraphTrace* Context::run_trace() noexcept {
    const bool whole = config_.trace || trace_.on_value != nullptr;
    trace_.names_only = !whole;
    return whole || kernel_log_ != nullptr ? &trace_ : nullptr;
}

void Context::set_on_value(void (*on_value)(const tg::TracedValue& value, void* user_data), void* user_data) {
    require_no_steps();
    trace_.on_value = on_value;
    trace_.user_data = user_data;
}

void Context::throw_stopped() {
    if (timed_out_) {
        throw Error(BITNET_E_TIMEOUT, "the deadline of " + std::to_string(deadline_.us()) +
                                          " us passed during the decode; the sequences are as before it")
            .with_numbers(deadline_.us(), deadline_.elapsed_us());
    }
    cancelled_.store(false, std::memory_order_relaxed);
    throw Error(BITNET_E_CANCELLED, "the decode was cancelled; the sequences are as before it");
}

void Context::require_no_steps() const {
    if (steps_.open) {
        throw Error(BITNET_E_STATE, "a decode was begun on this context; finish it with bitnet_context_step or give it up "
                                    "with bitnet_context_decode_abandon");
    }
}

int64_t Context::output_row(int32_t index) const {
    require_no_steps();
    const int64_t n = static_cast<int64_t>(output_of_token_.size());
    const int64_t i = index < 0 ? n + index : index;
    if (i < 0 || i >= n || output_of_token_[static_cast<size_t>(i)] < 0) {
        throw Error(BITNET_E_NOT_FOUND, "the last decode has no output for batch entry " + std::to_string(index) +
                                            (n == 0 ? "; nothing was decoded" : "; mark it in bitnet_batch.want_output"));
    }
    return output_of_token_[static_cast<size_t>(i)];
}

void Context::require_embeddings() const {
    if (!config_.embeddings) {
        throw Error(BITNET_E_STATE, "the context was created without embeddings; set bitnet_context_params.embeddings = 1");
    }
}

const float* Context::hidden_row(int32_t index) const {
    require_embeddings();
    return reinterpret_cast<const float*>(hidden_.data()) + output_row(index) * model_->hparams.n_embd;
}

void Context::embedding(int32_t index, bool normalize, float* out) const {
    const float* row = hidden_row(index);
    std::copy(row, row + model_->hparams.n_embd, out);
    if (normalize) normalize_in_place(out, model_->hparams.n_embd);
}

bitnet_pooling Context::pooling_of_model() const {
    switch (model_->hparams.pooling) {
        case Pooling::cls: return BITNET_POOLING_CLS;
        case Pooling::last: return BITNET_POOLING_LAST;
        case Pooling::rank:
            throw Error(BITNET_E_UNSUPPORTED, "the model's file asks for pooling by a ranking head, which this build does not run");
        case Pooling::none:
        case Pooling::mean: break;
    }
    return BITNET_POOLING_MEAN;
}

void Context::sequence_embedding(bitnet_seq_id id, bitnet_pooling pooling, bool normalize, float* out) const {
    check_sequence(id);
    if (pooling == BITNET_POOLING_MODEL) pooling = pooling_of_model();
    const int64_t n_embd = model_->hparams.n_embd;
    int64_t count = 0;
    std::vector<double> sum(static_cast<size_t>(n_embd), 0.0);
    for (size_t i = 0; i < output_of_token_.size(); ++i) {
        const int32_t output = output_of_token_[i];
        if (output < 0 || output_seq_[static_cast<size_t>(output)] != id) continue;
        const float* row = hidden_row(static_cast<int32_t>(i));
        if (++count > 1 && pooling == BITNET_POOLING_CLS) break;
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
    return arena_->size() + backend_->scratch_bytes() + logits_.size() + hidden_.size() +
           BatchSplit::bytes_needed(config_.n_batch, config_.n_ubatch, config_.n_ctx, config_.n_seq_max) +
           (ubatch_outputs_.capacity() + output_of_token_.capacity() + output_seq_.capacity()) * sizeof(int32_t) +
           settled_.capacity() + selection_.bytes() + adapters_.bytes() + graph_bytes(decoder_.graph, plan_, false) +
           trace_.rows.capacity() * sizeof(tg::TraceRow);
}

void Context::check_sequence(bitnet_seq_id id) const {
    if (id < 0 || id >= cache_.n_seq()) {
        throw Error(BITNET_E_ARGUMENT, "sequence " + std::to_string(id) + " is outside 0.." + std::to_string(cache_.n_seq() - 1));
    }
}

std::string Context::trace_json() const {
    require_no_steps();
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
