// The engine's thread: takes waiting texts into free sequences, steps all of them, hands out what each step brought.
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "server/engine/engine.h"

namespace serve {

namespace {

using Clock = std::chrono::steady_clock;

uint64_t microseconds(Clock::duration passed) {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(passed).count());
}

struct GenerationFree {
    void operator()(bitnet_generation* generation) const { bitnet_generation_free(generation); }
};

// A text that runs: its job, its sequence, and the generation over it.
struct Running {
    std::shared_ptr<Job> job;
    GenerationSpec spec;
    bitnet_seq_id sequence = 0;
    std::unique_ptr<bitnet_generation, GenerationFree> generation;
    Clock::time_point submitted;
    Usage usage;
};

class EngineThread final : public Engine {
public:
    EngineThread(ModelHandle model, ModelFacts facts, const EngineOptions& options)
        : model_(std::move(model)), facts_(std::move(facts)), options_(options) {
        bitnet_context_params params = bitnet_context_default_params();
        params.n_ctx = options_.n_ctx;
        params.n_seq_max = options_.n_parallel;
        params.n_threads = options_.n_threads;
        bitnet_context* context = nullptr;
        check(bitnet_context_create(model_.get(), &params, &context));
        context_.reset(context, bitnet_context_free);
        facts_.n_ctx = bitnet_context_get_n_ctx(context);
        sequences_.resize(static_cast<size_t>(options_.n_parallel));
        thread_ = std::thread([this] { run(); });
    }
    ~EngineThread() override {
        {
            const std::lock_guard lock(mutex_);
            stop_ = true;
            wake_.notify_all();
        }
        bitnet_context_cancel(context_.get());
        thread_.join();
    }

    const ModelFacts& facts() const override { return facts_; }
    bitnet_model* model() const override { return model_.get(); }
    const bitnet_tokenizer* tokenizer() const override {
        const bitnet_tokenizer* tokenizer = bitnet_model_get_tokenizer(model_.get());
        if (!tokenizer) throw ApiError(ErrorCode::kValidationFailed, bitnet_last_error());
        return tokenizer;
    }

    std::shared_ptr<Job> submit(GenerationSpec spec) override {
        if (spec.prompt.size() >= static_cast<size_t>(facts_.n_ctx))
            throw ApiError(ErrorCode::kPromptTooLong, "the prompt has " + std::to_string(spec.prompt.size()) +
                                                          " tokens; the context holds " + std::to_string(facts_.n_ctx));
        Running text;
        text.job = std::make_shared<Job>();
        text.submitted = Clock::now();
        text.usage.prompt_tokens = spec.prompt.size();
        text.spec = std::move(spec);
        std::shared_ptr<Job> job = text.job;
        const std::lock_guard lock(mutex_);
        if (closed_) throw ApiError(ErrorCode::kUnavailable, "the server is shutting down");
        if (waiting_.size() >= static_cast<size_t>(options_.max_queue)) {
            ApiError error(ErrorCode::kServerOverloaded, std::to_string(waiting_.size()) + " requests are waiting");
            error.retry_after_s = 1;
            throw error;
        }
        waiting_.push_back(std::move(text));
        wake_.notify_all();
        return job;
    }

    std::vector<std::vector<float>> embed(const std::vector<std::vector<bitnet_token>>&, bitnet_pooling, bool,
                                          const std::function<bool()>&) override {
        throw ApiError(ErrorCode::kValidationFailed, "embeddings are not available");
    }
    EngineStats stats() const override {
        const std::lock_guard lock(mutex_);
        EngineStats stats = stats_;
        stats.active = n_running_;
        stats.waiting = static_cast<int32_t>(waiting_.size());
        return stats;
    }
    void close() override {
        const std::lock_guard lock(mutex_);
        closed_ = true;
    }
    bool idle() const override {
        const std::lock_guard lock(mutex_);
        return waiting_.empty() && n_running_ == 0;
    }

private:
    void run() {
        std::vector<Running> running;
        while (true) {
            if (!take_waiting(running)) return;
            for (size_t i = 0; i < running.size();) {
                if (step(running[i])) {
                    i++;
                } else {
                    sequences_[static_cast<size_t>(running[i].sequence)] = false;
                    running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
                }
            }
        }
    }

    // False when the engine ends.
    bool take_waiting(std::vector<Running>& running) {
        std::unique_lock lock(mutex_);
        n_running_ = static_cast<int32_t>(running.size());
        wake_.wait(lock, [&] { return stop_ || !waiting_.empty() || !running.empty(); });
        if (stop_) return false;
        while (!waiting_.empty() && running.size() < sequences_.size()) {
            running.push_back(std::move(waiting_.front()));
            waiting_.pop_front();
            bitnet_seq_id sequence = 0;
            while (sequences_[static_cast<size_t>(sequence)]) sequence++;
            sequences_[static_cast<size_t>(sequence)] = true;
            running.back().sequence = sequence;
        }
        n_running_ = static_cast<int32_t>(running.size());
        return true;
    }

    // False when the text has ended.
    bool step(Running& text) {
        try {
            if (!text.generation) begin(text);
            if (text.job->is_cancelled()) return finish(text, BITNET_FINISH_CANCELLED);
            bitnet_generation_step part;
            part.struct_size = sizeof part;
            check(bitnet_generation_next(text.generation.get(), &part));
            Step step;
            step.text.assign(part.text, part.n_bytes);
            if (part.n_tokens) step.token = part.tokens[0];
            step.finish = static_cast<bitnet_finish_reason>(part.finish_reason);
            read_usage(text, step);
            text.job->push(std::move(step), text.usage);
            return part.finish_reason == BITNET_FINISH_NONE;
        } catch (const ApiError& error) {
            text.job->fail(error, text.usage);
            return false;
        }
    }

    void begin(Running& text) {
        text.usage.queue_us = microseconds(Clock::now() - text.submitted);
        std::vector<const char*> stops;
        for (const std::string& stop : text.spec.stop) stops.push_back(stop.c_str());
        bitnet_generation_params params = bitnet_generation_default_params();
        params.max_new_tokens = text.spec.max_tokens;
        params.skip_special_tokens = text.spec.skip_special_tokens ? 1 : 0;
        text.spec.sampler.logit_bias = text.spec.logit_bias.data();
        text.spec.sampler.n_logit_bias = text.spec.logit_bias.size();
        params.sampler = &text.spec.sampler;
        params.stop_sequences = stops.data();
        params.n_stop_sequences = stops.size();
        params.grammar = text.spec.grammar.get();
        bitnet_generation* generation = nullptr;
        check(bitnet_generation_create_from_tokens(context_.get(), text.sequence, text.spec.prompt.data(),
                                                   text.spec.prompt.size(), &params, &generation));
        text.generation.reset(generation);
    }

    bool finish(Running& text, bitnet_finish_reason reason) {
        Step step;
        step.finish = reason;
        read_usage(text, step);
        text.job->push(std::move(step), text.usage);
        return false;
    }

    void read_usage(Running& text, Step& step) {
        bitnet_generation_result result;
        result.struct_size = sizeof result;
        check(bitnet_generation_get_result(text.generation.get(), &result));
        step.stop_sequence = result.stop_sequence;
        text.usage.reused_tokens = result.reused_tokens;
        text.usage.generated_tokens = result.n_tokens;
        text.usage.prefill_us = result.prefill_us;
        text.usage.decode_us = result.decode_us;
        text.usage.seed = result.seed;
        text.usage.batch_size = 1;
        text.usage.total_us = microseconds(Clock::now() - text.submitted);
    }

    const ModelHandle model_;
    ModelFacts facts_;
    const EngineOptions options_;
    std::shared_ptr<bitnet_context> context_;
    std::vector<bool> sequences_;  // in use; the engine's thread only

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Running> waiting_;
    EngineStats stats_;
    int32_t n_running_ = 0;
    bool closed_ = false;
    bool stop_ = false;
    std::thread thread_;
};

}  // namespace

std::shared_ptr<Engine> start_engine(ModelHandle model, ModelFacts facts, const EngineOptions& options) {
    return std::make_shared<EngineThread>(std::move(model), std::move(facts), options);
}

std::vector<bitnet_token> encode_text(const bitnet_tokenizer* tokenizer, std::string_view text, uint32_t flags) {
    std::vector<bitnet_token> tokens(text.size() + 8);
    size_t n = 0;
    bitnet_status status =
        bitnet_tokenizer_encode(tokenizer, text.data(), text.size(), flags, tokens.data(), tokens.size(), &n);
    if (status == BITNET_E_BUFFER_TOO_SMALL) {
        tokens.resize(n);
        status = bitnet_tokenizer_encode(tokenizer, text.data(), text.size(), flags, tokens.data(), tokens.size(), &n);
    }
    check(status);
    tokens.resize(n);
    return tokens;
}

std::string decode_tokens(const bitnet_tokenizer* tokenizer, const std::vector<bitnet_token>& tokens, uint32_t flags) {
    std::string text(tokens.size() * 8 + 16, '\0');
    size_t n = 0;
    bitnet_status status =
        bitnet_tokenizer_decode(tokenizer, tokens.data(), tokens.size(), flags, text.data(), text.size(), &n);
    if (status == BITNET_E_BUFFER_TOO_SMALL) {
        text.resize(n);
        status = bitnet_tokenizer_decode(tokenizer, tokens.data(), tokens.size(), flags, text.data(), text.size(), &n);
    }
    check(status);
    text.resize(n);
    return text;
}

}  // namespace serve
