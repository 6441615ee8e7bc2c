// A tokenizer of a file or of a model that is open.
#include "src/tokenizer/tokenizer_load.h"

#include "src/base/error.h"
#include "src/tokenizer/tokenizer_files.h"

namespace bitnet {

std::shared_ptr<const Tokenizer> load_tokenizer(const std::string& path) {
    try {
        return std::make_shared<const Tokenizer>(read_vocabulary_file(path));
    } catch (Error& error) {
        if (error.message().find(path) == std::string::npos) error.prefix(path);
        throw;
    }
}

std::shared_ptr<const Tokenizer> load_tokenizer(const GgufFile& file) {
    return std::make_shared<const Tokenizer>(read_vocabulary_gguf(file));
}

}  // namespace bitnet
