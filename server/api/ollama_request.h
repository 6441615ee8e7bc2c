// Ollama's protocol, read into a conversation or a prompt.
#pragma once

#include <string>
#include <vector>

#include "server/api/generation_request.h"
#include "server/chat/chat_request.h"

namespace serve {

struct OllamaRequest {
    std::string model;     // as the client wrote it
    std::string model_id;  // the loaded one that it means
    ChatRequest chat;      // of /api/generate: system and prompt as messages
    GenerationSpec spec;
    bool stream = true;
    bool show_thinking = true;
    // Of /api/generate.
    bool raw = false;                   // the prompt goes to the model as it is
    std::string prompt;                 // for raw, and to see whether there is one
    std::vector<bitnet_token> context;  // what an earlier answer gave, in front of the prompt
};

OllamaRequest read_ollama_generate(const ServerState& state, const HttpRequest& request);
OllamaRequest read_ollama_chat(const ServerState& state, const HttpRequest& request);

// "stories", "stories:latest" and the other way round: names here have no versions, "latest" is the one there is.
std::string ollama_model_id(const ServerState& state, const std::string& name);
// The field model, or name as older clients have it.
std::string read_ollama_model(const JsonFields& fields);
// keep_alive: seconds, or a duration such as "5m" or "1h30m"; below 0 for ever. Checked only: when models leave is the
// server's decision (--idle-unload).
void check_keep_alive(const JsonFields& fields);

}  // namespace serve
