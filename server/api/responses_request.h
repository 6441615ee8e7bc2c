// OpenAI's Responses API, read into a conversation: the text part of it, without anything that a server would have to keep.
#pragma once

#include <string>

#include "server/api/generation_request.h"
#include "server/chat/chat_request.h"

namespace serve {

struct ResponsesRequest {
    std::string model;
    ChatRequest chat;
    GenerationSpec spec;
    bool stream = false;
    Json echo;  // the fields that a response repeats, with their defaults
};

// The body of POST /v1/responses.
ResponsesRequest read_responses_request(const ServerState& state, const HttpRequest& request);

}  // namespace serve
