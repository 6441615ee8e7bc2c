// One row per format. The row says which marks the vocabulary must have and how one message is written; the rest, BOS
// and the checks, is the same for all.
#include "src/tokenizer/chat_format.h"

#include <algorithm>
#include <utility>

#include "src/base/error.h"
#include "src/base/utf8.h"
#include "src/tokenizer/unicode_classes.h"

namespace bitnet {
namespace {

constexpr std::string_view kRoles[] = {"system", "user", "assistant"};

// Writes tokens of one conversation.
class ChatWriter {
public:
    explicit ChatWriter(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

    void text(std::string_view plain) {
        const std::vector<bitnet_token> tokens = tokenizer_.encode(plain, 0);
        out_.insert(out_.end(), tokens.begin(), tokens.end());
    }
    // A mark that the format's row asks for, so it is there.
    void mark(std::string_view name) { token(*tokenizer_.find(name)); }
    void token(bitnet_token id) { out_.push_back(id); }
    const Tokenizer& tokenizer() const { return tokenizer_; }
    std::vector<bitnet_token>& tokens() { return out_; }
    // Text that goes before the next user message, for formats without a system turn.
    std::string& pending() { return pending_; }

private:
    const Tokenizer& tokenizer_;
    std::vector<bitnet_token> out_;
    std::string pending_;
};

std::string_view trim(std::string_view text) {
    while (!text.empty()) {
        const Utf8Char c = utf8_decode(text);
        if (!is_unicode_space(c.code_point)) break;
        text.remove_prefix(c.n_bytes);
    }
    while (!text.empty()) {
        const size_t last = utf8_previous(text, text.size());
        if (!is_unicode_space(utf8_decode(text.substr(last)).code_point)) break;
        text = text.substr(0, last);
    }
    return text;
}

// ---- bitnet: "User: " content <|eot_id|> ... "Assistant: " ----
// Header and content are encoded apart, as the model's own program does; together, the space would join the content.

void bitnet_header(ChatWriter& out, std::string_view role) {
    out.text(role == "system" ? "System: " : role == "user" ? "User: " : "Assistant: ");
}
void bitnet_message(ChatWriter& out, const ChatMessage& message) {
    bitnet_header(out, message.role);
    out.text(trim(message.content));
    out.mark("<|eot_id|>");
}

// ---- llama3: <|start_header_id|> role <|end_header_id|> "\n\n" content <|eot_id|> ----

void llama3_header(ChatWriter& out, std::string_view role) {
    out.mark("<|start_header_id|>");
    out.text(role);
    out.mark("<|end_header_id|>");
    out.text("\n\n");
}
void llama3_message(ChatWriter& out, const ChatMessage& message) {
    llama3_header(out, message.role);
    out.text(trim(message.content));
    out.mark("<|eot_id|>");
}

// ---- chatml: <|im_start|> role "\n" content <|im_end|> "\n" ----

void chatml_header(ChatWriter& out, std::string_view role) {
    out.mark("<|im_start|>");
    out.text(std::string(role) + "\n");
}
void chatml_message(ChatWriter& out, const ChatMessage& message) {
    out.mark("<|im_start|>");
    out.text(std::string(message.role).append("\n").append(message.content));
    out.mark("<|im_end|>");
    out.text("\n");
}

// ---- falcon: "<|user|>" "\n" content "\n"; the marks are tokens in some vocabularies and text in others ----

void falcon_piece(ChatWriter& out, std::string_view role, std::string rest) {
    const std::string mark = "<|" + std::string(role) + "|>";
    const std::optional<bitnet_token> id = out.tokenizer().find(mark);
    if (id && out.tokenizer().attribute(*id) != BITNET_TOKEN_NORMAL) {
        out.token(*id);
    } else {
        rest.insert(0, mark);
    }
    out.text(rest);
}
void falcon_header(ChatWriter& out, std::string_view role) { falcon_piece(out, role, "\n"); }
void falcon_message(ChatWriter& out, const ChatMessage& message) {
    std::string rest("\n");
    rest += message.content;
    // A reply of the model ends with its end token, as it wrote it.
    const bitnet_token end = out.tokenizer().info().eos;
    if (message.role != "assistant" || end < 0) {
        falcon_piece(out, message.role, rest + "\n");
        return;
    }
    falcon_piece(out, message.role, std::move(rest));
    out.token(end);
    out.text("\n");
}

// ---- gemma: <start_of_turn> role "\n" content <end_of_turn> "\n"; a system message begins the user's next one ----

void gemma_header(ChatWriter& out, std::string_view role) {
    out.mark("<start_of_turn>");
    out.text(role == "assistant" ? "model\n" : "user\n");
}
void gemma_message(ChatWriter& out, const ChatMessage& message) {
    if (message.role == "system") {
        out.pending().append(message.content).append("\n\n");
        return;
    }
    out.mark("<start_of_turn>");
    std::string text(message.role == "assistant" ? "model\n" : "user\n");
    if (message.role == "user") text += std::exchange(out.pending(), std::string());
    out.text(text.append(trim(message.content)));
    out.mark("<end_of_turn>");
    out.text("\n");
}

struct ChatFormat {
    std::string_view name;
    std::vector<std::string_view> marks;  // must be in the vocabulary
    bool always_bos;                      // else only where the model file asks for BOS
    void (*message)(ChatWriter&, const ChatMessage&);
    void (*header)(ChatWriter&, std::string_view role);
};

const std::vector<ChatFormat>& chat_formats() {
    static const std::vector<ChatFormat> formats = {
        {"bitnet", {"<|eot_id|>"}, true, bitnet_message, bitnet_header},
        {"llama3", {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"}, true, llama3_message, llama3_header},
        {"chatml", {"<|im_start|>", "<|im_end|>"}, false, chatml_message, chatml_header},
        {"falcon", {}, false, falcon_message, falcon_header},
        {"gemma", {"<start_of_turn>", "<end_of_turn>"}, true, gemma_message, gemma_header},
    };
    return formats;
}

const ChatFormat* find_format(std::string_view name) {
    for (const ChatFormat& format : chat_formats()) {
        if (format.name == name) return &format;
    }
    return nullptr;
}

std::string_view missing_mark(const Tokenizer& tokenizer, const ChatFormat& format) {
    for (const std::string_view mark : format.marks) {
        if (!tokenizer.find(mark)) return mark;
    }
    return {};
}

bool has_marks(const Tokenizer& tokenizer, std::string_view name) {
    return missing_mark(tokenizer, *find_format(name)).empty();
}

}  // namespace

bool has_wrong_template(const Tokenizer& tokenizer) noexcept {
    // The template in the official BitNet file is not the one the model was trained with; its architecture decides.
    const bool is_bitnet = tokenizer.architecture() == "bitnet-b1.58" || tokenizer.architecture() == "bitnet-25";
    return is_bitnet && has_marks(tokenizer, "bitnet");
}

std::string_view detect_chat_format(const Tokenizer& tokenizer) noexcept {
    const std::string& text = tokenizer.chat_template();
    const auto in_template = [&](std::string_view part) { return text.find(part) != std::string::npos; };
    if (has_wrong_template(tokenizer)) return "bitnet";
    if (in_template("<|im_start|>") && has_marks(tokenizer, "chatml")) return "chatml";
    if (in_template("<|start_header_id|>") && has_marks(tokenizer, "llama3")) return "llama3";
    if (in_template("<start_of_turn>") && has_marks(tokenizer, "gemma")) return "gemma";
    if (in_template("<|user|>") && in_template("<|assistant|>") && !in_template("<|end|>")) return "falcon";
    // The true template of BitNet 2B-4T: {{ message['role'] | capitalize }}: ... <|eot_id|>
    if (in_template("capitalize") && in_template("<|eot_id|>") && has_marks(tokenizer, "bitnet")) return "bitnet";
    if (!text.empty()) return {};
    if (has_marks(tokenizer, "chatml")) return "chatml";
    if (has_marks(tokenizer, "llama3")) return "llama3";
    if (has_marks(tokenizer, "gemma")) return "gemma";
    return {};
}

std::string known_chat_formats() {
    std::string out;
    for (const ChatFormat& format : chat_formats()) out.append(out.empty() ? "" : ", ").append(format.name);
    return out;
}

std::vector<bitnet_token> encode_chat(const Tokenizer& tokenizer, std::string_view name,
                                      std::span<const ChatMessage> messages, bool add_reply_header) {
    if (name.empty()) {
        name = detect_chat_format(tokenizer);
        if (name.empty()) {
            throw Error(BITNET_E_NOT_FOUND,
                        "the model's chat format is not recognised; name one of " + known_chat_formats());
        }
    }
    const ChatFormat* format = find_format(name);
    if (format == nullptr) {
        throw Error(BITNET_E_ARGUMENT,
                    "unknown chat format " + quote_text(name) + "; known are " + known_chat_formats());
    }
    if (const std::string_view mark = missing_mark(tokenizer, *format); !mark.empty()) {
        throw Error(BITNET_E_NOT_FOUND, "the chat format " + std::string(name) + " needs the token " +
                                            std::string(mark) + ", which this vocabulary lacks; use another format")
            .with_subject(std::string(mark));
    }
    ChatWriter out(tokenizer);
    const TokenizerInfo& info = tokenizer.info();
    if (info.bos >= 0 && (format->always_bos || info.add_bos)) out.token(info.bos);
    for (const ChatMessage& message : messages) {
        if (std::find(std::begin(kRoles), std::end(kRoles), message.role) == std::end(kRoles)) {
            throw Error(BITNET_E_ARGUMENT,
                        "unknown role " + quote_text(message.role) + "; use system, user or assistant");
        }
        format->message(out, message);
    }
    if (add_reply_header) format->header(out, "assistant");
    return std::move(out.tokens());
}

}  // namespace bitnet
