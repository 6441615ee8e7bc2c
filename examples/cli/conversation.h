// A conversation: its messages, their tokens as the model wants them, and its file. Models that know no chat format get
// their messages as one running text.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet.h"
#include "cli_common.h"

namespace cli {

struct Message {
    std::string role;  // "system", "user", "assistant"
    std::string content;
};

class Conversation {
public:
    // format: a chat format's name, "plain" for running text, "" for the model's own (plain where it has none).
    Conversation(const bitnet_tokenizer* tokenizer, const std::string& format, std::string system);

    bool is_plain() const noexcept { return plain_; }
    const std::vector<Message>& messages() const noexcept { return messages_; }
    // Throws Failure for text that no message may hold (NUL bytes).
    void add(const char* role, std::string content);
    void set_system(std::string system);
    // Forgets everything but the system message.
    void reset();
    // Takes a reply away that is the last message; false when there is none.
    bool drop_reply();
    // Takes the last message away.
    void drop_last() { messages_.pop_back(); }
    // Forgets the oldest user message and its reply; false when only the last one is left.
    bool drop_oldest();

    // The whole conversation, ready for the next reply.
    std::vector<bitnet_token> tokens() const;

    // {"schema": "bitnet-chat-1", "messages": [{"role", "content"}]}, written whole or not at all. Throws Failure.
    void save(const std::string& path) const;
    // Replaces all messages; after a failure they are as before.
    void load(const std::string& path);

private:
    std::vector<bitnet_token> plain_tokens() const;
    std::vector<bitnet_token> chat_tokens() const;
    std::vector<bitnet_token> template_tokens() const;
    size_t first_turn() const noexcept { return !messages_.empty() && messages_[0].role == "system" ? 1 : 0; }

    const bitnet_tokenizer* tokenizer_;
    std::string format_;  // "" : the model's own
    std::unique_ptr<bitnet_chat_template, Freer<bitnet_chat_template_free>> template_;  // where no built-in format is the model's
    bool plain_ = false;
    std::vector<Message> messages_;
};

}  // namespace cli
