// POST /v1/messages and /v1/messages/count_tokens, as Anthropic's clients speak them.
#include "server/api/anthropic_request.h"
#include "server/api/chat_text.h"
#include "server/api/reply_blocks.h"
#include "server/core/clock_text.h"
#include "server/http/sse.h"

namespace serve {

namespace {

struct AnthropicAnswer {
    AnthropicRequest read;
    SplitOptions split;
    std::shared_ptr<RunningText> text;
    std::string id = random_id("msg_");
    std::string request_id;

    // input_tokens are those that were computed: with the reused ones they are the prompt.
    Json usage() const {
        const Usage usage = text->job->usage();
        return {{"input_tokens", usage.prompt_tokens - std::min(usage.prompt_tokens, usage.reused_tokens)},
                {"cache_creation_input_tokens", 0},
                {"cache_read_input_tokens", usage.reused_tokens},
                {"output_tokens", usage.generated_tokens}};
    }
    Json message(Json content) const {
        return {{"id", id},
                {"type", "message"},
                {"role", "assistant"},
                {"model", text->engine->facts().id},
                {"content", std::move(content)},
                {"stop_reason", nullptr},
                {"stop_sequence", nullptr},
                {"usage", usage()}};
    }
    // Sets stop_reason and stop_sequence.
    void tell_end(Json& object, const TextEnd& end, bool called) const {
        const size_t n_own = read.spec.stop.size();  // those behind them are the format's
        const auto stop = static_cast<size_t>(end.stop_sequence);
        const bool own = end.finish == BITNET_FINISH_STOP_SEQUENCE && end.stop_sequence >= 0 && stop < n_own;
        object["stop_reason"] = reason(end, own, called);
        object["stop_sequence"] = own ? Json(read.spec.stop[stop]) : Json();
    }

private:
    static const char* reason(const TextEnd& end, bool own_stop, bool called) {
        if (end.blocked) return "refusal";
        if (own_stop) return "stop_sequence";
        switch (end.finish) {
            case BITNET_FINISH_END:
            case BITNET_FINISH_STOP_SEQUENCE: return called ? "tool_use" : "end_turn";
            case BITNET_FINISH_CONTEXT_FULL: return "model_context_window_exceeded";
            default: return "max_tokens";
        }
    }
};

Json block_json(const OutputPart& part) {
    switch (part.kind) {
        case OutputPart::Kind::kText: return {{"type", "text"}, {"text", part.text}, {"citations", nullptr}};
        case OutputPart::Kind::kReasoning: return {{"type", "thinking"}, {"thinking", part.text}, {"signature", ""}};
        default: break;
    }
    return {{"type", "tool_use"}, {"id", part.call.id}, {"name", part.call.name}, {"input", call_arguments(part.call)}};
}

Json whole_message(const ServerState& state, const HttpRequest& request, const AnthropicAnswer& answer) {
    std::vector<OutputPart> blocks;
    const TextEnd end = read_blocks(state, request, *answer.text, answer.split, blocks);
    Json content = Json::array();
    bool called = false;
    for (const OutputPart& block : blocks) {
        called = called || block.kind == OutputPart::Kind::kToolCall;
        if (block.kind != OutputPart::Kind::kReasoning || answer.read.show_thinking)
            content.push_back(block_json(block));
    }
    Json message = answer.message(std::move(content));
    answer.tell_end(message, end, called);
    return message;
}

// The events of one message. message_start waits for the first token, at most a second, because only then it is known how
// much of the prompt was found in the cache.
class MessageStream {
public:
    MessageStream(const ServerState& state, const AnthropicAnswer& answer, ByteSink& sink)
        : state_(state), answer_(answer), sink_(sink) {}

    void write(const std::function<bool()>& client_gone) {
        const TextEnd end = follow_parts(
            state_, *answer_.text, answer_.split, client_gone, [this](const OutputPart& part) { return add(part); },
            [this] {
                return start() && send("ping", {{"type", "ping"}});
            });
        start();
        close_block();
        Json delta = Json::object();
        answer_.tell_end(delta, end, called_);
        send("message_delta", {{"type", "message_delta"}, {"delta", delta}, {"usage", answer_.usage()}});
        send("message_stop", {{"type", "message_stop"}});
    }
    void tell(const ApiError& error) {
        send("error", Json::parse(error_body(error, ErrorStyle::kAnthropic, answer_.request_id)));
    }

private:
    bool start() {
        if (started_) return open_;
        started_ = true;
        return send("message_start", {{"type", "message_start"}, {"message", answer_.message(Json::array())}});
    }

    bool add(const OutputPart& part) {
        if (part.kind == OutputPart::Kind::kReasoning && !answer_.read.show_thinking) return open_;
        start();
        if (in_block_ && (part.kind != kind_ || part.kind == OutputPart::Kind::kToolCall)) close_block();
        if (!in_block_) {
            OutputPart empty = part;
            empty.text.clear();
            empty.call.arguments = "{}";
            in_block_ = true;
            kind_ = part.kind;
            send("content_block_start",
                 {{"type", "content_block_start"}, {"index", index_}, {"content_block", block_json(empty)}});
        }
        switch (part.kind) {
            case OutputPart::Kind::kText: return delta({{"type", "text_delta"}, {"text", part.text}});
            case OutputPart::Kind::kReasoning: return delta({{"type", "thinking_delta"}, {"thinking", part.text}});
            default: break;
        }
        called_ = true;
        return delta({{"type", "input_json_delta"}, {"partial_json", to_text(call_arguments(part.call))}});
    }

    bool delta(const Json& what) {
        return send("content_block_delta", {{"type", "content_block_delta"}, {"index", index_}, {"delta", what}});
    }

    void close_block() {
        if (!in_block_) return;
        in_block_ = false;
        send("content_block_stop", {{"type", "content_block_stop"}, {"index", index_++}});
    }

    bool send(const char* event, const Json& data) { return open_ = open_ && write_event(sink_, data, event); }

    const ServerState& state_;
    const AnthropicAnswer& answer_;
    ByteSink& sink_;
    bool open_ = true, started_ = false, in_block_ = false, called_ = false;
    OutputPart::Kind kind_ = OutputPart::Kind::kText;
    int index_ = 0;
};

// Where Anthropic's clients look for the request's id.
void add_request_id(HttpResponse& response, const HttpRequest& request) {
    response.headers.emplace_back("request-id", request.request_id);
}

HttpResponse create_message(ServerState& state, const HttpRequest& request) {
    const auto answer = std::make_shared<AnthropicAnswer>();
    answer->request_id = request.request_id;
    answer->read = read_anthropic_request(state, request);
    const AnthropicRequest& read = answer->read;
    answer->text = submit_conversation(state, request, read.model, read.chat, read.spec, answer->split);
    HttpResponse response;
    if (read.stream) {
        response = event_stream_response();
        response.stream = [&state, answer, client_gone = request.client_gone](ByteSink& sink) {
            MessageStream stream(state, *answer, sink);
            tell_failures([&] { stream.write(client_gone); }, [&](const ApiError& error) { stream.tell(error); });
        };
    } else {
        response.body = to_text(whole_message(state, request, *answer));
    }
    add_request_id(response, request);
    return response;
}

HttpResponse count_tokens(ServerState& state, const HttpRequest& request) {
    const AnthropicRequest read = read_anthropic_count(state, request);
    HttpResponse response;
    response.body = to_text({{"input_tokens", count_chat_tokens(state, read.model, read.chat)}});
    add_request_id(response, request);
    return response;
}

}  // namespace

void add_anthropic_routes(ServerState& state) {
    const auto add = [&](const char* path, HttpResponse (*handler)(ServerState&, const HttpRequest&)) {
        state.router.add({"POST", path, Access::kUser, ErrorStyle::kAnthropic,
                          [&state, handler](const HttpRequest& request) { return handler(state, request); }});
    };
    add("/v1/messages", create_message);
    add("/v1/messages/count_tokens", count_tokens);
}

}  // namespace serve
