// POST /v1/responses: OpenAI's Responses API.
#include "server/api/openai_shapes.h"
#include "server/api/reply_blocks.h"
#include "server/api/responses_request.h"
#include "server/core/clock_text.h"
#include "server/http/sse.h"

namespace serve {

namespace {

struct ResponsesAnswer {
    ResponsesRequest read;
    SplitOptions split;
    std::shared_ptr<RunningText> text;
    std::string id = random_id("resp_");
    int64_t created = unix_now();

    Json response(const char* status, Json output) const {
        Json body = {{"id", id},
                     {"object", "response"},
                     {"created_at", created},
                     {"status", status},
                     {"background", false},
                     {"error", nullptr},
                     {"incomplete_details", nullptr},
                     {"model", text->engine->facts().id},
                     {"output", std::move(output)},
                     {"previous_response_id", nullptr},
                     {"store", false},
                     {"truncation", "disabled"},
                     {"usage", nullptr}};
        body.update(read.echo);
        return body;
    }
    // The response of a text that has ended. Thoughts are not counted apart: they are part of the text here.
    Json ended(const TextEnd& end, Json output) const {
        const bool natural =
            !end.blocked && (end.finish == BITNET_FINISH_END || end.finish == BITNET_FINISH_STOP_SEQUENCE);
        Json body = response(natural ? "completed" : "incomplete", std::move(output));
        if (!natural) body["incomplete_details"]["reason"] = end.blocked ? "content_filter" : "max_output_tokens";
        const Usage usage = text->job->usage();
        body["usage"] = {{"input_tokens", usage.prompt_tokens},
                         {"input_tokens_details", {{"cached_tokens", usage.reused_tokens}}},
                         {"output_tokens", usage.generated_tokens},
                         {"output_tokens_details", {{"reasoning_tokens", 0}}},
                         {"total_tokens", usage.prompt_tokens + usage.generated_tokens}};
        return body;
    }
};

Json text_part(const std::string& text) {
    return {{"type", "output_text"}, {"text", text}, {"annotations", Json::array()}, {"logprobs", Json::array()}};
}

Json reasoning_part(const std::string& text) { return {{"type", "reasoning_text"}, {"text", text}}; }

// An output item; without content where it is in progress.
Json item_json(const OutputPart& block, const std::string& id, bool done) {
    const char* status = done ? "completed" : "in_progress";
    Json content = Json::array();
    switch (block.kind) {
        case OutputPart::Kind::kText:
            if (done) content.push_back(text_part(block.text));
            return {{"id", id},
                    {"type", "message"},
                    {"status", status},
                    {"role", "assistant"},
                    {"content", std::move(content)}};
        case OutputPart::Kind::kReasoning:
            if (done) content.push_back(reasoning_part(block.text));
            return {{"id", id},
                    {"type", "reasoning"},
                    {"status", status},
                    {"summary", Json::array()},
                    {"content", std::move(content)}};
        default: break;
    }
    return {{"id", id},
            {"type", "function_call"},
            {"status", status},
            {"call_id", block.call.id},
            {"name", block.call.name},
            {"arguments", done ? block.call.arguments : ""}};
}

std::string item_id(OutputPart::Kind kind) {
    switch (kind) {
        case OutputPart::Kind::kText: return random_id("msg_");
        case OutputPart::Kind::kReasoning: return random_id("rs_");
        default: return random_id("fc_");
    }
}

Json whole_response(const ServerState& state, const HttpRequest& request, const ResponsesAnswer& answer) {
    std::vector<OutputPart> blocks;
    const TextEnd end = read_blocks(state, request, *answer.text, answer.split, blocks);
    Json output = Json::array();
    for (const OutputPart& block : blocks) output.push_back(item_json(block, item_id(block.kind), true));
    return answer.ended(end, std::move(output));
}

class ResponseStream {
public:
    ResponseStream(const ServerState& state, const ResponsesAnswer& answer, ByteSink& sink)
        : state_(state), answer_(answer), sink_(sink) {}

    void write(const std::function<bool()>& client_gone) {
        for (const char* type : {"response.created", "response.in_progress"})
            send(type, {{"response", answer_.response("in_progress", Json::array())}});
        const TextEnd end = follow_parts(
            state_, *answer_.text, answer_.split, client_gone, [this](const OutputPart& part) { return add(part); },
            [this] { return open_ = open_ && write_heartbeat(sink_); });
        close_item();
        const Json response = answer_.ended(end, output_);
        send(response["status"] == "completed" ? "response.completed" : "response.incomplete",
             {{"response", response}});
    }
    void tell(const ApiError& error) {
        Json response = answer_.response("failed", output_);
        response["error"] = {{"code", "server_error"}, {"message", error.message}};
        send("response.failed", {{"response", response}});
    }

private:
    bool add(const OutputPart& part) {
        const bool call = part.kind == OutputPart::Kind::kToolCall;
        if (in_item_ && (call || part.kind != block_.kind)) close_item();
        if (!in_item_) open_item(part);
        if (call) {
            send("response.function_call_arguments.delta", in_item({{"delta", part.call.arguments}}));
            send("response.function_call_arguments.done",
                 in_item({{"name", part.call.name}, {"arguments", part.call.arguments}}));
            close_item();
            return open_;
        }
        block_.text += part.text;
        if (part.kind == OutputPart::Kind::kReasoning)
            return send("response.reasoning_text.delta", in_content({{"delta", part.text}}));
        return send("response.output_text.delta", in_content({{"delta", part.text}, {"logprobs", Json::array()}}));
    }

    void open_item(const OutputPart& part) {
        in_item_ = true;
        block_ = part;
        block_.text.clear();
        id_ = item_id(part.kind);
        send("response.output_item.added", {{"output_index", output_.size()}, {"item", item_json(block_, id_, false)}});
        if (part.kind == OutputPart::Kind::kToolCall) return;
        const bool text = part.kind == OutputPart::Kind::kText;
        send("response.content_part.added", in_content({{"part", text ? text_part("") : reasoning_part("")}}));
    }

    void close_item() {
        if (!in_item_) return;
        in_item_ = false;
        if (block_.kind == OutputPart::Kind::kText) {
            send("response.output_text.done", in_content({{"text", block_.text}, {"logprobs", Json::array()}}));
            send("response.content_part.done", in_content({{"part", text_part(block_.text)}}));
        } else if (block_.kind == OutputPart::Kind::kReasoning) {
            send("response.reasoning_text.done", in_content({{"text", block_.text}}));
            send("response.content_part.done", in_content({{"part", reasoning_part(block_.text)}}));
        }
        Json item = item_json(block_, id_, true);
        send("response.output_item.done", {{"output_index", output_.size()}, {"item", item}});
        output_.push_back(std::move(item));
    }

    Json in_item(Json more) const {
        Json event = {{"item_id", id_}, {"output_index", output_.size()}};
        event.update(more);
        return event;
    }
    Json in_content(Json more) const {
        Json event = in_item({{"content_index", 0}});
        event.update(more);
        return event;
    }

    bool send(const char* type, const Json& more) {
        Json event = {{"type", type}, {"sequence_number", n_sent_++}};
        event.update(more);
        return open_ = open_ && write_event(sink_, event, type);
    }

    const ServerState& state_;
    const ResponsesAnswer& answer_;
    ByteSink& sink_;
    bool open_ = true, in_item_ = false;
    OutputPart block_;  // so far
    std::string id_;    // of its item
    Json output_ = Json::array();
    int n_sent_ = 0;
};

HttpResponse create_response(ServerState& state, const HttpRequest& request) {
    const auto answer = std::make_shared<ResponsesAnswer>();
    answer->read = read_responses_request(state, request);
    const ResponsesRequest& read = answer->read;
    answer->text = submit_conversation(state, request, read.model, read.chat, read.spec, answer->split);
    HttpResponse response;
    if (!read.stream) {
        response.body = to_text(whole_response(state, request, *answer));
        return response;
    }
    response = event_stream_response();
    response.stream = [&state, answer, client_gone = request.client_gone](ByteSink& sink) {
        ResponseStream stream(state, *answer, sink);
        tell_failures([&] { stream.write(client_gone); }, [&](const ApiError& error) { stream.tell(error); });
    };
    return response;
}

}  // namespace

void add_responses_routes(ServerState& state) {
    state.router.add({"POST", "/v1/responses", Access::kUser, ErrorStyle::kOpenAi,
                      [&state](const HttpRequest& request) { return create_response(state, request); }});
}

}  // namespace serve
