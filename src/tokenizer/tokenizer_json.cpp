// JSON with limits, and tokenizer_config.json.
#include "src/tokenizer/tokenizer_json.h"

#include <algorithm>
#include <charconv>

#include "src/base/error.h"

namespace bitnet {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 64;

// Nesting is counted before parsing, so that a file of a million '[' costs nothing.
void check_depth(std::string_view text, const char* what) {
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            if (c == '"') in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > kMaxDepth) {
                throw Error(BITNET_E_SECURITY_EXHAUSTION, std::string(what) + " is nested more than 64 deep; it is refused");
            }
        } else if (c == '}' || c == ']') {
            --depth;
        }
    }
}

[[noreturn]] void wrong_type(const char* key, const char* wanted) {
    throw Error(BITNET_E_TOKENIZER, std::string("'") + key + "' in the tokenizer file is not " + wanted)
        .with_subject(key);
}

// A token is given as its text, or as an object that holds it.
std::optional<std::string> token_text(const json& config, const char* key) {
    const json& value = json_member(config, key);
    if (value.is_string()) return value.get<std::string>();
    if (value.is_object()) return json_string(value, "content", "");
    return std::nullopt;
}

std::optional<bool> optional_bool(const json& config, const char* key) {
    const json& value = json_member(config, key);
    if (!value.is_boolean()) return std::nullopt;
    return value.get<bool>();
}

// One template, or a list of named ones of which "default" is the chat's.
std::string template_text(const json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (!value.is_array()) return {};
    for (const json& item : value) {
        const json& text = json_member(item, "template");
        if (text.is_string() && json_member(item, "name") == "default") return text.get<std::string>();
    }
    return {};
}

std::vector<TokenizerConfig::Added> added_tokens(const json& decoder) {
    std::vector<TokenizerConfig::Added> added;
    if (decoder.is_null()) return added;
    if (!decoder.is_object()) wrong_type("added_tokens_decoder", "an object");
    for (const auto& [key, token] : decoder.items()) {
        const std::optional<uint32_t> id = json_token_id(key);
        std::string text = json_string(token, "content", "");
        if (!id || text.empty()) {
            throw Error(BITNET_E_TOKENIZER, "tokenizer_config.json: the added token " + quote_text(key) +
                                                " has no content, or its id is not a number below 16777216");
        }
        const bool special = json_bool(token, "special", false);
        added.push_back({*id, std::move(text), special, added_token_flags(token, special)});
    }
    std::sort(added.begin(), added.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    return added;
}

}  // namespace

std::optional<uint32_t> json_token_id(const json& value) {
    uint64_t id = kMaxVocabulary;
    if (value.is_number_unsigned()) {
        id = value.get<uint64_t>();
    } else if (value.is_string()) {
        const std::string& text = value.get_ref<const std::string&>();
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
        if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    }
    if (id >= kMaxVocabulary) return std::nullopt;
    return static_cast<uint32_t>(id);
}

uint8_t added_token_flags(const json& token, bool special) {
    uint8_t flags = 0;
    if (json_bool(token, "lstrip", false)) flags |= kTokenLstrip;
    if (json_bool(token, "rstrip", false)) flags |= kTokenRstrip;
    if (json_bool(token, "single_word", false)) flags |= kTokenSingleWord;
    if (json_bool(token, "normalized", !special)) flags |= kTokenNormalized;
    return flags;
}

json parse_json(std::string_view text, const char* what) {
    check_depth(text, what);
    try {
        return json::parse(text);
    } catch (const json::exception& error) {
        std::string reason = error.what();
        if (reason.size() > 160) reason.resize(160);
        for (char& c : reason) {
            if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7F) c = '?';
        }
        throw Error(BITNET_E_TOKENIZER, std::string(what) + " is not valid JSON: " + reason);
    }
}

const json& json_member(const json& object, const char* key) {
    static const json null_value;
    if (!object.is_object()) return null_value;
    const auto member = object.find(key);
    return member == object.end() ? null_value : *member;
}

bool json_bool(const json& object, const char* key, bool absent) {
    const json& value = json_member(object, key);
    if (value.is_null()) return absent;
    if (!value.is_boolean()) wrong_type(key, "true or false");
    return value.get<bool>();
}

std::string json_string(const json& object, const char* key, std::string_view absent) {
    const json& value = json_member(object, key);
    if (value.is_null()) return std::string(absent);
    if (!value.is_string()) wrong_type(key, "a text");
    return value.get<std::string>();
}

TokenizerConfig parse_tokenizer_config(std::string_view text) {
    TokenizerConfig config;
    if (text.empty()) return config;
    const json root = parse_json(text, "tokenizer_config.json");
    config.bos = token_text(root, "bos_token");
    config.eos = token_text(root, "eos_token");
    config.pad = token_text(root, "pad_token");
    config.unk = token_text(root, "unk_token");
    config.add_bos = optional_bool(root, "add_bos_token");
    config.add_eos = optional_bool(root, "add_eos_token");
    config.chat_template = template_text(json_member(root, "chat_template"));
    config.added = added_tokens(json_member(root, "added_tokens_decoder"));
    return config;
}

}  // namespace bitnet
