// What the protocols share: reading sampler fields, limits of a prompt, priority and deadline, handing a text to its engine
// and what of its output may be shown. A handler reads its own fields, then:
//
//     GenerationSpec spec;                                  with http_sampler_params(), T4's defaults
//     read_sampler_fields(fields, spec);
//     const auto text = submit_text(state, request, model_id, [&](const Engine& engine) {
//         GenerationSpec made = spec;                       called again where the model was exchanged meanwhile
//         made.prompt = encode_prompt(state, engine, prompt, BITNET_ENCODE_ADD_DEFAULT, "prompt");
//         return made;
//     });
//     const TextEnd end = follow_text(state, *text, request.client_gone, on_step, idle);
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/core/json_fields.h"
#include "server/core/server_state.h"
#include "server/filter/content_filter.h"

namespace serve {

// ---- Reading fields. All throw VALIDATION_FAILED with the field's name unless another code is named.

// The sampler of a request that says nothing: temperature 1, top_p 0.9, top_k 50.
bitnet_sampler_params http_sampler_params();
// temperature (0 .. 2; 0 is greedy), top_p, top_k, min_p, typical_p, repetition_penalty (also repeat_penalty),
// frequency_penalty, presence_penalty, penalty_last_n (also repeat_last_n), seed (any 64-bit number; -1: a fresh one),
// xtc_probability, xtc_threshold, dry_multiplier, dry_base, dry_allowed_length, dry_penalty_last_n, dynatemp_range,
// dynatemp_exponent, top_n_sigma, mirostat, mirostat_tau, mirostat_eta, logit_bias ({"token id": bias}, or [[id, bias]];
// false forbids). What is absent stays as it is in spec.sampler.
void read_sampler_fields(const JsonFields& fields, GenerationSpec& spec);
// A length limit; 0: the prompt only. TOO_MANY_TOKENS above the server's limit. False where it is absent.
bool read_max_tokens(const ServerState& state, const JsonFields& fields, const char* name, GenerationSpec& spec);
// At most 64 texts of 1 .. 1024 bytes without NUL.
void read_stop_sequences(const JsonFields& fields, const char* name, bool allow_one, GenerationSpec& spec);
// priority: "low", "normal", "high", "critical"; above the identity's ceiling it is the ceiling.
void read_priority(const JsonFields& fields, const Identity& identity, GenerationSpec& spec);
// A number of milliseconds from the request's arrival, 1 .. 3600000; default_ms where absent, 0 for no limit.
void read_timeout(const JsonFields& fields, const char* name, int64_t default_ms, const HttpRequest& request,
                  GenerationSpec& spec);

// ---- Prompts

// Text of a client that goes into a prompt: PROMPT_TOO_LONG by bytes, INVALID_CHARACTERS for NUL and what is no UTF-8,
// BLOCKED_CONTENT by the filter.
void check_prompt_text(const ServerState& state, std::string_view text, const std::string& field);
// check_prompt_text and encode_text, and PROMPT_TOO_LONG by tokens (check_prompt_tokens).
std::vector<bitnet_token> encode_prompt(const ServerState& state, const Engine& engine, std::string_view text,
                                        uint32_t flags, const std::string& field);
// Leaves room for at least one token; ids inside the vocabulary. Needed for tokens that come from elsewhere.
void check_prompt_tokens(const Engine& engine, const std::vector<bitnet_token>& tokens, const std::string& field);
// Compiled for the engine's vocabulary; VALIDATION_FAILED says what is wrong with it.
std::shared_ptr<const bitnet_grammar> compile_gbnf(const Engine& engine, const std::string& text,
                                                   const std::string& field);
std::shared_ptr<const bitnet_grammar> compile_json_schema(const Engine& engine, const Json& schema,
                                                          const std::string& field);

// ---- Texts

// A text at work. Letting go of it cancels what is not finished.
struct RunningText {
    RunningText(std::shared_ptr<Engine> of_engine, std::shared_ptr<Job> its_job)
        : engine(std::move(of_engine)), job(std::move(its_job)) {}
    ~RunningText() { job->cancel(); }
    RunningText(const RunningText&) = delete;
    RunningText& operator=(const RunningText&) = delete;

    const std::shared_ptr<Engine> engine;
    const std::shared_ptr<Job> job;
    const SteadyTime submitted = std::chrono::steady_clock::now();
};

// Finds the model ("" is the default one), lets make_spec fill a specification for it, adds tenant and request id, and
// submits. Its figures go into the metrics and its tokens to the identity's quota when it ends. Where the engine closed in
// between because its model was exchanged, does so again with the new one. Throws what these throw; SERVICE_UNAVAILABLE while
// the server drains.
std::shared_ptr<RunningText> submit_text(ServerState& state, const HttpRequest& request, const std::string& model_id,
                                         const std::function<GenerationSpec(const Engine&)>& make_spec);
// The same for an engine that is chosen already.
std::shared_ptr<RunningText> submit_to(ServerState& state, const HttpRequest& request, std::shared_ptr<Engine> engine,
                                       GenerationSpec spec);

struct TextEnd {
    bitnet_finish_reason finish =
        BITNET_FINISH_CANCELLED;  // CANCELLED also where on_step, idle or the client stopped it
    int32_t stop_sequence = -1;
    bool blocked = false;  // the content filter ended it: finish reason "content_filter"
    // For people and the native protocol: "end", "stop_sequence", "length", "context_full", "cancelled", "deadline",
    // "content_filter".
    const char* name() const;
};

// follow() with the content filter in between: on_step gets text that may be shown (the filter may hold back the beginning
// of a phrase, and gives it out with the last step). Throws the ApiError that ended the job.
TextEnd follow_text(const ServerState& state, const RunningText& text, const std::function<bool()>& client_gone,
                    const std::function<bool(const Step&)>& on_step, const std::function<bool()>& idle);

// ---- Names as the specification spells them

std::string quantization_name(const std::string& quantization);  // "i2_s" -> "i2s"; others as they are
std::string device_name(const std::string& device);              // "cpu" -> "Cpu", "cuda:0" -> "Cuda"

}  // namespace serve
