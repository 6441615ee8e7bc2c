// From a file to a tokenizer, whatever kind of file it is.
#pragma once

#include <memory>
#include <string>

#include "src/gguf/gguf_reader.h"
#include "src/tokenizer/tokenizer.h"

namespace bitnet {

// A .gguf file, a tokenizer.json, a tokenizer.model or a folder, read with what belongs to it (tokenizer_files.h says what
// and throws what). Messages name the path.
std::shared_ptr<const Tokenizer> load_tokenizer(const std::string& path);
// The tokenizer of a model file that is already open. Throws BITNET_E_TOKENIZER, BITNET_E_GGUF_METADATA.
std::shared_ptr<const Tokenizer> load_tokenizer(const GgufFile& file);

}  // namespace bitnet
