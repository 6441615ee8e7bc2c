// From a file to a tokenizer, whatever kind of file it is.
#pragma once

#include <memory>
#include <string>

#include "src/gguf/gguf_reader.h"
#include "src/tokenizer/tokenizer.h"

namespace bitnet {

// A .gguf file, a tokenizer.json or a tokenizer.model, recognised by content. A tokenizer_config.json in the same
// folder is read with the latter two. Throws BITNET_E_TOKENIZER, BITNET_E_SECURITY_*, or what opening and reading the file throw; messages
// begin with the path.
std::shared_ptr<const Tokenizer> load_tokenizer(const std::string& path);
// The tokenizer of a model file that is already open. Throws BITNET_E_TOKENIZER, BITNET_E_GGUF_METADATA.
std::shared_ptr<const Tokenizer> load_tokenizer(const GgufFile& file);

}  // namespace bitnet
