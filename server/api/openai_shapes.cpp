// Several choices of a stream have a thread each while they last: at most kMaxChoices, and each waits most of its time.
#include "server/api/openai_shapes.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <mutex>
#include <thread>

#include "server/api/reply_blocks.h"
#include "server/http/sse.h"

namespace serve {

int64_t unix_now() {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

std::string system_fingerprint(const Engine& engine) {
    return std::string("bitnet-") + bitnet_version_string() + "-" + engine.facts().quantization;
}

void read_openai_generation(const ServerState& state, const HttpRequest& request, const JsonFields& fields,
                            const std::vector<const char*>& max_tokens_names, GenerationSpec& spec) {
    spec.sampler = http_sampler_params();
    read_sampler_fields(fields, spec);
    fields.texts("stop", kMaxOpenAiStops, true);  // OpenAI's own limit is 4
    read_stop_sequences(fields, "stop", true, spec);
    for (const char* name : max_tokens_names)
        if (read_max_tokens(state, fields, name, spec)) break;
    read_timeout(fields, "timeout_ms", 0, request, spec);
    read_priority(fields, request.identity, spec);
}

int read_n(const JsonFields& fields) {
    const int64_t n = fields.integer("n", 1, kMaxChoices).value_or(1);
    if (fields.integer("best_of", 1, 20).value_or(n) != n)
        fields.fail("best_of", "is not supported; ask for n choices and choose by their logprobs");
    return static_cast<int>(n);
}

StreamFields read_stream_fields(const JsonFields& fields) {
    StreamFields read;
    read.stream = fields.boolean("stream").value_or(false);
    if (const Json* options = fields.object("stream_options"))
        read.include_usage = JsonFields(*options, "stream_options").boolean("include_usage").value_or(false);
    return read;
}

GenerationSpec choice_spec(const GenerationSpec& spec, size_t i) {
    GenerationSpec made = spec;
    if (made.sampler.has_seed) made.sampler.seed += i;
    return made;
}

const char* openai_finish(const TextEnd& end) {
    if (end.blocked) return "content_filter";
    if (end.finish == BITNET_FINISH_DEADLINE)
        throw ApiError(ErrorCode::kTimeout, "the text was not ready within timeout_ms", "timeout_ms");
    if (end.finish == BITNET_FINISH_CANCELLED) throw ApiError(ErrorCode::kUnavailable, "the text was given up");
    return end.finish == BITNET_FINISH_END || end.finish == BITNET_FINISH_STOP_SEQUENCE ? "stop" : "length";
}

Json usage_json(const std::vector<std::shared_ptr<RunningText>>& texts, size_t n) {
    uint64_t prompt = 0, cached = 0, completion = 0;
    for (size_t i = 0; i < texts.size(); i++) {
        const Usage usage = texts[i]->job->usage();
        completion += usage.generated_tokens;
        if (i % n != 0) continue;
        prompt += usage.prompt_tokens;
        cached += usage.reused_tokens;
    }
    return {{"prompt_tokens", prompt},
            {"completion_tokens", completion},
            {"total_tokens", prompt + completion},
            {"prompt_tokens_details", {{"cached_tokens", cached}}}};
}

Json timings_json(const Usage& usage) {
    const auto per = [](double what, double of) { return of > 0 ? what / of : 0.0; };
    const double prompt_n =
        static_cast<double>(usage.prompt_tokens - std::min(usage.prompt_tokens, usage.reused_tokens));
    const double prompt_ms = static_cast<double>(usage.prefill_us) / 1e3;
    const double predicted_n = static_cast<double>(usage.generated_tokens);
    const double predicted_ms = static_cast<double>(usage.decode_us) / 1e3;
    return {{"cache_n", usage.reused_tokens},
            {"prompt_n", static_cast<uint64_t>(prompt_n)},
            {"prompt_ms", prompt_ms},
            {"prompt_per_token_ms", per(prompt_ms, prompt_n)},
            {"prompt_per_second", per(prompt_n * 1e3, prompt_ms)},
            {"predicted_n", usage.generated_tokens},
            {"predicted_ms", predicted_ms},
            {"predicted_per_token_ms", per(predicted_ms, predicted_n)},
            {"predicted_per_second", per(predicted_n * 1e3, predicted_ms)},
            {"queue_ms", static_cast<double>(usage.queue_us) / 1e3}};
}

std::string token_bytes(const Engine& engine, bitnet_token token) {
    return decode_tokens(engine.tokenizer(), {token}, BITNET_DECODE_SPECIAL);
}

double json_logprob(float logprob) { return logprob > -9999.0f ? static_cast<double>(logprob) : -9999.0; }

Json chat_logprob(const Engine& engine, const Step& step, int n_top) {
    const auto entry = [&](bitnet_token token, float logprob) {
        const std::string bytes = token_bytes(engine, token);
        Json list = Json::array();
        for (const char c : bytes) list.push_back(static_cast<unsigned char>(c));
        return Json{{"token", bytes}, {"logprob", json_logprob(logprob)}, {"bytes", list}};
    };
    Json json = entry(step.token, step.logprob);
    Json& top = json["top_logprobs"] = Json::array();
    for (const bitnet_token_logprob& best : step.top) {
        if (static_cast<int>(top.size()) == n_top) break;
        top.push_back(entry(best.token, best.logprob));
    }
    return json;
}

void run_side_by_side(size_t n, const std::function<void(size_t)>& work) {
    if (n == 1) return work(0);
    std::mutex mutex;
    std::exception_ptr first;
    const auto guarded = [&](size_t i) {
        try {
            work(i);
        } catch (...) {
            const std::lock_guard lock(mutex);
            if (!first) first = std::current_exception();
        }
    };
    {
        std::vector<std::jthread> threads;
        try {
            for (size_t i = 1; i < n; i++) threads.emplace_back(guarded, i);
        } catch (...) {  // no more threads: the rest one after the other
            for (size_t i = threads.size() + 1; i < n; i++) guarded(i);
        }
        guarded(0);
    }
    if (first) std::rethrow_exception(first);
}

void write_or_tell(ByteSink& sink, const std::string& request_id, const std::function<void()>& write) {
    tell_failures(write, [&](const ApiError& error) {
        write_event_text(sink, error_body(error, ErrorStyle::kOpenAi, request_id));
    });
}

}  // namespace serve
