// What OpenAI's endpoints share: their fields, the figures of a text as they spell them, log-probabilities.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/api/generation_request.h"
#include "server/core/http_message.h"

namespace serve {

inline constexpr int kMaxChoices = 8;
inline constexpr size_t kMaxTexts = 64;  // of one request: prompts times choices
inline constexpr size_t kMaxOpenAiStops = 16;

// Unix time in seconds.
int64_t unix_now();
// "bitnet-0.1.0-i2_s": the same fingerprint, seed and request give the same text.
std::string system_fingerprint(const Engine& engine);

// The sampler's fields, stop (one or up to 16), max_tokens under the given names (the first there is), timeout_ms,
// priority. What is absent stays as it is in spec.
void read_openai_generation(const ServerState& state, const HttpRequest& request, const JsonFields& fields,
                            const std::vector<const char*>& max_tokens_names, GenerationSpec& spec);
// n, and best_of where there is one, which must not ask for more.
int read_n(const JsonFields& fields);
// Whether to stream, and whether stream_options.include_usage asks for figures at the end.
struct StreamFields {
    bool stream = false;
    bool include_usage = false;
};
StreamFields read_stream_fields(const JsonFields& fields);
// The specification of choice i: another seed for each, where one was given.
GenerationSpec choice_spec(const GenerationSpec& spec, size_t i);

// "stop", "length", "content_filter". Throws where the text was not written to its end: TIMEOUT past its deadline,
// SERVICE_UNAVAILABLE where the server gave it up.
const char* openai_finish(const TextEnd& end);
// prompt_tokens, completion_tokens, total_tokens and prompt_tokens_details. The texts of one prompt stand together, n of
// each; the prompt counts once.
Json usage_json(const std::vector<std::shared_ptr<RunningText>>& texts, size_t n);
// How long the text took, as llama-server tells it.
Json timings_json(const Usage& usage);

// The bytes of one token, control tokens written out.
std::string token_bytes(const Engine& engine, bitnet_token token);
// A log-probability as JSON knows it: OpenAI writes -9999 where a token cannot come.
double json_logprob(float logprob);
// An entry of a chat choice's logprobs.content, with the n_top best.
Json chat_logprob(const Engine& engine, const Step& step, int n_top);

// Writes the texts of one stream: work(i) runs for each of n texts, at the same time where there are several. The first
// exception is thrown again when all have ended.
void run_side_by_side(size_t n, const std::function<void(size_t)>& work);

// Runs write; what it throws becomes an error event, the last of the stream.
void write_or_tell(ByteSink& sink, const std::string& request_id, const std::function<void()>& write);

}  // namespace serve
