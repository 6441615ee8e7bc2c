// /v1/inference, /v1/inference/stream and the legacy /inference: the native protocol of the specification, and a few fields
// more. Every figure in an answer is measured.
#include <algorithm>
#include <cmath>

#include "server/api/generation_request.h"
#include "server/http/sse.h"
#include "server/metrics/text_labels.h"

namespace serve {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kDefaultTimeoutMs = 30000;

// A request as it was read; what depends on the model is made from it once the model is known.
struct InferenceRequest {
    std::string model_id;
    std::string prompt;
    std::vector<bitnet_token> prompt_tokens;  // instead of the text
    bool has_tokens = false;
    std::string grammar;
    Json json_schema;  // null: none
    std::string device = "auto";
    std::string quantization = "auto";
    GenerationSpec spec;
};

double milliseconds(uint64_t us) { return static_cast<double>(us) / 1000; }

// Tokens per second; 0 where there is no time to divide by.
double rate(uint64_t n_tokens, uint64_t us) {
    return us == 0 ? 0 : static_cast<double>(n_tokens) * 1e6 / static_cast<double>(us);
}

void read_prompt(const JsonFields& fields, InferenceRequest& inference) {
    const Json* prompt = fields.find("prompt");
    if (!prompt) fields.fail("prompt", "is required");
    if (prompt->is_string()) {
        inference.prompt = prompt->get<std::string>();
        return;
    }
    if (!prompt->is_array()) fields.fail("prompt", "must be a string or an array of tokens");
    inference.has_tokens = true;
    inference.prompt_tokens.reserve(prompt->size());
    for (const Json& token : *prompt) {
        const bool whole =
            token.is_number_integer() && (!token.is_number_unsigned() || token.get<uint64_t>() <= INT32_MAX);
        const int64_t id = whole ? token.get<int64_t>() : -1;
        if (id < 0 || id > INT32_MAX) fields.fail("prompt", "must be a string or an array of tokens");
        inference.prompt_tokens.push_back(static_cast<bitnet_token>(id));
    }
    if (inference.prompt_tokens.empty()) fields.fail("prompt", "has no tokens");
}

// The words of the specification, and the library's names of types.
void read_quantization_hint(const JsonFields& fields, InferenceRequest& inference) {
    inference.quantization = fields.text("quantization_hint").value_or("auto");
    for (const char* known : {"auto", "i2s", "tl1", "tl2"})
        if (inference.quantization == known) return;
    if (quantization_label(inference.quantization) == "other")
        throw ApiError(ErrorCode::kQuantizationNotSupported,
                       "quantization_hint names no type of weights: '" + inference.quantization + "'",
                       "quantization_hint", "Use auto, i2s, tl1 or tl2, or leave it out");
}

void read_device_preference(const JsonFields& fields, InferenceRequest& inference) {
    inference.device = fields.text("device_preference").value_or("auto");
    if (inference.device == "gpu") return;
    bitnet_device_kind kind = BITNET_DEVICE_AUTO;
    int32_t index = 0;
    if (bitnet_device_parse(inference.device.c_str(), &kind, &index) != BITNET_OK)
        fields.fail("device_preference", "must be auto, cpu, gpu, metal, cuda or cuda:N");
    if (inference.device == "cuda") inference.device = "cuda:0";
}

bool is_on(const ModelFacts& facts, const std::string& device) {
    if (device == "auto") return true;
    return device == "gpu" ? facts.device != "cpu" : computes_on(facts, device);
}

// The id of a loaded model with the same weights where another one suits the wishes better than the one that was named.
void choose_replica(const ServerState& state, InferenceRequest& inference) {
    if (inference.device == "auto" && inference.quantization == "auto") return;
    const ModelFacts named = state.models->find(inference.model_id)->facts();
    const auto suits = [&](const ModelFacts& facts) {
        const bool hinted = inference.quantization == "auto" || facts.quantization == inference.quantization ||
                            quantization_name(facts.quantization) == inference.quantization;
        return (is_on(facts, inference.device) ? 2 : 0) + (hinted ? 1 : 0);
    };
    int best = suits(named);
    for (const ModelEntry& entry : state.models->list()) {
        const bool same = !named.name.empty() && entry.facts.name == named.name && entry.facts.n_embd == named.n_embd &&
                          entry.facts.n_vocab == named.n_vocab;
        if (!entry.engine || !same || suits(entry.facts) <= best) continue;
        best = suits(entry.facts);
        inference.model_id = entry.facts.id;
    }
}

InferenceRequest read_request(const ServerState& state, const HttpRequest& request) {
    const Json body = parse_object(request.body);
    const JsonFields fields(body);
    InferenceRequest inference;
    inference.spec.sampler = http_sampler_params();
    read_prompt(fields, inference);
    read_max_tokens(state, fields, "max_tokens", inference.spec);
    inference.model_id = fields.text("model").value_or("");
    read_sampler_fields(fields, inference.spec);
    read_stop_sequences(fields, "stop_sequences", false, inference.spec);
    read_priority(fields, request.identity, inference.spec);
    read_device_preference(fields, inference);
    read_quantization_hint(fields, inference);
    read_timeout(fields, "timeout_ms", kDefaultTimeoutMs, request, inference.spec);
    inference.spec.n_logprobs = static_cast<int32_t>(fields.integer("logprobs", 0, 20).value_or(0));
    inference.grammar = fields.text("grammar").value_or("");
    if (const Json* schema = fields.object("json_schema")) inference.json_schema = *schema;
    if (!inference.grammar.empty() && !inference.json_schema.is_null())
        fields.fail("grammar", "and json_schema exclude each other");
    choose_replica(state, inference);
    return inference;
}

GenerationSpec make_spec(const ServerState& state, const InferenceRequest& inference, const Engine& engine) {
    if (!is_on(engine.facts(), inference.device)) {
        std::string reason = "no model here runs on a GPU";
        if (inference.device != "gpu" && bitnet_device_check(inference.device.c_str()) != BITNET_OK)
            reason = bitnet_last_error();
        else if (inference.device != "gpu")
            reason = "the model runs on " + engine.facts().device + ", not on " + inference.device;
        throw ApiError(ErrorCode::kDeviceUnavailable, reason, "device_preference", "Use auto, or leave it out");
    }
    GenerationSpec spec = inference.spec;
    if (inference.has_tokens) {
        check_prompt_tokens(engine, inference.prompt_tokens, "prompt");
        if (state.filter && state.filter->blocks(decode_tokens(engine.tokenizer(), inference.prompt_tokens, 0), false))
            throw ApiError(ErrorCode::kBlockedContent, "prompt has content that this server does not take", "prompt");
        spec.prompt = inference.prompt_tokens;
    } else {
        spec.prompt = encode_prompt(state, engine, inference.prompt, BITNET_ENCODE_ADD_DEFAULT, "prompt");
    }
    if (!inference.grammar.empty()) spec.grammar = compile_gbnf(engine, inference.grammar, "grammar");
    if (!inference.json_schema.is_null())
        spec.grammar = compile_json_schema(engine, inference.json_schema, "json_schema");
    return spec;
}

Json logprob_entry(const Engine& engine, bitnet_token token, float logprob) {
    // A token that cannot come has no finite logarithm; JSON has no infinity.
    return {{"token", token},
            {"text", decode_tokens(engine.tokenizer(), {token}, BITNET_DECODE_SPECIAL)},
            {"logprob", std::isfinite(logprob) ? Json(logprob) : Json()}};
}

Json step_logprobs(const Engine& engine, const Step& step) {
    Json entry = logprob_entry(engine, step.token, step.logprob);
    Json& top = entry["top"] = Json::array();
    for (const bitnet_token_logprob& other : step.top) top.push_back(logprob_entry(engine, other.token, other.logprob));
    return entry;
}

// What both the answer and the last event say of a text that ended.
void add_figures(Json& body, const RunningText& text, const TextEnd& end, const GenerationSpec& spec) {
    const Usage usage = text.job->usage();
    const ModelFacts& facts = text.engine->facts();
    const uint64_t working_us = usage.total_us - std::min(usage.queue_us, usage.total_us);
    body["inference_time_ms"] = milliseconds(working_us);
    body["tokens_per_second"] = rate(usage.generated_tokens, working_us);
    body["device_used"] = device_name(facts.device);
    body["quantization_type"] = quantization_name(facts.quantization);
    body["batch_id"] = usage.batch_id;
    body["batch_size"] = usage.batch_size;
    body["queue_time_ms"] = milliseconds(usage.queue_us);
    body["prompt_tokens"] = usage.prompt_tokens;
    body["reused_tokens"] = usage.reused_tokens;
    body["prompt_time_ms"] = milliseconds(usage.prefill_us);
    body["finish_reason"] = end.name();
    if (end.stop_sequence >= 0 && static_cast<size_t>(end.stop_sequence) < spec.stop.size())
        body["stop_sequence"] = spec.stop[static_cast<size_t>(end.stop_sequence)];
    body["seed"] = usage.seed;
    body["model"] = facts.id;
}

[[noreturn]] void throw_timeout() {
    throw ApiError(ErrorCode::kTimeout, "the time for this request is over", "timeout_ms",
                   "Ask for fewer tokens, or allow more time");
}

HttpResponse infer(ServerState& state, const HttpRequest& request, bool legacy) {
    const InferenceRequest inference = read_request(state, request);
    const std::shared_ptr<RunningText> text = submit_text(
        state, request, inference.model_id, [&](const Engine& engine) { return make_spec(state, inference, engine); });
    std::string written;
    Json logprobs = Json::array();
    const TextEnd end = follow_text(
        state, *text, request.client_gone,
        [&](const Step& step) {
            written += step.text;
            if (inference.spec.n_logprobs > 0 && step.token >= 0)
                logprobs.push_back(step_logprobs(*text->engine, step));
            return true;
        },
        [] { return true; });
    if (end.finish == BITNET_FINISH_DEADLINE) throw_timeout();
    const Usage usage = text->job->usage();
    Json body = {{"text", written}, {"tokens_generated", usage.generated_tokens}};
    add_figures(body, *text, end, inference.spec);
    if (inference.spec.n_logprobs > 0) body["logprobs"] = std::move(logprobs);
    HttpResponse response;
    if (legacy) {
        body = {{"text", body["text"]},
                {"tokens_generated", body["tokens_generated"]},
                {"inference_time_ms", body["inference_time_ms"]},
                {"tokens_per_second", body["tokens_per_second"]}};
        response.headers = {{"Deprecation", "true"}, {"Link", "</v1/inference>; rel=\"successor-version\""}};
    }
    response.body = to_text(body);
    return response;
}

// The events of one text, the last of them `complete` or `error`; none after the client is gone.
class EventStream {
public:
    EventStream(const ServerState& state, const RunningText& text, const GenerationSpec& spec, std::string request_id,
                ByteSink& sink)
        : state_(state), text_(text), spec_(spec), request_id_(std::move(request_id)), sink_(sink),
          metrics_at_(text.submitted) {}

    void run(const std::function<bool()>& client_gone) {
        try {
            const TextEnd end = follow_text(
                state_, text_, client_gone, [this](const Step& step) { return write_step(step); },
                [this] { return reached_ = write_heartbeat(sink_); });
            if (end.finish == BITNET_FINISH_DEADLINE) throw_timeout();
            if (!reached_ || client_gone() || !write_metrics()) return;
            write_complete(end);
        } catch (const ApiError& error) {
            write_error(error);
        } catch (const std::exception& error) {
            write_error(ApiError(ErrorCode::kInternal, std::string("internal error: ") + error.what()));
        }
    }

private:
    bool send(const Json& event) { return reached_ = write_event(sink_, event); }

    bool write_step(const Step& step) {
        if (step.token >= 0) n_tokens_++;
        const bool has_logprobs = spec_.n_logprobs > 0 && step.token >= 0;
        if (has_logprobs) logprobs_.push_back(step_logprobs(*text_.engine, step));
        if (!step.text.empty()) {
            written_ += step.text;
            // Of the last token in this text: characters in several tokens and held back text make steps larger than 1.
            Json event = {{"type", "token"}, {"text", step.text}, {"position", n_tokens_ > 0 ? n_tokens_ - 1 : 0}};
            if (spec_.n_logprobs > 0) {
                event["logprobs"] = std::move(logprobs_);
                logprobs_ = Json::array();
            }
            if (!send(event)) return false;
        }
        return Clock::now() - metrics_at_ < std::chrono::seconds(1) || write_metrics();
    }

    // The rate since the last event of this kind; for the first one, since the text was submitted.
    bool write_metrics() {
        const Clock::time_point now = Clock::now();
        const std::chrono::duration<double> passed = now - metrics_at_;
        const uint64_t n_new = n_tokens_ - n_reported_;
        if (n_new == 0 || passed.count() <= 0) return true;
        metrics_at_ = now;
        n_reported_ = n_tokens_;
        return send({{"type", "metrics"},
                     {"tokens_per_second", static_cast<double>(n_new) / passed.count()},
                     {"device", device_name(text_.engine->facts().device)},
                     {"tokens_generated", n_tokens_}});
    }

    void write_complete(const TextEnd& end) {
        Json event = {{"type", "complete"}, {"total_tokens", text_.job->usage().generated_tokens}};
        add_figures(event, text_, end, spec_);
        event["final_text"] = written_;
        send(event);
    }

    void write_error(const ApiError& error) {
        Json event = {{"type", "error"}};
        event.update(Json::parse(error_body(error, ErrorStyle::kNative, request_id_)));
        send(event);
    }

    const ServerState& state_;
    const RunningText& text_;
    const GenerationSpec& spec_;
    const std::string request_id_;
    ByteSink& sink_;
    std::string written_;
    Json logprobs_ = Json::array();
    uint64_t n_tokens_ = 0, n_reported_ = 0;
    Clock::time_point metrics_at_;
    bool reached_ = true;  // the last write reached the client
};

HttpResponse infer_stream(ServerState& state, const HttpRequest& request) {
    const InferenceRequest inference = read_request(state, request);
    const std::shared_ptr<RunningText> text = submit_text(
        state, request, inference.model_id, [&](const Engine& engine) { return make_spec(state, inference, engine); });
    HttpResponse response = event_stream_response();
    response.stream = [&state, text, spec = inference.spec, client_gone = request.client_gone,
                       request_id = request.request_id](ByteSink& sink) {
        EventStream(state, *text, spec, request_id, sink).run(client_gone);
    };
    return response;
}

}  // namespace

void add_native_routes(ServerState& state) {
    const auto add = [&](const char* path, Handler handler) {
        state.router.add({"POST", path, Access::kUser, ErrorStyle::kNative, std::move(handler)});
    };
    add("/v1/inference", [&state](const HttpRequest& request) { return infer(state, request, false); });
    add("/v1/inference/stream", [&state](const HttpRequest& request) { return infer_stream(state, request); });
    add("/inference", [&state](const HttpRequest& request) { return infer(state, request, true); });
}

}  // namespace serve
