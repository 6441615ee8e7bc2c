// POST /v1/chat/completions.
#include <mutex>

#include "server/api/chat_text.h"
#include "server/api/openai_shapes.h"
#include "server/core/clock_text.h"
#include "server/http/sse.h"

namespace serve {

namespace {

struct ChatFields {
    ChatRequest chat;
    GenerationSpec spec;
    StreamFields stream;
    std::string model;
    int n = 1;
    bool logprobs = false;
    int n_top = 0;
};

ChatFields read_chat_fields(const ServerState& state, const HttpRequest& request) {
    const Json body = parse_object(request.body);
    const JsonFields fields(body);
    ChatFields read;
    read.model = fields.text("model").value_or("");
    read.chat = read_chat_request(fields);
    read.spec.max_tokens = -1;  // a reply ends by itself
    read_openai_generation(state, request, fields, {"max_completion_tokens", "max_tokens"}, read.spec);
    read.stream = read_stream_fields(fields);
    read.n = read_n(fields);
    read.logprobs = fields.boolean("logprobs").value_or(false);
    read.n_top = static_cast<int>(fields.integer("top_logprobs", 0, 20).value_or(0));
    if (read.n_top > 0 && !read.logprobs) fields.fail("top_logprobs", "needs logprobs to be true");
    read.spec.n_logprobs = read.logprobs ? std::max(read.n_top, 1) : 0;
    if (fields.has("audio")) fields.fail("audio", "is not available; this server's models write text only");
    fields.text("user");
    return read;
}

// The answer to a request: its texts, and what all of its bodies begin with.
struct ChatAnswer {
    ChatFields fields;
    SplitOptions split;
    std::vector<std::shared_ptr<RunningText>> texts;
    Json head;

    const Engine& engine(size_t i = 0) const { return *texts[i]->engine; }
};

ChatAnswer begin_answer(ServerState& state, const HttpRequest& request) {
    ChatAnswer answer;
    answer.fields = read_chat_fields(state, request);
    check_chat(state, answer.fields.chat);
    for (int i = 0; i < answer.fields.n; i++)
        answer.texts.push_back(submit_chat(state, request, answer.fields.model, answer.fields.chat,
                                           choice_spec(answer.fields.spec, static_cast<size_t>(i)), answer.split));
    answer.head = {{"id", random_id("chatcmpl-")},
                   {"object", answer.fields.stream.stream ? "chat.completion.chunk" : "chat.completion"},
                   {"created", unix_now()},
                   {"model", answer.engine().facts().id},
                   {"system_fingerprint", system_fingerprint(answer.engine())}};
    return answer;
}

Json call_json(const ToolCall& call) {
    return {{"id", call.id}, {"type", "function"}, {"function", {{"name", call.name}, {"arguments", call.arguments}}}};
}

Json logprobs_json(const ChatFields& fields, Json content) {
    if (!fields.logprobs) return nullptr;
    return {{"content", std::move(content)}, {"refusal", nullptr}};
}

const char* chat_finish(const TextEnd& end, bool called) {
    const char* reason = openai_finish(end);
    return called && std::string_view(reason) == "stop" ? "tool_calls" : reason;
}

Json whole_choice(const ServerState& state, const HttpRequest& request, const ChatAnswer& answer, size_t index) {
    OutputSplitter splitter(answer.split);
    Reply reply;
    Json logprobs = Json::array();
    const TextEnd end = follow_text(
        state, *answer.texts[index], request.client_gone,
        [&](const Step& step) {
            collect(reply, splitter.push(step.text));
            if (answer.fields.logprobs && step.token >= 0)
                logprobs.push_back(chat_logprob(answer.engine(index), step, answer.fields.n_top));
            return true;
        },
        [] { return true; });
    collect(reply, splitter.finish());
    const bool called = !reply.tool_calls.empty();
    Json message = {{"role", "assistant"}};
    message["content"] = called && reply.text.empty() ? Json() : Json(reply.text);
    if (!reply.reasoning.empty()) message["reasoning_content"] = reply.reasoning;
    message["refusal"] = nullptr;
    for (const ToolCall& call : reply.tool_calls) message["tool_calls"].push_back(call_json(call));
    return {{"index", index},
            {"message", message},
            {"logprobs", logprobs_json(answer.fields, std::move(logprobs))},
            {"finish_reason", chat_finish(end, called)}};
}

// The stream of an answer: chunks of all choices, in the order in which they come.
class ChatStream {
public:
    ChatStream(const ServerState& state, const ChatAnswer& answer, std::function<bool()> client_gone, ByteSink& sink)
        : state_(state), answer_(answer), client_gone_(std::move(client_gone)), sink_(sink) {}

    void write() {
        run_side_by_side(answer_.texts.size(), [&](size_t i) { write_choice(i); });
        if (answer_.fields.stream.include_usage) {
            Json chunk = answer_.head;
            chunk["choices"] = Json::array();
            chunk["usage"] = usage_json(answer_.texts, answer_.texts.size());
            send(chunk);
        }
        const std::lock_guard lock(mutex_);
        if (open_) write_event_text(sink_, "[DONE]");
    }

private:
    void write_choice(size_t index) {
        if (!delta(index, {{"role", "assistant"}, {"content", ""}}, Json::array(), nullptr)) return;
        OutputSplitter splitter(answer_.split);
        Json logprobs = Json::array();  // of tokens whose text is not out yet
        int n_calls = 0;
        const auto give = [&](std::vector<OutputPart> parts) {
            for (OutputPart& part : parts) {
                Json what;
                if (part.kind == OutputPart::Kind::kToolCall) {
                    what = call_json(part.call);
                    what["index"] = n_calls++;
                    what = {{"tool_calls", Json::array({what})}};
                } else {
                    const bool text = part.kind == OutputPart::Kind::kText;
                    what = {{text ? "content" : "reasoning_content", part.text}};
                }
                if (!delta(index, what, std::exchange(logprobs, Json::array()), nullptr)) return false;
            }
            return true;
        };
        const TextEnd end = follow_text(
            state_, *answer_.texts[index], client_gone_,
            [&](const Step& step) {
                if (answer_.fields.logprobs && step.token >= 0)
                    logprobs.push_back(chat_logprob(answer_.engine(index), step, answer_.fields.n_top));
                return give(splitter.push(step.text));
            },
            [&] {
                const std::lock_guard lock(mutex_);
                return open_ = open_ && write_heartbeat(sink_);
            });
        give(splitter.finish());
        const Json timings = answer_.texts.size() == 1 ? timings_json(answer_.texts[0]->job->usage()) : Json();
        delta(index, Json::object(), std::move(logprobs), chat_finish(end, n_calls > 0), timings);
    }

    bool delta(size_t index, Json what, Json logprobs, const char* finish, const Json& timings = nullptr) {
        Json chunk = answer_.head;
        const bool none = logprobs.empty();
        chunk["choices"].push_back({{"index", index},
                                    {"delta", std::move(what)},
                                    {"logprobs", none ? Json() : logprobs_json(answer_.fields, std::move(logprobs))},
                                    {"finish_reason", finish ? Json(finish) : Json()}});
        if (answer_.fields.stream.include_usage) chunk["usage"] = nullptr;
        if (!timings.is_null()) chunk["timings"] = timings;
        return send(chunk);
    }

    bool send(const Json& chunk) {
        const std::lock_guard lock(mutex_);
        return open_ = open_ && write_event(sink_, chunk);
    }

    const ServerState& state_;
    const ChatAnswer& answer_;
    const std::function<bool()> client_gone_;
    ByteSink& sink_;
    std::mutex mutex_;  // of the sink
    bool open_ = true;
};

HttpResponse complete_chat(ServerState& state, const HttpRequest& request) {
    auto answer = std::make_shared<ChatAnswer>(begin_answer(state, request));
    if (answer->fields.stream.stream) {
        HttpResponse response = event_stream_response();
        response.stream = [&state, answer, client_gone = request.client_gone, id = request.request_id](ByteSink& sink) {
            write_or_tell(sink, id, [&] { ChatStream(state, *answer, client_gone, sink).write(); });
        };
        return response;
    }
    Json body = answer->head;
    for (size_t i = 0; i < answer->texts.size(); i++)
        body["choices"].push_back(whole_choice(state, request, *answer, i));
    body["usage"] = usage_json(answer->texts, answer->texts.size());
    if (answer->texts.size() == 1) body["timings"] = timings_json(answer->texts[0]->job->usage());
    HttpResponse response;
    response.body = to_text(body);
    return response;
}

}  // namespace

void add_openai_chat_routes(ServerState& state) {
    for (const char* path : {"/v1/chat/completions", "/chat/completions"})
        state.router.add({"POST", path, Access::kUser, ErrorStyle::kOpenAi,
                          [&state](const HttpRequest& request) { return complete_chat(state, request); }});
}

}  // namespace serve
