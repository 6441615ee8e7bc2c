// Vocabulary -> the tokenizer.ggml.* keys of a GGUF file; vocabulary_gguf.cpp reads them back as the same tokenizer.
#pragma once

#include <cstddef>
#include <string>

#include "src/gguf/gguf_writer.h"
#include "src/tokenizer/vocabulary.h"

namespace bitnet {

// Adds every key of the vocabulary to writer, which must not have any of them yet; general.architecture is the caller's.
// A tokenizer made of the file gives the ids of one made of `vocabulary`. Throws BITNET_E_TOKENIZER for what cannot be
// written.
void add_vocabulary_keys(GgufWriter& writer, const Vocabulary& vocabulary);

// The whole way from a Hugging Face folder: reads its tokenizer (read_vocabulary_folder), checks that it is usable, fills
// it up to the model's n_vocab tokens (fill_vocabulary; 0: as it is) and adds the keys. Throws as these do.
void add_tokenizer_keys(GgufWriter& writer, const std::string& folder, size_t n_vocab);

}  // namespace bitnet
