#include "conversation.h"

#include <algorithm>
#include <utility>

#include "cli_common.h"

namespace cli {
namespace {

constexpr const char* kSchema = "bitnet-chat-1";
constexpr size_t kMostMessages = 100000;

Failure refused(const std::string& path, const std::string& why) {
    return {kExitFailure, path + ": " + why + "; the conversation is as before"};
}

Message read_message(const nlohmann::json& item, const std::string& path) {
    if (!item.is_object() || !item.contains("role") || !item["role"].is_string() || !item.contains("content") ||
        !item["content"].is_string()) {
        throw refused(path, "a message is not an object with a role and a content");
    }
    Message message{item["role"].get<std::string>(), item["content"].get<std::string>()};
    if (message.role != "system" && message.role != "user" && message.role != "assistant") {
        throw refused(path, "the role '" + message.role.substr(0, 40) + "' is none of system, user, assistant");
    }
    if (message.content.find('\0') != std::string::npos) throw refused(path, "a message holds a NUL byte");
    return message;
}

}  // namespace

Conversation::Conversation(const bitnet_tokenizer* tokenizer, const std::string& format, std::string system)
    : tokenizer_(tokenizer), format_(format == "plain" ? "" : format), plain_(format == "plain") {
    if (!plain_) {
        const bitnet_chat_message probe = {"user", "x"};
        size_t n = 0;
        const bitnet_status status = bitnet_tokenizer_encode_chat(
            tokenizer, format_.empty() ? nullptr : format_.c_str(), &probe, 1, 1, nullptr, 0, &n);
        if (status == BITNET_E_NOT_FOUND && format_.empty()) {
            bitnet_chat_template* own = nullptr;
            const bitnet_status found = bitnet_chat_template_create(tokenizer, nullptr, nullptr, 0, &own);
            template_.reset(own);
            plain_ = found == BITNET_E_NOT_FOUND;
            if (!plain_) check(found);
        } else if (status != BITNET_E_BUFFER_TOO_SMALL) {
            check(status);
        }
    }
    set_system(std::move(system));
}

void Conversation::add(const char* role, std::string content) {
    // The interface takes C strings: a NUL would silently cut the rest off.
    if (content.find('\0') != std::string::npos) throw Failure{kExitFailure, "a message must not hold NUL bytes"};
    messages_.push_back({role, std::move(content)});
}

void Conversation::set_system(std::string system) {
    if (first_turn() == 1) messages_.erase(messages_.begin());
    if (system.empty()) return;
    add("system", std::move(system));
    std::rotate(messages_.begin(), messages_.end() - 1, messages_.end());
}

void Conversation::reset() { messages_.resize(first_turn()); }

bool Conversation::drop_reply() {
    if (messages_.empty() || messages_.back().role != "assistant") return false;
    messages_.pop_back();
    return true;
}

bool Conversation::drop_oldest() {
    const size_t begin = first_turn();
    size_t end = begin + 1;
    while (end < messages_.size() && messages_[end].role != "user") ++end;
    if (end >= messages_.size()) return false;
    messages_.erase(messages_.begin() + static_cast<std::ptrdiff_t>(begin),
                    messages_.begin() + static_cast<std::ptrdiff_t>(end));
    return true;
}

std::vector<bitnet_token> Conversation::plain_tokens() const {
    std::string text;
    for (const Message& message : messages_) text += message.content;
    const bitnet_tokenizer_info info = get_info(tokenizer_);
    std::vector<bitnet_token> tokens = encode(tokenizer_, text, info.add_bos != 0 ? BITNET_ENCODE_ADD_BOS : 0);
    if (tokens.empty() && info.bos >= 0) tokens.push_back(info.bos);
    if (tokens.empty()) throw Failure{kExitFailure, "this model has no BOS token to start from; write something first"};
    return tokens;
}

std::vector<bitnet_token> Conversation::chat_tokens() const {
    std::vector<bitnet_chat_message> list;
    size_t n_bytes = 0;
    for (const Message& message : messages_) {
        list.push_back({message.role.c_str(), message.content.c_str()});
        n_bytes += message.content.size() + 16;
    }
    const char* format = format_.empty() ? nullptr : format_.c_str();
    return fetch<bitnet_token>(n_bytes / 2 + 64, [&](bitnet_token* out, size_t capacity, size_t* n) {
        return bitnet_tokenizer_encode_chat(tokenizer_, format, list.data(), list.size(), 1, out, capacity, n);
    });
}

std::vector<bitnet_token> Conversation::template_tokens() const {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Message& message : messages_) list.push_back({{"role", message.role}, {"content", message.content}});
    const nlohmann::ordered_json variables = {{"messages", list}, {"add_generation_prompt", true}};
    const std::string json = dump(variables);
    return fetch<bitnet_token>(json.size() / 2 + 64, [&](bitnet_token* out, size_t capacity, size_t* n) {
        return bitnet_chat_template_encode(template_.get(), json.data(), json.size(), out, capacity, n);
    });
}

std::vector<bitnet_token> Conversation::tokens() const {
    return plain_ ? plain_tokens() : template_ ? template_tokens() : chat_tokens();
}

void Conversation::save(const std::string& path) const {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Message& message : messages_) list.push_back({{"role", message.role}, {"content", message.content}});
    const nlohmann::ordered_json file = {{"schema", kSchema}, {"messages", list}};
    write_file(path, dump(file) + "\n");
}

void Conversation::load(const std::string& path) {
    const nlohmann::json file = nlohmann::json::parse(read_text(path), nullptr, false);
    if (file.is_discarded() || !file.is_object() || !file.contains("schema") || file["schema"] != kSchema ||
        !file.contains("messages") || !file["messages"].is_array()) {
        throw refused(path, "not a conversation that /save wrote");
    }
    if (file["messages"].size() > kMostMessages)
        throw refused(path, "more than " + std::to_string(kMostMessages) + " messages");
    std::vector<Message> messages;
    for (const nlohmann::json& item : file["messages"]) messages.push_back(read_message(item, path));
    messages_ = std::move(messages);
}

}  // namespace cli
