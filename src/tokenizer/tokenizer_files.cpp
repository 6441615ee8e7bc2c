// GGUF begins with its magic, JSON with a brace; what is left must be a SentencePiece model.
#include "src/tokenizer/tokenizer_files.h"

#include <algorithm>
#include <filesystem>

#include "src/base/error.h"
#include "src/gguf/byte_source.h"
#include "src/gguf/gguf_reader.h"
#include "src/tokenizer/tokenizer_json.h"

namespace bitnet {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr uint64_t kMaxFileBytes = uint64_t{256} << 20;
constexpr size_t kMaxEnds = 64;

std::string utf8_of(const fs::path& path) {
    const std::u8string text = path.u8string();
    return std::string(text.begin(), text.end());
}

std::string read_all(const ByteSource& source) {
    if (source.size() > kMaxFileBytes) {
        throw Error(BITNET_E_SECURITY_INPUT, source.name() + ": the tokenizer file is larger than 256 MiB")
            .with_numbers(kMaxFileBytes, source.size());
    }
    std::string text(static_cast<size_t>(source.size()), '\0');
    source.read(0, text.data(), text.size());
    if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
    return text;
}

// "" when there is none.
std::string read_beside(const fs::path& path, const char* name) {
    const fs::path file = fs::path(path).replace_filename(name);
    std::error_code error;
    if (!fs::is_regular_file(file, error) || fs::file_size(file, error) == 0) return {};
    return read_all(*open_file_source(utf8_of(file), false));
}

// The configuration with the special tokens that only special_tokens_map.json names.
std::string with_special_map(const std::string& config, const std::string& special_map) {
    if (special_map.empty()) return config;
    const json map = parse_json(special_map, "special_tokens_map.json");
    json merged = config.empty() ? json::object() : parse_json(config, "tokenizer_config.json");
    if (!merged.is_object()) return config;
    for (const char* key : {"bos_token", "eos_token", "pad_token", "unk_token"}) {
        const json& value = json_member(map, key);
        if (!value.is_null() && json_member(merged, key).is_null()) merged[key] = value;
    }
    return merged.dump();
}

// generation_config.json names all tokens that end a text, and ids that other files leave open. An id outside the
// vocabulary is that of another model's, as copied configurations have them.
void apply_generation_config(const std::string& text, Vocabulary& v) {
    if (text.empty()) return;
    const json root = parse_json(text, "generation_config.json");
    const auto id_of = [&](const json& value) {
        const std::optional<uint32_t> id = value.is_number() ? json_token_id(value) : std::nullopt;
        return id && *id < v.tokens.size() ? static_cast<int32_t>(*id) : -1;
    };
    if (v.bos < 0) v.bos = id_of(json_member(root, "bos_token_id"));
    if (v.pad < 0) v.pad = id_of(json_member(root, "pad_token_id"));
    const json& eos = json_member(root, "eos_token_id");
    const json ends = eos.is_array() ? eos : json::array({eos});
    if (ends.size() > kMaxEnds) {
        throw Error(BITNET_E_TOKENIZER, "generation_config.json names more than 64 end tokens; correct eos_token_id");
    }
    for (const json& end : ends) {
        const int32_t id = id_of(end);
        if (id < 0 || id == v.eos) continue;
        if (v.eos < 0) {
            v.eos = id;
        } else if (std::find(v.extra_ends.begin(), v.extra_ends.end(), id) == v.extra_ends.end()) {
            v.extra_ends.push_back(id);
        }
    }
}

bool begins_with_brace(std::string_view text) {
    const size_t first = text.find_first_not_of(" \t\r\n");
    return first != std::string_view::npos && text[first] == '{';
}

fs::path file_in_folder(const fs::path& path) {
    std::error_code error;
    if (!fs::is_directory(path, error)) return path;
    for (const char* name : {"tokenizer.json", "tokenizer.model"}) {
        if (fs::exists(path / name, error)) return path / name;
    }
    throw Error(BITNET_E_FILE_NOT_FOUND, utf8_of(path) +
                                             " has neither a tokenizer.json nor a tokenizer.model; give the "
                                             "folder or the file of the model's own tokenizer");
}

}  // namespace

Vocabulary read_vocabulary_text(std::string content, const TokenizerCompanions& companions) {
    if (content.starts_with("\xEF\xBB\xBF")) content.erase(0, 3);
    const std::string config = with_special_map(companions.config, companions.special_map);
    Vocabulary v = begins_with_brace(content) ? read_vocabulary_json(content, config)
                                              : read_vocabulary_spm(content, config, companions.added);
    apply_generation_config(companions.generation, v);
    if (!companions.chat_template.empty()) v.chat_template = companions.chat_template;
    return v;
}

Vocabulary read_vocabulary_file(const std::string& name) {
    try {
        const fs::path path = file_in_folder(fs::path(std::u8string(name.begin(), name.end())));
        const std::unique_ptr<ByteSource> source = open_file_source(utf8_of(path), false);
        char magic[4] = {};
        if (source->size() >= sizeof magic) source->read(0, magic, sizeof magic);
        const std::string_view start(magic, sizeof magic);
        if (start == "GGUF" || start == "FUGG") {  // the second is big-endian, which the reader refuses by name
            GgufReadOptions options;
            options.metadata_only = true;
            return read_vocabulary_gguf(*GgufFile::open(utf8_of(path), true, options));
        }
        TokenizerCompanions companions;
        companions.config = read_beside(path, "tokenizer_config.json");
        companions.special_map = read_beside(path, "special_tokens_map.json");
        companions.generation = read_beside(path, "generation_config.json");
        companions.added = read_beside(path, "added_tokens.json");
        companions.chat_template = read_beside(path, "chat_template.jinja");
        return read_vocabulary_text(read_all(*source), companions);
    } catch (Error& error) {
        if (error.message().find(name) == std::string::npos) error.prefix(name);
        throw;
    }
}

}  // namespace bitnet
