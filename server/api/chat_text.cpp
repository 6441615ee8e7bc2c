// The grammar and the tokens are made anew where the model was exchanged between reading and submitting.
#include "server/api/chat_text.h"

#include <algorithm>

namespace serve {

void check_chat(const ServerState& state, const ChatRequest& chat) {
    size_t n_bytes = 0;
    for (size_t i = 0; i < chat.messages.size(); i++) {
        const ChatMessage& message = chat.messages[i];
        const std::string place = chat.field + "." + std::to_string(i);
        check_prompt_text(state, message.text, place + ".content");
        check_prompt_text(state, message.reasoning, place + ".reasoning_content");
        n_bytes += message.text.size() + message.reasoning.size();
        for (const ToolCall& call : message.tool_calls) {
            check_prompt_text(state, call.arguments, place + ".tool_calls");
            n_bytes += call.arguments.size();
        }
    }
    for (size_t i = 0; i < chat.tools.size(); i++) {
        const std::string place = "tools." + std::to_string(i);
        check_prompt_text(state, chat.tools[i].description, place + ".description");
        check_prompt_text(state, to_text(chat.tools[i].parameters), place + ".parameters");
    }
    if (n_bytes > static_cast<size_t>(state.options.max_prompt_bytes))
        throw ApiError(ErrorCode::kPromptTooLong,
                       "the conversation has " + std::to_string(n_bytes) + " bytes; at most " +
                           std::to_string(state.options.max_prompt_bytes) + " are read",
                       chat.field);
}

void fit_to_model(const Engine& engine, GenerationSpec& spec) {
    const ModelFacts& facts = engine.facts();
    for (const bitnet_logit_bias& bias : spec.logit_bias)
        if (bias.token >= facts.n_vocab)
            throw ApiError(ErrorCode::kValidationFailed,
                           "logit_bias has the token " + std::to_string(bias.token) + "; the vocabulary has " +
                               std::to_string(facts.n_vocab),
                           "logit_bias");
    const int64_t room = facts.n_ctx - static_cast<int64_t>(spec.prompt.size());
    if (spec.max_tokens < 0 || spec.max_tokens > room)
        spec.max_tokens = static_cast<int32_t>(std::max<int64_t>(room, 0));
}

std::shared_ptr<RunningText> submit_chat(ServerState& state, const HttpRequest& request, const std::string& model_id,
                                         const ChatRequest& chat, const GenerationSpec& spec, SplitOptions& split) {
    return submit_text(state, request, model_id, [&](const Engine& engine) {
        GenerationSpec made = spec;
        ChatPrompt prompt = encode_chat(engine, chat);
        check_prompt_tokens(engine, prompt.tokens, chat.field);
        made.prompt = std::move(prompt.tokens);
        if (auto grammar = reply_grammar(engine, chat)) made.grammar = std::move(grammar);
        made.stop.insert(made.stop.end(), prompt.stop.begin(), prompt.stop.end());
        split = std::move(prompt.split);
        fit_to_model(engine, made);
        return made;
    });
}

size_t count_chat_tokens(ServerState& state, const std::string& model_id, const ChatRequest& chat) {
    check_chat(state, chat);
    return encode_chat(*state.models->find(model_id), chat).tokens.size();
}

}  // namespace serve
