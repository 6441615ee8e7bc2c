// Anthropic's Messages API, read into a conversation.
#pragma once

#include <string>

#include "server/api/generation_request.h"
#include "server/chat/chat_request.h"

namespace serve {

struct AnthropicRequest {
    std::string model;
    ChatRequest chat;
    GenerationSpec spec;
    bool stream = false;
    bool show_thinking = true;  // false where the client has switched it off
};

// The body of POST /v1/messages.
AnthropicRequest read_anthropic_request(const ServerState& state, const HttpRequest& request);
// The body of POST /v1/messages/count_tokens: model and chat only.
AnthropicRequest read_anthropic_count(const ServerState& state, const HttpRequest& request);

}  // namespace serve
