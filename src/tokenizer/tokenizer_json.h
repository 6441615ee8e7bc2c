// What the loaders of tokenizer.json and tokenizer_config.json share: reading JSON that may be hostile, the settings of
// tokenizer_config.json, and the parts of tokenizer.json that turn text into pieces (json_pipeline.cpp).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "src/tokenizer/vocabulary.h"

namespace bitnet {

// Parses a whole document. Throws BITNET_E_TOKENIZER for invalid JSON, BITNET_E_SECURITY_EXHAUSTION for nesting above 64.
nlohmann::json parse_json(std::string_view text, const char* what);

// Members with a default for absence and null; BITNET_E_TOKENIZER naming the key when it has another type.
bool json_bool(const nlohmann::json& object, const char* key, bool absent);
std::string json_string(const nlohmann::json& object, const char* key, std::string_view absent);
// The member, or a null value when it is absent.
const nlohmann::json& json_member(const nlohmann::json& object, const char* key);

// tokenizer_config.json, as far as it matters here.
struct TokenizerConfig {
    std::optional<std::string> bos, eos, pad, unk;
    std::optional<bool> add_bos, add_eos;
    std::string chat_template;  // the one named "default" where there are several
    // added_tokens_decoder: what is added to the model of a tokenizer.model (tokenizer.json has its own list).
    struct Added {
        uint32_t id;
        std::string text;
        bool special;
        uint8_t flags;  // bits of Vocabulary::token_flags
    };
    std::vector<Added> added;  // rising ids
};
// "" gives an empty configuration.
TokenizerConfig parse_tokenizer_config(std::string_view json);

// An id given as a number or as the text of one; nullopt for anything else and from kMaxVocabulary on.
std::optional<uint32_t> json_token_id(const nlohmann::json& value);
// The bits of Vocabulary::token_flags that an added token asks for.
uint8_t added_token_flags(const nlohmann::json& token, bool special);

// Reads "normalizer" and "pre_tokenizer" into v: kind, stages or SentencePiece settings. Refuses what is not
// understood.
void read_json_pipeline(const nlohmann::json& root, Vocabulary& v);
// Tokens that "post_processor" puts around a text.
struct JsonTemplate {
    std::optional<std::string> before, after;
    bool is_there = false;
};
JsonTemplate read_json_post_processor(const nlohmann::json& root);
// Refuses decoders that write other bytes than ours.
void check_json_decoder(const nlohmann::json& root, VocabularyKind kind);

}  // namespace bitnet
