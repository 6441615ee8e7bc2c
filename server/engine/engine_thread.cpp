// The engine's thread: takes waiting texts into sequences, advances all of them in one pass, hands out what each pass brought.
// Everything but the queue belongs to that thread alone; the queue is locked, for as long as it takes to look at it.
#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <new>
#include <random>
#include <thread>

#include "server/engine/embedder.h"
#include "server/engine/engine.h"
#include "server/engine/engine_counters.h"
#include "server/engine/sequence_room.h"
#include "server/engine/text_queue.h"

namespace serve {

namespace {

using Clock = std::chrono::steady_clock;

uint64_t microseconds(Clock::duration passed) {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(passed).count());
}

bitnet_context_params context_params(int32_t n_cells, const EngineOptions& options) {
    bitnet_context_params params = bitnet_context_default_params();
    params.n_ctx = n_cells;
    params.n_seq_max = options.n_parallel + options.n_cached;
    params.n_batch = options.chunk_tokens + options.n_parallel;
    params.n_threads = options.n_threads;
    params.max_bytes = options.max_bytes;
    params.type_k = options.type_k;
    params.type_v = options.type_v;
    return params;
}

// Of the engine's context with so many cells. The model counts as loaded already.
bitnet_memory_estimate estimate_context(bitnet_model* model, int32_t n_cells, const EngineOptions& options) {
    const bitnet_context_params params = context_params(n_cells, options);
    bitnet_memory_estimate estimate;
    estimate.struct_size = sizeof estimate;
    check(bitnet_model_estimate_memory(model, &params, &estimate));
    return estimate;
}

uint64_t memory_limit(const EngineOptions& options) {
    if (options.max_bytes > 0) return options.max_bytes;
    bitnet_environment_info info;
    info.struct_size = sizeof info;
    return bitnet_environment_get_info(&info) == BITNET_OK ? info.memory_limit : 0;
}

// The options with every default resolved and every value in range.
EngineOptions resolve(EngineOptions options, bitnet_model* model, int32_t longest) {
    options.n_parallel = std::clamp(options.n_parallel, 1, 1024);
    options.n_cached = std::clamp(options.n_cached < 0 ? 4 * options.n_parallel : options.n_cached, 0, 2048);
    options.max_queue = std::max(options.max_queue, 1);
    options.chunk_tokens = std::clamp(options.chunk_tokens, 1, 1 << 16);
    if (options.n_ctx <= 0) {
        // As many texts of full length as may run, as long as keys and values stay below 1 GiB and the memory limit.
        const bitnet_memory_estimate one = estimate_context(model, longest, options);
        const uint64_t per_text = std::max<uint64_t>(one.kv_bytes, 1);
        uint64_t room = uint64_t{1} << 30;
        if (const uint64_t limit = memory_limit(options)) {
            const uint64_t taken = bitnet_memory_get_used() + one.scratch_bytes;
            room = std::min(room, limit - std::min(limit, taken + taken / 64));
        }
        const uint64_t n_texts = std::clamp<uint64_t>(room / per_text, 1, static_cast<uint64_t>(options.n_parallel));
        options.n_ctx = static_cast<int32_t>(std::min<uint64_t>(n_texts * static_cast<uint64_t>(longest), 1 << 20));
    }
    const bitnet_memory_estimate all = estimate_context(model, options.n_ctx, options);
    const uint64_t needed = bitnet_memory_get_used() + all.kv_bytes + all.scratch_bytes;
    if (options.max_bytes > 0 && needed > options.max_bytes)
        throw ApiError(ErrorCode::kUnavailable,
                       "the model's context would bring memory to " + std::to_string(needed) + " bytes; the limit is " +
                           std::to_string(options.max_bytes),
                       "", "Unload a model, or start the server with a smaller context");
    return options;
}

ApiError as_api_error(const std::exception& error) {
    if (const auto* known = dynamic_cast<const ApiError*>(&error)) return *known;
    if (dynamic_cast<const std::bad_alloc*>(&error)) return ApiError(ErrorCode::kUnavailable, "out of memory");
    return ApiError(ErrorCode::kInternal, std::string("internal error: ") + error.what());
}

std::string random_name() {
    std::random_device random;
    char text[16];
    std::snprintf(text, sizeof text, "%08x", static_cast<unsigned>(random()));
    return text;
}

class EngineThread final : public Engine {
public:
    EngineThread(ModelHandle model, ModelFacts facts, const EngineOptions& options)
        : model_(std::move(model)), facts_(std::move(facts)), counters_(Clock::now()), batch_name_(random_name()) {
        // A text may be as long as the model was trained for, where the model says so and the cells suffice.
        const int32_t trained = facts_.n_ctx_train > 0 ? std::min(facts_.n_ctx_train, 4096) : 4096;
        options_ = resolve(options, model_.get(), trained);
        facts_.n_ctx = options.n_ctx <= 0       ? std::min(trained, options_.n_ctx)
                       : facts_.n_ctx_train > 0 ? std::min(options_.n_ctx, facts_.n_ctx_train)
                                                : options_.n_ctx;
        const bitnet_context_params params = context_params(options_.n_ctx, options_);
        bitnet_context* context = nullptr;
        check(bitnet_context_create(model_.get(), &params, &context));
        context_.reset(context, bitnet_context_free);
        room_ = std::make_unique<SequenceRoom>(context, params.n_seq_max, options_.n_cached);
        queue_ = std::make_unique<TextQueue>(static_cast<size_t>(options_.max_queue),
                                             std::chrono::milliseconds(options_.ageing_ms));
        embedder_ = std::make_unique<Embedder>(model_.get(), facts_.n_ctx, options_.n_threads);
        counters_.set_room(room_->n_free_cells(), 0);
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
        auto text = std::make_unique<EngineText>();
        text->job = std::make_shared<Job>();
        text->submitted = Clock::now();
        text->usage.prompt_tokens = spec.prompt.size();
        text->spec = std::move(spec);
        check_lengths(*text);
        // Whatever the library refuses it refuses now, while the answer's status is still open.
        serve::make_generation(context_.get(), 0, 0, *text);
        std::shared_ptr<Job> job = text->job;
        std::function<void(const GenerationSpec&)> mirror;
        GenerationSpec copy;
        {
            const std::lock_guard lock(mutex_);
            if (closed_) throw ApiError(ErrorCode::kUnavailable, "the server is shutting down");
            if (!queue_->has_room(text->spec.tenant)) {
                ApiError error(
                    ErrorCode::kServerOverloaded,
                    std::to_string(queue_->size()) + " requests are waiting for the model '" + facts_.id + "'");
                error.retry_after_s = counters_.retry_after_s(queue_->size(), options_.n_parallel);
                throw error;
            }
            if (mirror_) {
                mirror = mirror_;
                copy = text->spec;
            }
            counters_.queued(text->submitted, queue_->size() == 0 && n_running_ == 0);
            queue_->push(std::move(text));
            wake_.notify_all();
        }
        if (mirror) mirror(copy);
        return job;
    }

    std::vector<std::vector<float>> embed(const std::vector<std::vector<bitnet_token>>& texts, bitnet_pooling pooling,
                                          bool normalize, const std::function<bool()>& client_gone) override {
        return embedder_->embed(texts, pooling, normalize, client_gone);
    }
    EngineStats stats() const override {
        EngineStats stats = counters_.read(Clock::now());
        stats.n_parallel = options_.n_parallel;
        stats.cells = options_.n_ctx;
        return stats;
    }
    void close() override {
        const std::lock_guard lock(mutex_);
        closed_ = true;
    }
    bool idle() const override {
        const std::lock_guard lock(mutex_);
        return queue_->size() == 0 && n_running_ == 0;
    }
    void set_mirror(std::function<void(const GenerationSpec&)> mirror) override {
        const std::lock_guard lock(mutex_);
        mirror_ = std::move(mirror);
    }

private:
    void check_lengths(EngineText& text) const {
        const int64_t n_prompt = static_cast<int64_t>(text.spec.prompt.size()), n_ctx = facts_.n_ctx;
        if (n_prompt == 0) throw ApiError(ErrorCode::kValidationFailed, "the prompt is empty", "prompt");
        const bool too_long = text.spec.max_tokens == 0 ? n_prompt > n_ctx : n_prompt >= n_ctx;
        if (too_long)
            throw ApiError(
                ErrorCode::kPromptTooLong,
                "the prompt has " + std::to_string(n_prompt) + " tokens; the context holds " + std::to_string(n_ctx),
                "prompt", "Shorten the prompt");
        if (text.spec.max_tokens < -1)
            throw ApiError(ErrorCode::kValidationFailed, "max_tokens is below -1", "max_tokens");
        text.to_the_end = text.spec.max_tokens == -1;
        if (!text.to_the_end && text.spec.max_tokens > n_ctx - n_prompt)
            throw ApiError(ErrorCode::kTooManyTokens,
                           "prompt and text together would have " +
                               std::to_string(n_prompt + int64_t{text.spec.max_tokens}) +
                               " tokens; the context holds " + std::to_string(n_ctx),
                           "max_tokens", "At most " + std::to_string(n_ctx - n_prompt) + " tokens fit");
        text.max_new = text.to_the_end ? static_cast<int32_t>(n_ctx - n_prompt) : text.spec.max_tokens;
    }

    void run() {
        while (wait_for_work()) {
            try {
                drop_waiting();
                drop_running();
                begin_texts();
                start_waiting_for_source();
                pass();
                publish();
            } catch (const std::exception& error) {
                fail_all(as_api_error(error));
            }
        }
        fail_all(ApiError(ErrorCode::kUnavailable, "the model was unloaded"));
    }

    // False when the engine ends.
    bool wait_for_work() {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return stop_ || queue_->size() > 0 || !running_.empty(); });
        return !stop_;
    }

    // What waits in vain leaves the queue before anything is computed for it.
    void drop_waiting() {
        const SteadyTime now = Clock::now();
        std::vector<TextHandle> dropped;
        {
            const std::lock_guard lock(mutex_);
            dropped = queue_->take_if(
                [&](const EngineText& text) { return text.is_given_up() || text.spec.deadline <= now; });
        }
        for (TextHandle& text : dropped) {
            text->usage.queue_us = microseconds(now - text->submitted);
            end_early(*text);
        }
    }

    void drop_running() {
        const SteadyTime now = Clock::now();
        for (TextHandle& text : running_)
            if (text->is_given_up() || text->spec.deadline <= now) end_early(*text);
        forget_ended();
    }

    // Cancelled, or its time is over.
    void end_early(EngineText& text) {
        if (!text.is_given_up() && text.usage.generated_tokens == 0) {
            fail(text, ApiError(ErrorCode::kTimeout, "the time for this text was over before its first token"));
            return;
        }
        Step step;
        step.finish = text.is_given_up() ? BITNET_FINISH_CANCELLED : BITNET_FINISH_DEADLINE;
        finish(text, std::move(step));
    }

    void begin_texts() {
        while (running_.size() < static_cast<size_t>(options_.n_parallel)) {
            TextHandle text;
            const SteadyTime now = Clock::now();
            {
                const std::lock_guard lock(mutex_);
                text = queue_->pop(now);
                n_running_ = running_.size() + (text ? 1 : 0);  // never unseen between the queue and here
            }
            if (!text) return;
            try {
                if (!room_->admit(*text, running_)) {
                    if (running_.empty())
                        throw ApiError(ErrorCode::kInternal, "the text does not fit into an empty cache");
                    const std::lock_guard lock(mutex_);
                    queue_->put_back(std::move(text));
                    n_running_ = running_.size();
                    return;
                }
                text->number = ++n_begun_;
                text->usage.queue_us = microseconds(now - text->submitted);
                text->prompt_left = text->spec.prompt.size() - text->reused;
                if (text->sequence >= 0) make_generation(*text);
                running_.push_back(std::move(text));
            } catch (const std::exception& error) {
                fail(*text, as_api_error(error));
            }
        }
    }

    void make_generation(EngineText& text) {
        text.generation = serve::make_generation(context_.get(), text.sequence, options_.n_draft, text);
    }

    void start_waiting_for_source() {
        for (TextHandle& text : running_) {
            if (text->sequence >= 0) continue;
            try {
                if (!room_->start(*text, running_)) continue;
                text->usage.queue_us = microseconds(Clock::now() - text->submitted);
                text->prompt_left = text->spec.prompt.size() - text->reused;
                make_generation(*text);
            } catch (const std::exception& error) {
                fail(*text, as_api_error(error));
            }
        }
        forget_ended();
    }

    // How many tokens the next pass computes at most: all of a chunk, but no longer than running texts can bear.
    size_t pass_tokens(size_t n_drawing) const {
        const size_t chunk = static_cast<size_t>(options_.chunk_tokens);
        const double rate = counters_.prompt_tokens_per_ms();
        if (n_drawing == 0 || options_.chunk_ms <= 0 || rate <= 0) return chunk;
        const size_t bearable = static_cast<size_t>(std::max(16.0, rate * options_.chunk_ms));
        return std::min(chunk, n_drawing + bearable);
    }

    static int64_t prompt_turn(const EngineText& text) {
        return static_cast<int64_t>(text.number) - 8 * static_cast<int64_t>(text.spec.priority);
    }

    // One pass through the model for all running texts, or the tokens that right guesses of some have saved one.
    void pass() {
        std::vector<EngineText*> texts;
        size_t n_drawing = 0;
        for (const TextHandle& text : running_) {
            if (!text->generation) continue;
            texts.push_back(text.get());
            if (!text->in_prompt()) n_drawing++;
        }
        if (texts.empty()) return;
        // Prompts are computed in this order. Urgent ones overtake, but only so many that began before them: none starves.
        std::stable_sort(texts.begin(), texts.end(),
                         [](const EngineText* a, const EngineText* b) { return prompt_turn(*a) < prompt_turn(*b); });
        std::vector<bitnet_generation*> generations;
        for (const EngineText* text : texts) generations.push_back(text->generation.get());
        std::vector<bitnet_generation_step> steps(texts.size());
        for (bitnet_generation_step& step : steps) step.struct_size = sizeof step;
        const SteadyTime began = Clock::now();
        const bitnet_status status =
            bitnet_generation_next_batch(generations.data(), generations.size(), pass_tokens(n_drawing), steps.data());
        if (status == BITNET_E_CANCELLED) return;  // the engine ends, which the next look at the queue tells
        if (status != BITNET_OK) {
            fail_all(error_from_status(status));
            return;
        }
        const SteadyTime now = Clock::now();
        tell_steps(texts, steps, microseconds(now - began), now);
    }

    void tell_steps(const std::vector<EngineText*>& texts, const std::vector<bitnet_generation_step>& steps,
                    uint64_t us, SteadyTime now) {
        n_passes_++;
        uint64_t n_prompt = 0, n_drawn = 0;
        size_t n_computed = 0;
        std::vector<bool> took_part(texts.size());
        for (size_t i = 0; i < texts.size(); i++) {
            const size_t left = std::min(static_cast<size_t>(steps[i].prompt_tokens_left), texts[i]->prompt_left);
            took_part[i] =
                steps[i].status == BITNET_OK &&
                (steps[i].n_tokens > 0 || steps[i].finish_reason != BITNET_FINISH_NONE || left < texts[i]->prompt_left);
            n_prompt += texts[i]->prompt_left - left;
            n_drawn += steps[i].n_tokens;
            n_computed += took_part[i] ? 1 : 0;
            texts[i]->prompt_left = left;
        }
        counters_.pass(now, us, n_computed, n_prompt, n_drawn);
        for (size_t i = 0; i < texts.size(); i++) {
            Usage& usage = texts[i]->usage;
            if (took_part[i]) usage.batch_size = std::max(usage.batch_size, static_cast<uint32_t>(n_computed));
            try {
                tell_step(*texts[i], steps[i]);
            } catch (const ApiError& error) {
                fail(*texts[i], error);
            }
        }
        forget_ended();
    }

    void tell_step(EngineText& text, const bitnet_generation_step& part) {
        if (part.status != BITNET_OK) {
            ApiError error = error_from_status(static_cast<bitnet_status>(part.status));
            error.message = part.error;
            throw error;
        }
        // Within its prompt, or others' right guesses came first.
        if (part.n_tokens == 0 && part.finish_reason == BITNET_FINISH_NONE) return;
        Step step;
        step.text.assign(part.text, part.n_bytes);
        if (part.n_tokens > 0) {
            step.token = part.tokens[0];
            if (text.usage.batch_id.empty())
                text.usage.batch_id = "batch_" + batch_name_ + "_" + std::to_string(n_passes_);
            if (text.spec.n_logprobs > 0) read_logprobs(text, step);
        }
        step.finish = static_cast<bitnet_finish_reason>(part.finish_reason);
        if (step.finish == BITNET_FINISH_NONE) {
            read_usage(text);
            text.job->push(std::move(step), text.usage);
        } else {
            if (text.to_the_end && step.finish == BITNET_FINISH_LENGTH) step.finish = BITNET_FINISH_CONTEXT_FULL;
            finish(text, std::move(step));
        }
    }

    static void read_logprobs(const EngineText& text, Step& step) {
        step.top.resize(static_cast<size_t>(text.spec.n_logprobs));
        size_t n = 0;
        check(
            bitnet_generation_get_logprobs(text.generation.get(), &step.logprob, step.top.data(), step.top.size(), &n));
        step.top.resize(n);
    }

    int32_t read_usage(EngineText& text) {
        text.usage.total_us = microseconds(Clock::now() - text.submitted);
        if (!text.generation) return -1;
        const bitnet_generation_result result = read_result(text);
        text.usage.reused_tokens = result.reused_tokens;
        text.usage.generated_tokens = result.n_tokens;
        text.usage.drafted_tokens = result.drafted_tokens;
        text.usage.accepted_tokens = result.accepted_tokens;
        text.usage.prefill_us = result.prefill_us;
        text.usage.decode_us = result.decode_us;
        text.usage.seed = result.seed;
        return result.stop_sequence;
    }

    void finish(EngineText& text, Step step) {
        step.stop_sequence = read_usage(text);
        counters_.ended(text.usage, false);
        const std::shared_ptr<Job> job = std::move(text.job);
        room_->release(text, true);
        job->push(std::move(step), text.usage);
    }

    void fail(EngineText& text, ApiError error) {
        read_usage(text);
        counters_.ended(text.usage, true);
        const std::shared_ptr<Job> job = std::move(text.job);
        room_->release(text, error.code == ErrorCode::kTimeout);
        job->fail(std::move(error), text.usage);
    }

    void fail_all(const ApiError& error) {
        for (TextHandle& text : running_) fail(*text, error);
        std::vector<TextHandle> waiting;
        {
            const std::lock_guard lock(mutex_);
            if (stop_) waiting = queue_->take_if([](const EngineText&) { return true; });
        }
        for (TextHandle& text : waiting) fail(*text, error);
        forget_ended();
    }

    // Texts that have ended gave their job away.
    void forget_ended() {
        std::erase_if(running_, [](const TextHandle& text) { return !text->job; });
    }

    void publish() {
        counters_.set_room(room_->n_free_cells(), room_->n_cached());
        const std::lock_guard lock(mutex_);
        n_running_ = running_.size();
        counters_.set_load(n_running_, queue_->size());
        counters_.progress(Clock::now());
    }

    const ModelHandle model_;
    ModelFacts facts_;
    EngineOptions options_;
    EngineCounters counters_;
    const std::string batch_name_;
    std::shared_ptr<bitnet_context> context_;
    std::unique_ptr<Embedder> embedder_;

    // The engine's thread only.
    std::unique_ptr<SequenceRoom> room_;
    std::vector<TextHandle> running_;
    uint64_t n_begun_ = 0, n_passes_ = 0;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::unique_ptr<TextQueue> queue_;
    size_t n_running_ = 0;
    std::function<void(const GenerationSpec&)> mirror_;
    bool closed_ = false;
    bool stop_ = false;
    std::thread thread_;  // last: it uses all of the above
};

}  // namespace

std::shared_ptr<Engine> start_engine(ModelHandle model, ModelFacts facts, const EngineOptions& options) {
    // Caches of what was made for an engine tell engines apart by this.
    static std::atomic<uint64_t> n_unnamed = 0;
    if (facts.instance.empty()) facts.instance = "engine_" + std::to_string(++n_unnamed);
    return std::make_shared<EngineThread>(std::move(model), std::move(facts), options);
}

}  // namespace serve
