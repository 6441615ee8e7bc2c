// Parts come from the splitter as they are certain; blocks are what clients count and name.
#include "server/api/reply_blocks.h"

#include <new>

#include "server/api/chat_text.h"

namespace serve {

void limit_to_context(const Engine& engine, GenerationSpec& spec) {
    const int64_t room = int64_t{engine.facts().n_ctx} - static_cast<int64_t>(spec.prompt.size());
    if (spec.max_tokens > room) spec.max_tokens = -1;
}

std::shared_ptr<RunningText> submit_conversation(ServerState& state, const HttpRequest& request,
                                                 const std::string& model_id, const ChatRequest& chat,
                                                 const GenerationSpec& spec, SplitOptions& split) {
    check_chat(state, chat);
    return submit_text(state, request, model_id, [&](const Engine& engine) {
        GenerationSpec made = spec;
        ChatPrompt prompt = encode_chat(engine, chat);
        check_prompt_tokens(engine, prompt.tokens, chat.field);
        made.prompt = std::move(prompt.tokens);
        if (auto grammar = reply_grammar(engine, chat)) made.grammar = std::move(grammar);
        made.stop.insert(made.stop.end(), prompt.stop.begin(), prompt.stop.end());
        limit_to_context(engine, made);
        split = std::move(prompt.split);
        return made;
    });
}

void append_part(std::vector<OutputPart>& blocks, OutputPart part) {
    const bool joins = part.kind != OutputPart::Kind::kToolCall && !blocks.empty() && blocks.back().kind == part.kind;
    if (joins)
        blocks.back().text += part.text;
    else
        blocks.push_back(std::move(part));
}

TextEnd follow_parts(const ServerState& state, const RunningText& text, const SplitOptions& split,
                     const std::function<bool()>& client_gone, const PartHandler& on_part,
                     const std::function<bool()>& idle) {
    OutputSplitter splitter(split);
    bool open = true;
    const auto give = [&](const std::vector<OutputPart>& parts) {
        for (const OutputPart& part : parts) open = open && on_part(part);
        return open;
    };
    const TextEnd end = follow_text(
        state, text, client_gone, [&](const Step& step) { return give(splitter.push(step.text)); },
        [&] { return open = open && idle(); });
    give(splitter.finish());
    return end;
}

TextEnd read_blocks(const ServerState& state, const HttpRequest& request, const RunningText& text,
                    const SplitOptions& split, std::vector<OutputPart>& blocks) {
    return follow_parts(
        state, text, split, request.client_gone,
        [&](const OutputPart& part) {
            append_part(blocks, part);
            return true;
        },
        [] { return true; });
}

Json call_arguments(const ToolCall& call) {
    // The splitter has read it already, but what it says is text.
    Json arguments = Json::parse(call.arguments, nullptr, false);
    return arguments.is_object() ? arguments : Json::object();
}

void tell_failures(const std::function<void()>& write, const std::function<void(const ApiError&)>& tell) {
    try {
        write();
    } catch (const ApiError& error) {
        tell(error);
    } catch (const std::bad_alloc&) {
        tell(ApiError(ErrorCode::kUnavailable, "out of memory"));
    } catch (const std::exception& error) {
        tell(ApiError(ErrorCode::kInternal, std::string("internal error: ") + error.what()));
    }
}

}  // namespace serve
