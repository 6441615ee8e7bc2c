// POST /api/generate and /api/chat: answers as lines of JSON, streamed unless the client says otherwise.
#include <algorithm>

#include "server/api/ollama_models.h"
#include "server/api/ollama_request.h"
#include "server/api/reply_blocks.h"
#include "server/core/clock_text.h"

namespace serve {

namespace {

using Clock = std::chrono::steady_clock;

uint64_t nanoseconds(Clock::duration passed) {
    return static_cast<uint64_t>(
        std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::nanoseconds>(passed).count()));
}

struct OllamaAnswer {
    OllamaRequest read;
    bool is_chat = false;
    SplitOptions split;
    std::vector<bitnet_token> tokens;  // of the prompt, then of the text: what context gives back
    std::shared_ptr<RunningText> text;
    SteadyTime began;
    uint64_t load_ns = 0;

    // A line of the stream, or the whole answer: parts of one kind.
    Json line(const OutputPart& part) const {
        Json json = {{"model", read.model}, {"created_at", iso_time(std::chrono::system_clock::now())}};
        if (is_chat)
            json["message"] = {{"role", "assistant"}, {"content", ""}};
        else
            json["response"] = "";
        Json& shown = is_chat ? json["message"] : json;
        if (part.kind == OutputPart::Kind::kText)
            shown[is_chat ? "content" : "response"] = part.text;
        else if (part.kind == OutputPart::Kind::kReasoning)
            shown["thinking"] = part.text;
        else
            shown["tool_calls"] = Json::array({call_json(part.call)});
        json["done"] = false;
        return json;
    }
    static Json call_json(const ToolCall& call) {
        return {{"id", call.id}, {"function", {{"name", call.name}, {"arguments", call_arguments(call)}}}};
    }
    void finish(Json& json, const TextEnd& end) const {
        const bool natural = end.finish == BITNET_FINISH_END || end.finish == BITNET_FINISH_STOP_SEQUENCE;
        json["done"] = true;
        json["done_reason"] = end.blocked ? "content_filter" : natural ? "stop" : "length";
        if (!is_chat && !read.raw) json["context"] = tokens;
        const Usage usage = text->job->usage();
        json["total_duration"] = nanoseconds(Clock::now() - began);
        json["load_duration"] = load_ns;
        json["prompt_eval_count"] = usage.prompt_tokens;
        json["prompt_eval_duration"] = usage.prefill_us * 1000;
        json["eval_count"] = usage.generated_tokens;
        json["eval_duration"] = usage.decode_us * 1000;
    }
    bool shows(const OutputPart& part) const { return part.kind != OutputPart::Kind::kReasoning || read.show_thinking; }
};

std::vector<bitnet_token> raw_prompt(const ServerState& state, const Engine& engine, const OllamaRequest& read) {
    return encode_prompt(state, engine, read.prompt, BITNET_ENCODE_ADD_DEFAULT | BITNET_ENCODE_PARSE_SPECIAL, "prompt");
}

// The earlier text goes in front; a second beginning of text in the middle would confuse the model.
void put_context_in_front(const Engine& engine, const std::vector<bitnet_token>& context,
                          std::vector<bitnet_token>& prompt) {
    if (context.empty()) return;
    check_prompt_tokens(engine, context, "context");
    bitnet_tokenizer_info info;
    info.struct_size = sizeof info;
    check(bitnet_tokenizer_get_info(engine.tokenizer(), &info));
    if (!prompt.empty() && prompt.front() == info.bos) prompt.erase(prompt.begin());
    prompt.insert(prompt.begin(), context.begin(), context.end());
}

void submit(ServerState& state, const HttpRequest& request, OllamaAnswer& answer) {
    const OllamaRequest& read = answer.read;
    if (answer.is_chat) {
        answer.text = submit_conversation(state, request, read.model_id, read.chat, read.spec, answer.split);
        return;
    }
    answer.text = submit_text(state, request, read.model_id, [&](const Engine& engine) {
        GenerationSpec spec = read.spec;
        ChatPrompt prompt;
        if (read.raw)
            prompt.tokens = raw_prompt(state, engine, read);
        else
            prompt = encode_chat(engine, read.chat);
        put_context_in_front(engine, read.context, prompt.tokens);
        check_prompt_tokens(engine, prompt.tokens, "prompt");
        if (auto grammar = reply_grammar(engine, read.chat)) spec.grammar = std::move(grammar);
        spec.stop.insert(spec.stop.end(), prompt.stop.begin(), prompt.stop.end());
        answer.tokens = prompt.tokens;
        answer.split = std::move(prompt.split);
        if (read.raw) answer.split.reasoning = false;
        spec.prompt = std::move(prompt.tokens);
        limit_to_context(engine, spec);
        return spec;
    });
}

// Nothing to answer: the client wants the model to be there.
HttpResponse loaded(const OllamaAnswer& answer) {
    Json json = answer.line({});
    json["done"] = true;
    json["done_reason"] = "load";
    HttpResponse response;
    if (answer.read.stream) response.content_type = "application/x-ndjson";
    response.body = to_text(json) + (answer.read.stream ? "\n" : "");
    return response;
}

bool write_line(ByteSink& sink, const Json& json) { return sink.write(to_text(json) + "\n"); }

// Runs the text; its tokens become part of the context.
TextEnd follow_answer(const ServerState& state, OllamaAnswer& answer, const std::function<bool()>& client_gone,
                      const PartHandler& on_part) {
    OutputSplitter splitter(answer.split);
    bool open = true;
    const auto give = [&](const std::vector<OutputPart>& parts) {
        for (const OutputPart& part : parts) open = open && (!answer.shows(part) || on_part(part));
        return open;
    };
    const TextEnd end = follow_text(
        state, *answer.text, client_gone,
        [&](const Step& step) {
            if (step.token >= 0) answer.tokens.push_back(step.token);
            return give(splitter.push(step.text));
        },
        [] { return true; });
    give(splitter.finish());
    return end;
}

HttpResponse whole(const ServerState& state, const HttpRequest& request, OllamaAnswer& answer) {
    std::string text, thinking;
    Json calls = Json::array();
    const TextEnd end = follow_answer(state, answer, request.client_gone, [&](const OutputPart& part) {
        if (part.kind == OutputPart::Kind::kText)
            text += part.text;
        else if (part.kind == OutputPart::Kind::kReasoning)
            thinking += part.text;
        else
            calls.push_back(OllamaAnswer::call_json(part.call));
        return true;
    });
    Json json = answer.line({OutputPart::Kind::kText, text, {}});
    Json& shown = answer.is_chat ? json["message"] : json;
    if (!thinking.empty()) shown["thinking"] = thinking;
    if (!calls.empty()) shown["tool_calls"] = std::move(calls);
    answer.finish(json, end);
    HttpResponse response;
    response.body = to_text(json);
    return response;
}

HttpResponse complete(ServerState& state, const HttpRequest& request, bool is_chat) {
    const auto answer = std::make_shared<OllamaAnswer>();
    answer->is_chat = is_chat;
    answer->began = request.received == SteadyTime() ? Clock::now() : request.received;
    answer->read = is_chat ? read_ollama_chat(state, request) : read_ollama_generate(state, request);
    const OllamaRequest& read = answer->read;
    const Clock::time_point before = Clock::now();
    state.models->find(read.model_id);
    answer->load_ns = nanoseconds(Clock::now() - before);
    if (is_chat ? read.chat.messages.empty() : read.prompt.empty()) return loaded(*answer);
    submit(state, request, *answer);
    if (!read.stream) return whole(state, request, *answer);
    HttpResponse response;
    response.content_type = "application/x-ndjson";
    response.headers = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}};
    response.stream = [&state, answer, client_gone = request.client_gone](ByteSink& sink) {
        tell_failures(
            [&] {
                const TextEnd end = follow_answer(state, *answer, client_gone, [&](const OutputPart& part) {
                    return write_line(sink, answer->line(part));
                });
                Json last = answer->line({});
                answer->finish(last, end);
                write_line(sink, last);
            },
            [&](const ApiError& error) {
                write_line(sink, {{"error", error.message}});
            });
    };
    return response;
}

}  // namespace

void add_ollama_routes(ServerState& state) {
    const auto add = [&](const char* path, bool is_chat) {
        state.router.add({"POST", path, Access::kUser, ErrorStyle::kOllama,
                          [&state, is_chat](const HttpRequest& request) { return complete(state, request, is_chat); }});
    };
    add("/api/generate", false);
    add("/api/chat", true);
    add_ollama_model_routes(state);
}

}  // namespace serve
