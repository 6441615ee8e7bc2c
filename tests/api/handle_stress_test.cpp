// Eight threads make, use and free every kind of handle in random orders over models that they share, and hand handles to
// each other to be freed elsewhere. What a thread sees must not depend on the others: it is compared, bit for bit, with the
// same random actions run alone. Meant for the sanitizers, which see what a comparison cannot.
#include <doctest/doctest.h>

#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/api_fixture.h"

namespace {

constexpr int kThreads = 8;
constexpr int kActions = 600;
constexpr int kMostOfAKind = 4;
constexpr int32_t kSequences = 3;
constexpr const char* kModels[] = {"b158-i2s", "b158-tq2", "llama-f16"};

// splitmix64: the same actions everywhere.
class Random {
public:
    explicit Random(uint64_t seed) : state_(seed) {}
    uint64_t next() {
        uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    int below(size_t n) { return static_cast<int>(next() % n); }

private:
    uint64_t state_;
};

// FNV-1a over everything a thread gets to see.
class Seen {
public:
    void bytes(const void* data, size_t size) {
        const auto* p = static_cast<const unsigned char*>(data);
        for (size_t i = 0; i < size; ++i) hash_ = (hash_ ^ p[i]) * 1099511628211u;
        ++n_;
    }
    template <typename Number>
    void number(Number value) {
        bytes(&value, sizeof value);
    }
    // A status that success and failure alike make part of the result.
    bool status(bitnet_status status) {
        number(static_cast<int32_t>(status));
        n_ok_ += status == BITNET_OK;
        return status == BITNET_OK;
    }
    size_t n_ok() const { return n_ok_; }
    bool operator==(const Seen&) const = default;

private:
    uint64_t hash_ = 14695981039346656037u;
    size_t n_ = 0;
    size_t n_ok_ = 0;
};

// Where threads leave handles for others to free.
class Mailbox {
public:
    void leave(std::function<void()> free) {
        const std::lock_guard lock(mutex_);
        left_.push_back(std::move(free));
    }
    // Frees one that somebody left, not the newest: makers have moved on by then.
    void free_one(size_t which) {
        std::function<void()> free;
        {
            const std::lock_guard lock(mutex_);
            if (left_.empty()) return;
            which %= left_.size();
            free = std::move(left_[which]);
            left_.erase(left_.begin() + static_cast<std::ptrdiff_t>(which));
        }
        free();
    }
    ~Mailbox() {
        for (const std::function<void()>& free : left_) free();
    }

private:
    std::mutex mutex_;
    std::vector<std::function<void()>> left_;
};

struct Context {
    bitnet_context* handle;
    int32_t n_vocab;
};
struct Generation {
    bitnet_generation* handle;
    bitnet_context* context;  // null once it is gone: the text can still be read, not gone on with
};
using Session = std::vector<uint8_t>;

class Worker {
public:
    Worker(uint64_t seed, const std::vector<test::ModelHandle>& shared, Mailbox& mailbox)
        : random_(seed), shared_(shared), mailbox_(mailbox) {}

    Seen run() {
        using Action = void (Worker::*)();
        // Using is drawn more often than making and freeing.
        constexpr Action actions[] = {&Worker::make_model,
                                      &Worker::make_context,
                                      &Worker::make_tokenizer,
                                      &Worker::make_sampler,
                                      &Worker::make_generation,
                                      &Worker::make_generation,
                                      &Worker::free_something,
                                      &Worker::free_something,
                                      &Worker::free_something,
                                      &Worker::decode,
                                      &Worker::decode,
                                      &Worker::decode_batch,
                                      &Worker::sample,
                                      &Worker::sample,
                                      &Worker::step,
                                      &Worker::step,
                                      &Worker::step,
                                      &Worker::step_together,
                                      &Worker::step_together,
                                      &Worker::branch,
                                      &Worker::save,
                                      &Worker::load,
                                      &Worker::encode,
                                      &Worker::fail,
                                      &Worker::cancel};
        for (int i = 0; i < kActions; ++i) (this->*actions[random_.below(std::size(actions))])();
        while (!models_.empty() || !contexts_.empty() || !tokenizers_.empty() || !samplers_.empty() ||
               !generations_.empty()) {
            free_something();
        }
        return seen_;
    }

private:
    template <typename T>
    T* pick(std::vector<T>& all) {
        return all.empty() ? nullptr : &all[static_cast<size_t>(random_.below(all.size()))];
    }
    template <typename T>
    bool full(const std::vector<T>& all) const {
        return all.size() >= kMostOfAKind;
    }
    bitnet_seq_id sequence() { return random_.below(kSequences); }

    void make_model() {
        if (full(models_)) return;
        const int kind = random_.below(std::size(kModels));
        bitnet_model_params params = bitnet_model_default_params();
        params.use_mmap = random_.below(2);
        params.n_threads = 1 + random_.below(2);
        bitnet_model* model = nullptr;
        if (seen_.status(bitnet_model_load(test::golden_model(kModels[kind]).c_str(), &params, &model))) {
            models_.push_back(model);
        }
    }

    void make_context() {
        if (full(contexts_)) return;
        // Over a model of this thread, or one that all of them share.
        bitnet_model* model = shared_[static_cast<size_t>(random_.below(shared_.size()))].get();
        if (random_.below(2) != 0 && !models_.empty()) model = *pick(models_);
        bitnet_context_params params = bitnet_context_default_params();
        params.n_ctx = 48;
        params.n_ubatch = 1 + random_.below(16);
        params.n_seq_max = kSequences;
        params.n_threads = 1 + random_.below(2);
        params.embeddings = 1;
        bitnet_context* context = nullptr;
        bitnet_model_info info = {};
        info.struct_size = sizeof info;
        if (!seen_.status(bitnet_model_get_info(model, &info))) return;
        if (seen_.status(bitnet_context_create(model, &params, &context))) contexts_.push_back({context, info.n_vocab});
    }

    void make_tokenizer() {
        if (full(tokenizers_)) return;
        bitnet_tokenizer* tokenizer = nullptr;
        const std::string path = test::golden_model(kModels[random_.below(std::size(kModels))]);
        if (seen_.status(bitnet_tokenizer_load(path.c_str(), &tokenizer))) tokenizers_.push_back(tokenizer);
    }

    bitnet_sampler_params sampler_params() {
        bitnet_sampler_params params = bitnet_sampler_default_params();
        params.temperature = static_cast<float>(random_.below(3)) * 0.5f;
        params.repetition_penalty = 1.1f;
        params.has_seed = 1;
        params.seed = random_.next();
        return params;
    }

    void make_sampler() {
        if (full(samplers_)) return;
        const bitnet_sampler_params params = sampler_params();
        bitnet_sampler* sampler = nullptr;
        if (seen_.status(bitnet_sampler_create(&params, &sampler))) samplers_.push_back(sampler);
    }

    void make_generation() {
        Context* context = pick(contexts_);
        if (context == nullptr || full(generations_)) return;
        const bitnet_sampler_params sampler = sampler_params();
        const char* stop[] = {"ab", "\n"};
        bitnet_generation_params params = bitnet_generation_default_params();
        params.sampler = &sampler;
        params.max_new_tokens = 1 + random_.below(12);
        params.stop_sequences = stop;
        params.n_stop_sequences = 2;
        const std::string prompt = text();
        bitnet_generation* generation = nullptr;
        if (seen_.status(bitnet_generation_create(context->handle, sequence(), prompt.data(), prompt.size(), &params,
                                                  &generation))) {
            generations_.push_back({generation, context->handle});
        }
    }

    // Frees a handle of a random kind here, or leaves it to another thread and frees what that one left.
    void free_something() {
        std::function<void()> free;
        switch (random_.below(5)) {
            case 0:
                if (!models_.empty()) free = [model = take(models_)] { bitnet_model_free(model); };
                break;
            case 1:
                if (!contexts_.empty()) {
                    bitnet_context* context = take(contexts_).handle;
                    for (Generation& generation : generations_) {
                        if (generation.context == context) generation.context = nullptr;
                    }
                    free = [context] { bitnet_context_free(context); };
                }
                break;
            case 2:
                if (!tokenizers_.empty()) free = [t = take(tokenizers_)] { bitnet_tokenizer_free(t); };
                break;
            case 3:
                if (!samplers_.empty()) free = [sampler = take(samplers_)] { bitnet_sampler_free(sampler); };
                break;
            default:
                if (!generations_.empty()) free = [g = take(generations_).handle] { bitnet_generation_free(g); };
                break;
        }
        if (!free) return;
        if (random_.below(2) == 0) return free();
        mailbox_.leave(std::move(free));
        mailbox_.free_one(random_.next());
    }

    template <typename T>
    T take(std::vector<T>& all) {
        std::swap(all[static_cast<size_t>(random_.below(all.size()))], all.back());
        T taken = std::move(all.back());
        all.pop_back();
        return taken;
    }

    bitnet_token token(const Context& context) { return random_.below(static_cast<size_t>(context.n_vocab)); }

    // Room for more: a full context is an answer like any other, and then a sequence goes.
    void make_room(const Context& context, bitnet_status status) {
        if (!seen_.status(status) && status == BITNET_E_KV_FULL) {
            seen_.status(bitnet_sequence_remove(context.handle, sequence(), -1, -1));
        }
    }

    void see_logits(const Context& context, int32_t index) {
        const float* logits = nullptr;
        if (seen_.status(bitnet_context_get_logits(context.handle, index, &logits))) {
            seen_.bytes(logits, static_cast<size_t>(context.n_vocab) * sizeof(float));
        }
    }

    void decode() {
        Context* context = pick(contexts_);
        if (context == nullptr) return;
        test::Tokens tokens(static_cast<size_t>(1 + random_.below(9)));
        for (bitnet_token& id : tokens) id = token(*context);
        if (random_.below(4) == 0) {
            size_t n_reused = 0;
            make_room(*context,
                      bitnet_context_prefill(context->handle, sequence(), tokens.data(), tokens.size(), &n_reused));
            seen_.number(n_reused);
        } else {
            make_room(*context,
                      bitnet_context_decode_tokens(context->handle, sequence(), tokens.data(), tokens.size()));
        }
        see_logits(*context, -1);
    }

    void decode_batch() {
        Context* context = pick(contexts_);
        if (context == nullptr) return;
        test::BatchArrays arrays;
        const int n = 1 + random_.below(6);
        for (int i = 0; i < n; ++i) arrays.add(token(*context), sequence(), random_.below(2) != 0);
        const bitnet_batch batch = arrays.view();
        make_room(*context, bitnet_context_decode(context->handle, &batch));
        for (int i = 0; i < n; ++i) see_logits(*context, i);
        std::vector<float> vector(4096);
        seen_.status(bitnet_context_get_embedding(context->handle, random_.below(static_cast<size_t>(n)), 1,
                                                  vector.data(), vector.size()));
        seen_.bytes(vector.data(), vector.size() * sizeof(float));
    }

    void sample() {
        Context* context = pick(contexts_);
        bitnet_sampler** sampler = pick(samplers_);
        if (context == nullptr || sampler == nullptr) return;
        bitnet_token id = -1;
        if (seen_.status(bitnet_sampler_sample_context(*sampler, context->handle, -1, &id))) {
            make_room(*context, bitnet_context_decode_tokens(context->handle, sequence(), &id, 1));
        }
        seen_.number(id);
        if (random_.below(8) == 0) seen_.status(bitnet_sampler_reset(*sampler));
    }

    void step() {
        Generation* generation = pick(generations_);
        if (generation == nullptr) return;
        for (int i = random_.below(5); i >= 0 && generation->context != nullptr; --i) {
            bitnet_generation_step step = {};
            step.struct_size = sizeof step;
            if (!seen_.status(bitnet_generation_next(generation->handle, &step))) break;
            seen_.bytes(step.text, step.n_bytes);
            seen_.number(step.finish_reason);
        }
        bitnet_generation_result result = {};
        result.struct_size = sizeof result;
        if (!seen_.status(bitnet_generation_get_result(generation->handle, &result))) return;
        seen_.bytes(result.text, result.n_bytes);
        seen_.bytes(result.tokens, result.n_tokens * sizeof(bitnet_token));
        seen_.number(result.reused_tokens);
    }

    // Some of a context's generations; those that share a sequence are refused.
    void step_together() {
        Context* context = pick(contexts_);
        if (context == nullptr) return;
        std::vector<bitnet_generation*> list;
        for (const Generation& generation : generations_) {
            if (generation.context == context->handle && random_.below(3) != 0) list.push_back(generation.handle);
        }
        std::vector<bitnet_generation_step> steps(list.size() + 1);
        steps[0].struct_size = sizeof steps[0];
        const size_t max_tokens = static_cast<size_t>(random_.below(6));
        if (!seen_.status(bitnet_generation_next_batch(list.data(), list.size(), max_tokens, steps.data()))) return;
        for (size_t i = 0; i < list.size(); ++i) {
            seen_.number(steps[i].status);
            seen_.number(steps[i].finish_reason);
            seen_.number(steps[i].prompt_tokens_left);
            seen_.bytes(steps[i].text, steps[i].n_bytes);
            seen_.bytes(steps[i].tokens, steps[i].n_tokens * sizeof(bitnet_token));
        }
    }

    void branch() {
        Context* context = pick(contexts_);
        if (context == nullptr) return;
        switch (random_.below(4)) {
            case 0: seen_.status(bitnet_sequence_fork(context->handle, sequence(), sequence())); break;
            case 1:
                seen_.status(
                    bitnet_sequence_rewind(context->handle, sequence(), static_cast<size_t>(random_.below(6))));
                break;
            case 2:
                seen_.status(bitnet_sequence_copy(context->handle, sequence(), sequence(), random_.below(4), -1));
                break;
            default:
                seen_.status(bitnet_sequence_shift(context->handle, sequence(), 1, 1 + random_.below(5), nullptr));
                break;
        }
        for (bitnet_seq_id id = 0; id < kSequences; ++id) seen_.number(bitnet_sequence_get_end(context->handle, id));
        seen_.number(bitnet_context_get_n_free(context->handle));
    }

    void save() {
        Context* context = pick(contexts_);
        if (context == nullptr) return;
        size_t size = 0;
        seen_.status(bitnet_context_save_session_to_memory(context->handle, nullptr, 0, &size));
        std::vector<uint8_t> bytes(size);
        if (!seen_.status(bitnet_context_save_session_to_memory(context->handle, bytes.data(), size, &size))) return;
        seen_.bytes(bytes.data(), bytes.size());
        if (full(sessions_)) take(sessions_);
        sessions_.push_back(std::move(bytes));
    }

    void load() {
        Context* context = pick(contexts_);
        Session* session = pick(sessions_);
        if (context == nullptr || session == nullptr) return;
        // One of another model may be refused; what fits comes back bit for bit.
        seen_.status(bitnet_context_load_session_from_memory(context->handle, session->data(), session->size()));
        seen_.number(bitnet_context_get_n_free(context->handle));
    }

    std::string text() {
        std::string text;
        for (int i = random_.below(20); i >= 0; --i) text += static_cast<char>(' ' + random_.below(90));
        return text;
    }

    void encode() {
        const int kind = random_.below(std::size(kModels));
        const bitnet_tokenizer* tokenizer = bitnet_model_get_tokenizer(shared_[static_cast<size_t>(kind)].get());
        if (bitnet_tokenizer** own = pick(tokenizers_); own != nullptr && random_.below(2) != 0) tokenizer = *own;
        const std::string input = text();
        bitnet_token ids[64];
        char output[256];
        size_t n = 0, n_bytes = 0;
        if (!seen_.status(bitnet_tokenizer_encode(tokenizer, input.data(), input.size(), 0, ids, std::size(ids), &n)))
            return;
        seen_.bytes(ids, n * sizeof ids[0]);
        if (seen_.status(
                bitnet_tokenizer_decode(tokenizer, ids, n, BITNET_DECODE_START, output, sizeof output, &n_bytes))) {
            seen_.bytes(output, n_bytes);
        }
    }

    // Failures belong to their thread.
    void fail() {
        const std::string path = "no-model-" + std::to_string(random_.below(1000));
        bitnet_model* model = nullptr;
        seen_.status(bitnet_model_load(path.c_str(), nullptr, &model));
        const std::string message = bitnet_last_error();
        seen_.bytes(message.data(), message.size());
        seen_.number(message.find(path) != std::string::npos);
    }

    void cancel() {
        Context* context = pick(contexts_);
        if (context == nullptr) return;
        bitnet_context_cancel(context->handle);
        const bitnet_token id = 3;
        seen_.status(bitnet_context_decode_tokens(context->handle, sequence(), &id, 1));
    }

    Random random_;
    const std::vector<test::ModelHandle>& shared_;
    Mailbox& mailbox_;
    Seen seen_;
    std::vector<bitnet_model*> models_;
    std::vector<Context> contexts_;
    std::vector<bitnet_tokenizer*> tokenizers_;
    std::vector<bitnet_sampler*> samplers_;
    std::vector<Generation> generations_;
    std::vector<Session> sessions_;
};

std::vector<test::ModelHandle> shared_models() {
    std::vector<test::ModelHandle> models;
    for (const char* name : kModels) models.push_back(test::load_model(test::golden_model(name)));
    return models;
}

}  // namespace

TEST_CASE("eight threads make, use and free handles in random order and see what each would see alone") {
    std::array<Seen, kThreads> alone, together;
    {
        const std::vector<test::ModelHandle> shared = shared_models();
        Mailbox mailbox;
        for (int t = 0; t < kThreads; ++t)
            alone[static_cast<size_t>(t)] = Worker(1000u + static_cast<unsigned>(t), shared, mailbox).run();
    }
    {
        const std::vector<test::ModelHandle> shared = shared_models();
        Mailbox mailbox;
        std::vector<std::thread> threads;
        for (int t = 0; t < kThreads; ++t) {
            threads.emplace_back([&, t] {
                together[static_cast<size_t>(t)] = Worker(1000u + static_cast<unsigned>(t), shared, mailbox).run();
            });
        }
        for (std::thread& thread : threads) thread.join();
    }
    for (size_t t = 0; t < kThreads; ++t) {
        CAPTURE(t);
        CHECK(alone[t].n_ok() > kActions / 2);  // most of what was tried worked
        CHECK(together[t] == alone[t]);
        if (t > 0) CHECK_FALSE(alone[t] == alone[t - 1]);
    }
}
