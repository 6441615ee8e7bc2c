// Chat formats: a conversation -> the tokens a model was trained to continue. Contents are encoded as plain text, so
// they cannot contain control tokens; the marks between them are looked up in the vocabulary.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet.h"
#include "src/tokenizer/tokenizer.h"

namespace bitnet {

struct ChatMessage {
    std::string_view role;  // "system", "user", "assistant"
    std::string_view content;
};

// The name of the model's own format, known by its architecture, vocabulary and template; "" when none is recognised.
std::string_view detect_chat_format(const Tokenizer& tokenizer) noexcept;
// True where the template in the file is not what the model was trained with (the official BitNet file).
bool has_wrong_template(const Tokenizer& tokenizer) noexcept;
// "bitnet, llama3, chatml, falcon, gemma".
std::string known_chat_formats();

// format: a name, or "" for the model's own. Begins with BOS where the model has one (chatml: where it wants one).
// Throws BITNET_E_NOT_FOUND when no format is recognised or the vocabulary lacks a mark the format needs;
// BITNET_E_ARGUMENT for an unknown format or role.
std::vector<bitnet_token> encode_chat(const Tokenizer& tokenizer, std::string_view format,
                                      std::span<const ChatMessage> messages, bool add_reply_header);

}  // namespace bitnet
