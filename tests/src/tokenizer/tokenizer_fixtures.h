// What the tokenizer tests share: the real vocabularies of the test data, loaded once, and small ones made in code.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bitnet.h"
#include "src/gguf/gguf_writer.h"
#include "src/tokenizer/tokenizer.h"
#include "src/tokenizer/vocabulary.h"

namespace test {

using Tokens = std::vector<bitnet_token>;

// A tokenizer of the test data, loaded at first use; the caller has checked that the file is there.
const bitnet::Tokenizer& tokenizer_of(const std::string& relative);
// The whole content of a file of the test data.
std::string data_file(const std::string& relative);
// The texts of NAME.inp with the ids of NAME.out, in tokenizer/vocab-gguf.
std::vector<std::pair<std::string, Tokens>> vocab_cases(const std::string& name);

// Byte-level: the 256 bytes, then the results of the merges, then <|bos|> <|eot_id|> (control), <tool> (user-defined).
bitnet::Vocabulary tiny_bpe(const std::vector<std::pair<std::string, std::string>>& merges = {});
// SentencePiece: <unk> <s> </s>, 256 byte tokens, then these pieces with these scores.
bitnet::Vocabulary tiny_spm(const std::vector<std::pair<std::string, float>>& pieces);
// The keys of a GGUF file with this vocabulary; for changes before it is read.
bitnet::GgufWriter gguf_of(const bitnet::Vocabulary& vocabulary);
// Reads the vocabulary of a file image and makes a tokenizer of it.
std::shared_ptr<const bitnet::Tokenizer> load_gguf(const bitnet::GgufWriter& writer);

// Runs and returns "STATUS_NAME: message" of the Error it throws; "no error" when there is none.
std::string error_of(const std::function<void()>& run);
// True when the error has this status and its message contains every one of the parts on one line.
bool fails_with(bitnet_status status, std::initializer_list<std::string_view> parts, const std::function<void()>& run);

// n pseudo-random bytes from these (all 256 when empty).
std::string random_text(uint64_t seed, size_t n, std::string_view alphabet = {});

}  // namespace test
