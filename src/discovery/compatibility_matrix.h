// Which published tokenizer belongs to which kind of model: a table in the library, which a JSON file can extend.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet {

// One row: where the tokenizer of a model of this kind can be had.
struct TokenizerSource {
    std::string name;                // "llama3_128k"
    std::string repo;                // owner/name on the Hugging Face hub
    std::vector<std::string> files;  // all of them are needed; the first is the tokenizer itself
    std::string cache_key;           // "llama3-128k": its folder in a cache
    int32_t expected_vocab = 0;      // tokens of the tokenizer
    // The models it fits: architectures (empty: any) and tokenizer.ggml.model ("": either). The model has expected_vocab
    // rows.
    std::vector<std::string> architectures;
    std::string tokenizer_model;
};

const std::vector<TokenizerSource>& builtin_sources();

// Rows of a JSON file: {"tokenizers": [{"name", "repo", "files", "cache_key", "expected_vocab", "architectures",
// "tokenizer_model"}]}; the last two may be left out. Rows of the table that have one of these names are not in the result,
// the others follow. Throws BITNET_E_CONFIG naming the row, BITNET_E_SECURITY_INPUT, or what opening and reading throw.
std::vector<TokenizerSource> read_sources(const std::string& path);
std::vector<TokenizerSource> parse_sources(std::string_view json);

// The first row that fits the model; nullptr when none does.
const TokenizerSource* find_source(std::span<const TokenizerSource> sources, std::string_view architecture,
                                   std::string_view tokenizer_model, int64_t n_vocab);

}  // namespace bitnet
