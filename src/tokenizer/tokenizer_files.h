// The files of a tokenizer, wherever they lie: a .gguf, a tokenizer.json or tokenizer.model with the smaller files beside
// it, a folder with one of these.
#pragma once

#include <string>

#include "src/tokenizer/vocabulary.h"

namespace bitnet {

// Recognised by content: a .gguf file, a tokenizer.json or a tokenizer.model. With the latter two are read, where they lie
// in the same folder: tokenizer_config.json, special_tokens_map.json, generation_config.json, chat_template.jinja, and with
// tokenizer.model added_tokens.json. A folder means its tokenizer.json, else its tokenizer.model. Throws
// BITNET_E_TOKENIZER, BITNET_E_SECURITY_*, BITNET_E_FILE_NOT_FOUND for a folder without either, or what opening and
// reading the files throw.
Vocabulary read_vocabulary_file(const std::string& path);

// What stands beside a tokenizer.json or tokenizer.model, each as text; "" for a file that is not there.
struct TokenizerCompanions {
    std::string config;         // tokenizer_config.json
    std::string special_map;    // special_tokens_map.json
    std::string generation;     // generation_config.json
    std::string added;          // added_tokens.json
    std::string chat_template;  // chat_template.jinja
};
// content: of a tokenizer.json when it begins with a brace, else of a tokenizer.model. Throws BITNET_E_TOKENIZER and
// BITNET_E_SECURITY_EXHAUSTION.
Vocabulary read_vocabulary_text(std::string content, const TokenizerCompanions& companions);

}  // namespace bitnet
