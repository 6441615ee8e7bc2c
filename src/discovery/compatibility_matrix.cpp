// Names from a file become parts of paths and addresses, so they are held to the letters that such names have.
#include "src/discovery/compatibility_matrix.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "src/base/error.h"
#include "src/gguf/byte_source.h"
#include "src/tokenizer/tokenizer_json.h"

namespace bitnet {
namespace {

using nlohmann::json;

constexpr uint64_t kMaxFileBytes = uint64_t{1} << 20;
constexpr size_t kMaxRows = 1000;
constexpr size_t kMaxFiles = 16;

// The table. BitNet's own models come first: they have Llama 3's vocabulary under their own architecture.
struct Row {
    const char* name;
    const char* repo;
    const char* files[4];
    const char* cache_key;
    int32_t expected_vocab;
    const char* architectures[2];
    const char* tokenizer_model;
};
constexpr Row kRows[] = {
    {"bitnet_custom",
     "microsoft/bitnet-b1.58-2B-4T",
     {"tokenizer.json", "tokenizer_config.json"},
     "bitnet-custom",
     128256,
     {"bitnet-b1.58", "bitnet-25"},
     "gpt2"},
    {"bitnet_1bitllm",
     "1bitLLM/bitnet_b1_58-3B",
     {"tokenizer.model", "tokenizer_config.json", "added_tokens.json", "special_tokens_map.json"},
     "bitnet-1bitllm",
     32002,
     {"bitnet"},
     "llama"},
    {"llama3_128k",
     "meta-llama/Meta-Llama-3-8B",
     {"tokenizer.json", "tokenizer_config.json"},
     "llama3-128k",
     128256,
     {},
     "gpt2"},
    {"llama2_32k",
     "meta-llama/Llama-2-7b-hf",
     {"tokenizer.model", "tokenizer_config.json"},
     "llama2-32k",
     32000,
     {},
     "llama"},
    {"gpt2_50k", "openai-community/gpt2", {"tokenizer.json", "tokenizer_config.json"}, "gpt2-50k", 50257, {}, "gpt2"},
};

[[noreturn]] void refuse(const std::string& row, const std::string& what) {
    throw Error(BITNET_E_CONFIG, "the tokenizer table: " + row + " " + what + "; correct the file").with_subject(row);
}

// Letters, digits, '.', '_' and '-', not beginning with '.'; so neither a path nor a part of an address.
bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= 96 && text[0] != '.' && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
               c == '-';
    });
}

bool is_repo(std::string_view text) {
    const size_t slash = text.find('/');
    return slash != std::string_view::npos && is_name(text.substr(0, slash)) && is_name(text.substr(slash + 1));
}

std::string text_of(const json& row, const char* key, const std::string& label) {
    const json& value = json_member(row, key);
    if (value.is_null()) return {};
    if (!value.is_string()) refuse(label, std::string("has a '") + key + "' that is not a text");
    return value.get<std::string>();
}

std::vector<std::string> texts_of(const json& row, const char* key, const std::string& label) {
    const json& list = json_member(row, key);
    std::vector<std::string> out;
    if (list.is_null()) return out;
    if (!list.is_array() || list.size() > kMaxFiles) {
        refuse(label, std::string("has a '") + key + "' that is not a list of at most 16 texts");
    }
    for (const json& item : list) {
        if (!item.is_string() || !is_name(item.get_ref<const std::string&>())) {
            refuse(label, std::string("has an entry in '") + key + "' that is not a plain name");
        }
        out.push_back(item.get<std::string>());
    }
    return out;
}

TokenizerSource read_row(const json& row, size_t index) {
    std::string label = "row " + std::to_string(index);
    if (!row.is_object()) refuse(label, "is not an object");
    TokenizerSource source;
    source.name = text_of(row, "name", label);
    if (!is_name(source.name)) refuse(label, "has no plain 'name'");
    label += " (" + source.name + ")";
    source.repo = text_of(row, "repo", label);
    if (!is_repo(source.repo)) refuse(label, "has a 'repo' that is not owner/name");
    source.files = texts_of(row, "files", label);
    if (source.files.empty()) refuse(label, "names no 'files'");
    source.cache_key = text_of(row, "cache_key", label);
    if (!is_name(source.cache_key)) refuse(label, "has no plain 'cache_key'");
    const json& vocab = json_member(row, "expected_vocab");
    if (!vocab.is_number_unsigned() || vocab.get<uint64_t>() == 0 || vocab.get<uint64_t>() > kMaxVocabulary) {
        refuse(label, "has an 'expected_vocab' that is not a number from 1 to 16777216");
    }
    source.expected_vocab = vocab.get<int32_t>();
    source.architectures = texts_of(row, "architectures", label);
    source.tokenizer_model = text_of(row, "tokenizer_model", label);
    if (!source.tokenizer_model.empty() && source.tokenizer_model != "gpt2" && source.tokenizer_model != "llama") {
        refuse(label, "has a 'tokenizer_model' that is neither gpt2 nor llama");
    }
    return source;
}

}  // namespace

const std::vector<TokenizerSource>& builtin_sources() {
    static const std::vector<TokenizerSource> sources = [] {
        std::vector<TokenizerSource> out;
        const auto texts = [](std::span<const char* const> list) {
            std::vector<std::string> some;
            for (const char* text : list) {
                if (text != nullptr) some.emplace_back(text);
            }
            return some;
        };
        for (const Row& row : kRows) {
            out.push_back({row.name, row.repo, texts(row.files), row.cache_key, row.expected_vocab,
                           texts(row.architectures), row.tokenizer_model});
        }
        return out;
    }();
    return sources;
}

std::vector<TokenizerSource> parse_sources(std::string_view text) {
    json root;
    try {
        root = parse_json(text, "the tokenizer table");
    } catch (const Error& error) {
        if (error.status() != BITNET_E_TOKENIZER) throw;
        throw Error(BITNET_E_CONFIG, error.message());
    }
    const json& rows = json_member(root, "tokenizers");
    if (!rows.is_array() || rows.size() > kMaxRows) {
        throw Error(BITNET_E_CONFIG, "the tokenizer table has no list 'tokenizers' of at most 1000 rows");
    }
    std::vector<TokenizerSource> out;
    const auto has = [&](const std::string& name) {
        return std::any_of(out.begin(), out.end(), [&](const TokenizerSource& row) { return row.name == name; });
    };
    for (size_t i = 0; i < rows.size(); ++i) {
        TokenizerSource row = read_row(rows[i], i);
        if (has(row.name)) refuse("row " + std::to_string(i) + " (" + row.name + ")", "has the name of another row");
        out.push_back(std::move(row));
    }
    for (const TokenizerSource& row : builtin_sources()) {
        if (!has(row.name)) out.push_back(row);
    }
    return out;
}

std::vector<TokenizerSource> read_sources(const std::string& path) {
    const std::unique_ptr<ByteSource> source = open_file_source(path, false);
    if (source->size() > kMaxFileBytes) {
        throw Error(BITNET_E_SECURITY_INPUT, path + ": a tokenizer table larger than 1 MiB is refused")
            .with_numbers(kMaxFileBytes, source->size());
    }
    std::string text(static_cast<size_t>(source->size()), '\0');
    source->read(0, text.data(), text.size());
    try {
        return parse_sources(text);
    } catch (Error& error) {
        error.prefix(path);
        throw;
    }
}

const TokenizerSource* find_source(std::span<const TokenizerSource> sources, std::string_view architecture,
                                   std::string_view tokenizer_model, int64_t n_vocab) {
    for (const TokenizerSource& row : sources) {
        if (row.expected_vocab != n_vocab) continue;
        const bool fits = row.architectures.empty() || std::find(row.architectures.begin(), row.architectures.end(),
                                                                 architecture) != row.architectures.end();
        const bool same_model =
            tokenizer_model.empty() || row.tokenizer_model.empty() || row.tokenizer_model == tokenizer_model;
        if (fits && same_model) return &row;
    }
    return nullptr;
}

}  // namespace bitnet
