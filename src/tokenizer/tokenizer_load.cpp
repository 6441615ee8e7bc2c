// GGUF begins with its magic, JSON with a brace; what is left must be a SentencePiece model.
#include "src/tokenizer/tokenizer_load.h"

#include <filesystem>

#include "src/base/error.h"
#include "src/gguf/byte_source.h"
#include "src/tokenizer/vocabulary.h"

namespace bitnet {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{256} << 20;

std::string read_all(const ByteSource& source) {
    if (source.size() > kMaxFileBytes) {
        throw Error(BITNET_E_SECURITY_INPUT, source.name() + ": the tokenizer file is larger than 256 MiB")
            .with_numbers(kMaxFileBytes, source.size());
    }
    std::string text(static_cast<size_t>(source.size()), '\0');
    source.read(0, text.data(), text.size());
    return text;
}

// "" when there is none.
std::string read_config_beside(const std::string& path) {
    std::filesystem::path config(std::u8string(path.begin(), path.end()));
    config.replace_filename("tokenizer_config.json");
    std::error_code error;
    if (!std::filesystem::is_regular_file(config, error) || std::filesystem::file_size(config, error) == 0) return {};
    const std::u8string name = config.u8string();
    return read_all(*open_file_source(std::string(name.begin(), name.end()), false));
}

Vocabulary read_vocabulary(const std::string& path) {
    const std::unique_ptr<ByteSource> source = open_file_source(path, false);
    char magic[4] = {};
    if (source->size() >= sizeof magic) source->read(0, magic, sizeof magic);
    const std::string_view start(magic, sizeof magic);
    if (start == "GGUF" || start == "FUGG") {  // the second is big-endian, which the reader refuses by name
        GgufReadOptions options;
        options.metadata_only = true;
        return read_vocabulary_gguf(*GgufFile::open(path, true, options));
    }
    std::string text = read_all(*source);
    if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
    const size_t first = text.find_first_not_of(" \t\r\n");
    if (first != std::string::npos && text[first] == '{') return read_vocabulary_json(text, read_config_beside(path));
    return read_vocabulary_spm(text, read_config_beside(path));
}

}  // namespace

std::shared_ptr<const Tokenizer> load_tokenizer(const std::string& path) {
    try {
        return std::make_shared<const Tokenizer>(read_vocabulary(path));
    } catch (Error& error) {
        if (error.message().find(path) == std::string::npos) error.prefix(path);
        throw;
    }
}

std::shared_ptr<const Tokenizer> load_tokenizer(const GgufFile& file) {
    return std::make_shared<const Tokenizer>(read_vocabulary_gguf(file));
}

}  // namespace bitnet
