// Conversations as the tokens that a model was trained to continue, and the grammar that its reply must obey.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/chat/chat_request.h"
#include "server/chat/output_splitter.h"
#include "server/engine/engine.h"

namespace serve {

struct ChatPrompt {
    std::vector<bitnet_token> tokens;
    // Texts that end the reply besides the model's end tokens: headers of the next turn, where the format has no tokens for
    // them. Not the client's business: a protocol tells them as the natural end.
    std::vector<std::string> stop;
    SplitOptions split;
};

// Tokens of the conversation in the model's own format: its template, else the library's built-in format, else (a model
// that knows none) plain text. Where the format knows no tools they are told in a system message, and their calls and
// answers are written as text. Throws ApiError: INVALID_CHARACTERS for NUL, VALIDATION_FAILED with the message's place for
// what the format refuses.
ChatPrompt encode_chat(const Engine& engine, const ChatRequest& request);
// The conversation as one text, control tokens written out.
std::string chat_text(const Engine& engine, const ChatRequest& request);
// What makes the prompt: "jinja" (the template of the model file), the name of a built-in format, or "plain".
std::string chat_format_name(const Engine& engine);

// The grammar the reply must obey: of a required or named tool call, else of the response format; null for free text. From
// a bounded cache of compiled grammars. Throws VALIDATION_FAILED with the field at fault.
std::shared_ptr<const bitnet_grammar> reply_grammar(const Engine& engine, const ChatRequest& request);

}  // namespace serve
