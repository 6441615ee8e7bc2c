// POST /v1/completions: text that goes on from a prompt, or from each of several.
#include <algorithm>
#include <mutex>

#include "server/api/chat_text.h"
#include "server/api/openai_shapes.h"
#include "server/api/prompt_scores.h"
#include "server/core/clock_text.h"
#include "server/http/sse.h"

namespace serve {

namespace {

constexpr int32_t kDefaultTokens = 16;  // OpenAI's

// One prompt: text, or the tokens a client made itself.
struct Prompt {
    std::string text;
    std::vector<bitnet_token> tokens;
    bool is_text = true;
    std::string field;
};

struct CompletionFields {
    std::vector<Prompt> prompts;
    ChatRequest format;  // response_format and grammar only
    GenerationSpec spec;
    StreamFields stream;
    std::string model;
    int n = 1;
    int n_top = -1;  // logprobs; -1: none
    bool echo = false;
};

std::vector<bitnet_token> read_tokens(const Json& array, const std::string& place) {
    std::vector<bitnet_token> tokens;
    tokens.reserve(array.size());
    for (const Json& item : array) {
        if (!item.is_number_unsigned() || item.get<uint64_t>() > INT32_MAX)
            throw ApiError(ErrorCode::kValidationFailed, place + " must hold token ids", place);
        tokens.push_back(static_cast<bitnet_token>(item.get<uint64_t>()));
    }
    return tokens;
}

std::vector<Prompt> read_prompts(const JsonFields& fields) {
    const Json* prompt = fields.find("prompt");
    if (!prompt) fields.fail("prompt", "is required");
    if (prompt->is_string()) return {{prompt->get<std::string>(), {}, true, "prompt"}};
    if (!prompt->is_array() || prompt->empty())
        fields.fail("prompt", "must be a string, a list of strings, a list of token ids or a list of such lists");
    if (prompt->front().is_number()) return {{"", read_tokens(*prompt, "prompt"), false, "prompt"}};
    if (prompt->size() > kMaxTexts) fields.fail("prompt", "has more than " + std::to_string(kMaxTexts) + " entries");
    std::vector<Prompt> prompts;
    for (size_t i = 0; i < prompt->size(); i++) {
        const Json& item = (*prompt)[i];
        const std::string place = "prompt." + std::to_string(i);
        if (item.is_string())
            prompts.push_back({item.get<std::string>(), {}, true, place});
        else if (item.is_array() && !item.empty())
            prompts.push_back({"", read_tokens(item, place), false, place});
        else
            throw ApiError(ErrorCode::kValidationFailed, place + " must be a string or a list of token ids", place);
    }
    return prompts;
}

CompletionFields read_completion_fields(const ServerState& state, const HttpRequest& request) {
    const Json body = parse_object(request.body);
    const JsonFields fields(body);
    CompletionFields read;
    read.model = fields.text("model").value_or("");
    read.prompts = read_prompts(fields);
    for (const Prompt& prompt : read.prompts)
        if (prompt.is_text) check_prompt_text(state, prompt.text, prompt.field);
    if (!fields.text("suffix").value_or("").empty())
        fields.fail("suffix", "is not supported: no model here was trained to fill in the middle");
    read.spec.max_tokens = kDefaultTokens;
    read_openai_generation(state, request, fields, {"max_tokens", "max_completion_tokens"}, read.spec);
    read.stream = read_stream_fields(fields);
    read.n = read_n(fields);
    if (read.prompts.size() * static_cast<size_t>(read.n) > kMaxTexts)
        fields.fail("prompt", "and n ask for more than " + std::to_string(kMaxTexts) + " texts");
    if (read.stream.stream && read.prompts.size() * static_cast<size_t>(read.n) > static_cast<size_t>(kMaxChoices))
        fields.fail("stream", "takes at most " + std::to_string(kMaxChoices) + " texts");
    read.n_top = static_cast<int>(fields.integer("logprobs", 0, 20).value_or(-1));
    read.spec.n_logprobs = read.n_top < 0 ? 0 : std::max(read.n_top, 1);
    read.echo = fields.boolean("echo").value_or(false);
    read_response_format(fields, "response_format", read.format);
    if (const std::optional<std::string> gbnf = fields.text("grammar"); gbnf && !gbnf->empty()) {
        if (read.format.format != ReplyFormat::kText) fields.fail("grammar", "and response_format exclude each other");
        read.format.format = ReplyFormat::kGbnf;
        read.format.gbnf = *gbnf;
    }
    fields.text("user");
    return read;
}

GenerationSpec prompt_spec(const CompletionFields& fields, const Prompt& prompt, size_t choice, const Engine& engine) {
    GenerationSpec spec = choice_spec(fields.spec, choice);
    spec.prompt =
        prompt.is_text ? encode_text(engine.tokenizer(), prompt.text, BITNET_ENCODE_ADD_DEFAULT) : prompt.tokens;
    if (spec.prompt.empty()) {  // "": from the beginning of a text
        bitnet_tokenizer_info info;
        info.struct_size = sizeof info;
        check(bitnet_tokenizer_get_info(engine.tokenizer(), &info));
        if (info.bos < 0)
            throw ApiError(ErrorCode::kValidationFailed,
                           prompt.field + " is empty, and the model has no token to begin with", prompt.field);
        spec.prompt.push_back(info.bos);
    }
    check_prompt_tokens(engine, spec.prompt, prompt.field);
    spec.grammar = reply_grammar(engine, fields.format);
    fit_to_model(engine, spec);
    return spec;
}

// The log-probabilities of a choice so far: tokens, token_logprobs, top_logprobs, text_offset.
class CompletionLogprobs {
public:
    // A token of the prompt: null where nothing stands before it.
    void add(const Engine& engine, const TokenScore& score, int n_top) {
        add(engine, score.token, score.known ? Json(json_logprob(score.logprob)) : Json(), score.top, n_top);
    }
    void add(const Engine& engine, const Step& step, int n_top) {
        add(engine, step.token, json_logprob(step.logprob), step.top, n_top);
    }
    bool empty() const { return tokens_.empty(); }
    Json take() {
        return {{"tokens", std::exchange(tokens_, Json::array())},
                {"token_logprobs", std::exchange(logprobs_, Json::array())},
                {"top_logprobs", std::exchange(top_, Json::array())},
                {"text_offset", std::exchange(offsets_, Json::array())}};
    }

private:
    void add(const Engine& engine, bitnet_token token, const Json& logprob,
             const std::vector<bitnet_token_logprob>& best, int n_top) {
        const std::string bytes = token_bytes(engine, token);
        tokens_.push_back(bytes);
        logprobs_.push_back(logprob);
        offsets_.push_back(offset_);
        for (const char c : bytes) offset_ += (c & 0xC0) != 0x80;  // characters, not bytes
        if (n_top == 0 || logprob.is_null()) {
            top_.push_back(nullptr);
            return;
        }
        Json top = Json::object();
        for (int i = 0; i < n_top && i < static_cast<int>(best.size()); i++) {
            const bitnet_token_logprob& entry = best[static_cast<size_t>(i)];
            top.emplace(key_of(token_bytes(engine, entry.token)), json_logprob(entry.logprob));
        }
        top.emplace(key_of(bytes), Json(logprob));
        top_.push_back(std::move(top));
    }
    // Keys must be UTF-8, which one token's bytes need not be.
    static std::string key_of(const std::string& bytes) { return Json::parse(to_text(Json(bytes))).get<std::string>(); }

    Json tokens_ = Json::array(), logprobs_ = Json::array(), top_ = Json::array(), offsets_ = Json::array();
    uint64_t offset_ = 0;
};

struct CompletionAnswer {
    CompletionFields fields;
    std::vector<std::shared_ptr<RunningText>> texts;  // n of the first prompt, then n of the next
    std::vector<std::vector<TokenScore>> scores;      // of each prompt, where echo and logprobs ask for them
    Json head;

    const Engine& engine(size_t i) const { return *texts[i]->engine; }
    // What stands in front of a text.
    std::string echoed(size_t i) const {
        if (!fields.echo) return "";
        const Prompt& prompt = fields.prompts[i / static_cast<size_t>(fields.n)];
        return prompt.is_text ? prompt.text : decode_tokens(engine(i).tokenizer(), prompt.tokens, BITNET_DECODE_START);
    }
    // The log-probabilities of what stands in front of a text.
    CompletionLogprobs echoed_logprobs(size_t i) const {
        CompletionLogprobs logprobs;
        if (scores.empty()) return logprobs;
        for (const TokenScore& score : scores[i / static_cast<size_t>(fields.n)])
            logprobs.add(engine(i), score, fields.n_top);
        return logprobs;
    }
};

// A text's BOS, which the client did not write, is not among the scores.
std::vector<TokenScore> prompt_scores(const HttpRequest& request, const CompletionAnswer& answer, size_t i) {
    const Engine& engine = answer.engine(i * static_cast<size_t>(answer.fields.n));
    const Prompt& prompt = answer.fields.prompts[i];
    const GenerationSpec spec = prompt_spec(answer.fields, prompt, 0, engine);
    std::vector<TokenScore> scores =
        score_prompt(engine, spec.prompt, static_cast<size_t>(answer.fields.n_top), request.client_gone);
    if (prompt.is_text && bitnet_tokenizer_get_attribute(engine.tokenizer(), scores[0].token) == BITNET_TOKEN_CONTROL)
        scores.erase(scores.begin());
    return scores;
}

CompletionAnswer begin_completion(ServerState& state, const HttpRequest& request) {
    CompletionAnswer answer;
    answer.fields = read_completion_fields(state, request);
    for (const Prompt& prompt : answer.fields.prompts)
        for (size_t i = 0; i < static_cast<size_t>(answer.fields.n); i++)
            answer.texts.push_back(submit_text(state, request, answer.fields.model, [&](const Engine& engine) {
                return prompt_spec(answer.fields, prompt, i, engine);
            }));
    if (answer.fields.echo && answer.fields.n_top >= 0)
        for (size_t i = 0; i < answer.fields.prompts.size(); i++)
            answer.scores.push_back(prompt_scores(request, answer, i));
    answer.head = {{"id", random_id("cmpl-")},
                   {"object", "text_completion"},
                   {"created", unix_now()},
                   {"model", answer.engine(0).facts().id},
                   {"system_fingerprint", system_fingerprint(answer.engine(0))}};
    return answer;
}

Json choice_json(size_t index, const std::string& text, Json logprobs, const char* finish) {
    return {{"text", text},
            {"index", index},
            {"logprobs", std::move(logprobs)},
            {"finish_reason", finish ? Json(finish) : Json()}};
}

Json whole_choice(const ServerState& state, const HttpRequest& request, const CompletionAnswer& answer, size_t index) {
    std::string text = answer.echoed(index);
    CompletionLogprobs logprobs = answer.echoed_logprobs(index);
    const TextEnd end = follow_text(
        state, *answer.texts[index], request.client_gone,
        [&](const Step& step) {
            text += step.text;
            if (answer.fields.n_top >= 0 && step.token >= 0)
                logprobs.add(answer.engine(index), step, answer.fields.n_top);
            return true;
        },
        [] { return true; });
    return choice_json(index, text, answer.fields.n_top >= 0 ? logprobs.take() : Json(), openai_finish(end));
}

class CompletionStream {
public:
    CompletionStream(const ServerState& state, const CompletionAnswer& answer, std::function<bool()> client_gone,
                     ByteSink& sink)
        : state_(state), answer_(answer), client_gone_(std::move(client_gone)), sink_(sink) {}

    void write() {
        run_side_by_side(answer_.texts.size(), [&](size_t i) { write_choice(i); });
        if (answer_.fields.stream.include_usage) {
            Json chunk = answer_.head;
            chunk["choices"] = Json::array();
            chunk["usage"] = usage_json(answer_.texts, static_cast<size_t>(answer_.fields.n));
            send(chunk);
        }
        const std::lock_guard lock(mutex_);
        if (open_) write_event_text(sink_, "[DONE]");
    }

private:
    void write_choice(size_t index) {
        CompletionLogprobs logprobs = answer_.echoed_logprobs(index);
        const auto taken = [&] { return logprobs.empty() ? Json() : logprobs.take(); };
        if (const std::string echoed = answer_.echoed(index); !echoed.empty())
            chunk(choice_json(index, echoed, taken(), nullptr));
        const TextEnd end = follow_text(
            state_, *answer_.texts[index], client_gone_,
            [&](const Step& step) {
                if (answer_.fields.n_top >= 0 && step.token >= 0)
                    logprobs.add(answer_.engine(index), step, answer_.fields.n_top);
                return step.text.empty() || chunk(choice_json(index, step.text, taken(), nullptr));
            },
            [&] {
                const std::lock_guard lock(mutex_);
                return open_ = open_ && write_heartbeat(sink_);
            });
        chunk(choice_json(index, "", taken(), openai_finish(end)));
    }

    bool chunk(Json choice) {
        Json chunk = answer_.head;
        chunk["choices"].push_back(std::move(choice));
        if (answer_.fields.stream.include_usage) chunk["usage"] = nullptr;
        return send(chunk);
    }
    bool send(const Json& chunk) {
        const std::lock_guard lock(mutex_);
        return open_ = open_ && write_event(sink_, chunk);
    }

    const ServerState& state_;
    const CompletionAnswer& answer_;
    const std::function<bool()> client_gone_;
    ByteSink& sink_;
    std::mutex mutex_;  // of the sink
    bool open_ = true;
};

HttpResponse complete(ServerState& state, const HttpRequest& request) {
    auto answer = std::make_shared<CompletionAnswer>(begin_completion(state, request));
    if (answer->fields.stream.stream) {
        HttpResponse response = event_stream_response();
        response.stream = [&state, answer, client_gone = request.client_gone, id = request.request_id](ByteSink& sink) {
            write_or_tell(sink, id, [&] { CompletionStream(state, *answer, client_gone, sink).write(); });
        };
        return response;
    }
    Json body = answer->head;
    for (size_t i = 0; i < answer->texts.size(); i++)
        body["choices"].push_back(whole_choice(state, request, *answer, i));
    body["usage"] = usage_json(answer->texts, static_cast<size_t>(answer->fields.n));
    if (answer->texts.size() == 1) body["timings"] = timings_json(answer->texts[0]->job->usage());
    HttpResponse response;
    response.body = to_text(body);
    return response;
}

}  // namespace

void add_openai_completion_routes(ServerState& state) {
    state.router.add({"POST", "/v1/completions", Access::kUser, ErrorStyle::kOpenAi,
                      [&state](const HttpRequest& request) { return complete(state, request); }});
}

}  // namespace serve
