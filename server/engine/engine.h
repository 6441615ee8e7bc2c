// A loaded model at work: its weights, one context, and the one thread that drives it. Texts of many requests are joined
// into one batch per step. Handles are shared: whoever holds one (a stream in the making) keeps the weights alive.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bitnet.h"
#include "server/engine/job.h"

namespace serve {

struct EngineOptions {
    int32_t n_ctx =
        0;  // KV cells of all texts together; 0: n_parallel of the longest texts, as far as 1 GiB holds them
    int32_t n_parallel = 32;  // texts computed at once
    int32_t n_cached = -1;    // finished texts whose beginnings may be used again; -1: four times n_parallel; 0: none
    int32_t n_threads = 0;
    int32_t type_k = BITNET_KV_F16, type_v = BITNET_KV_F16;
    int32_t max_queue = 256;     // texts that wait; beyond it SERVER_OVERLOADED
    int32_t n_draft = 0;         // tokens that a text guesses ahead at most, see bitnet_generation_params
    int32_t chunk_tokens = 512;  // of prompts per step, so that running texts never stall longer
    int32_t chunk_ms = 250;      // nor longer than that, by the measured speed; 0: chunk_tokens alone
    uint64_t max_bytes = 0;      // of all models and contexts together; 0: $BITNET_MEMORY_LIMIT decides
    int32_t ageing_ms = 5000;    // a text that waits so long is as urgent as the next higher priority
};

// What is known of a loaded model; never changes.
struct ModelFacts {
    std::string id;
    std::string instance;  // "model_3": this loading of it; a swapped model has the old one's id and a new instance
    std::string path;      // "" for the embedded model
    std::string name;      // general.name
    std::string architecture;
    std::string quantization;  // "i2_s"
    std::string device;        // "cpu", "cuda:0,cuda:1"
    int32_t n_ctx = 0;         // the longest text, prompt included
    int32_t n_ctx_train = 0;
    int32_t n_vocab = 0;
    int32_t n_embd = 0;
    uint64_t n_parameters = 0;
    uint64_t n_tensors = 0;
    uint64_t n_bytes = 0;  // of all tensors as stored
    std::chrono::system_clock::time_point loaded_at = {};
    uint64_t load_us = 0;
};

// Whether a device has the model, or some of its layers.
inline bool computes_on(const ModelFacts& facts, const std::string& device) {
    return ("," + facts.device + ",").find("," + device + ",") != std::string::npos;
}

// Counters since the model was loaded; read at any time from any thread.
struct EngineStats {
    uint64_t requests = 0;  // ended, however
    uint64_t failed_requests = 0;
    uint64_t generated_tokens = 0;
    uint64_t prompt_tokens = 0;  // computed ones
    uint64_t reused_tokens = 0;
    uint64_t decode_us = 0;      // of steps that brought a token
    uint64_t request_us = 0;     // sum over requests
    uint64_t queue_us = 0;       // sum over requests
    uint64_t batches = 0;        // passes through the model, those that right guesses saved included
    uint64_t batched_texts = 0;  // texts over all passes: the mean batch size is this over batches
    int32_t active = 0;          // texts being computed now
    int32_t waiting = 0;
    int32_t n_parallel = 0;  // the most texts of a pass
    int32_t cells = 0;       // of the KV cache
    int32_t free_cells = 0;
    int32_t cached_texts = 0;              // finished ones whose beginnings may be used again
    double tokens_per_second = 0;          // over the last seconds; 0 when idle
    std::chrono::milliseconds stalled{0};  // since the last progress while there was work; 0 without work
};

using ModelHandle = std::shared_ptr<bitnet_model>;

class Engine {
public:
    virtual ~Engine() = default;

    virtual const ModelFacts& facts() const = 0;
    virtual bitnet_model* model() const = 0;
    // Throws ApiError VALIDATION_FAILED for a model without a tokenizer.
    virtual const bitnet_tokenizer* tokenizer() const = 0;
    // Queues a text. Throws PROMPT_TOO_LONG, TOO_MANY_TOKENS, SERVER_OVERLOADED (with retry_after_s), UNAVAILABLE while
    // shutting down, or what the library says of the parameters: what is taken here runs. Any thread. A model that was
    // swapped or unloaded meanwhile still takes texts of those who hold it, so nobody has to look it up again.
    virtual std::shared_ptr<Job> submit(GenerationSpec spec) = 0;
    // The normalised or raw pooled hidden state of each text's tokens, n_embd floats each. Any thread; one at a time.
    virtual std::vector<std::vector<float>> embed(const std::vector<std::vector<bitnet_token>>& texts,
                                                  bitnet_pooling pooling, bool normalize,
                                                  const std::function<bool()>& client_gone) = 0;
    virtual EngineStats stats() const = 0;  // cheap: waits for nobody
    // No more texts; those there are go to their end. Returns at once.
    virtual void close() = 0;
    // True once nothing runs or waits.
    virtual bool idle() const = 0;
    // Is shown every text that submit() takes, on the submitting thread, until another one (or none) is set.
    virtual void set_mirror(std::function<void(const GenerationSpec&)> mirror) = 0;
};

// Starts the engine's thread over a model. Throws ApiError.
std::shared_ptr<Engine> start_engine(ModelHandle model, ModelFacts facts, const EngineOptions& options);

// Encodes text; BOS as the model file says where add_default.
std::vector<bitnet_token> encode_text(const bitnet_tokenizer* tokenizer, std::string_view text, uint32_t flags);
std::string decode_tokens(const bitnet_tokenizer* tokenizer, const std::vector<bitnet_token>& tokens, uint32_t flags);

}  // namespace serve
