// What the fuzzers of tokenizer files share: the file and what lies beside it, parted by NUL bytes, becomes a tokenizer; the same
// vocabulary goes through GGUF keys, and both must give the same tokens.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/error.h"
#include "src/gguf/byte_source.h"
#include "src/gguf/gguf_reader.h"
#include "src/tokenizer/tokenizer_files.h"
#include "src/tokenizer/tokenizer_load.h"
#include "src/tokenizer/vocabulary_gguf_write.h"

namespace fuzz {

inline void require(bool ok, const char* what) {
    if (ok) return;
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

// content: of the tokenizer file itself.
inline void round_trip(std::string content, const bitnet::TokenizerCompanions& companions) {
    using namespace bitnet;
    const std::string_view texts[] = {"a b \xFF\n<s>", "  ab</s>a 12", "\xE2\x96\x81 e\xCC\x81<tool>", "'s\tA"};
    try {
        const Vocabulary vocabulary = read_vocabulary_text(std::move(content), companions);
        const Tokenizer direct(vocabulary);
        std::vector<uint8_t> image;
        try {
            GgufWriter writer;
            writer.add_string("general.architecture", "fuzz");
            add_vocabulary_keys(writer, vocabulary);
            image = writer.to_bytes();
        } catch (const Error& error) {
            require(error.status() == BITNET_E_TOKENIZER, error.what());
            return;  // a merge with a space in it
        }
        const std::shared_ptr<const ByteSource> source = open_memory_source(image.data(), image.size());
        std::shared_ptr<const Tokenizer> again;
        try {
            again = load_tokenizer(*GgufFile::read(source));
        } catch (const Error& error) {
            require(false, error.what());  // what was usable has to stay usable
        }
        require(direct.ends() == again->ends(), "other end tokens");
        for (const std::string_view text : texts) {
            for (const uint32_t flags : {0u, uint32_t{BITNET_ENCODE_PARSE_SPECIAL | BITNET_ENCODE_ADD_DEFAULT}}) {
                const std::vector<bitnet_token> tokens = direct.encode(text, flags);
                require(tokens == again->encode(text, flags), "other tokens after the way through GGUF");
                require(direct.decode(tokens, 0) == again->decode(tokens, 0), "other text after the way through GGUF");
            }
        }
    } catch (const Error& error) {
        require(error.message().find('\n') == std::string::npos, "a message of several lines");
    }
}

// Cuts the next part off, up to a NUL byte.
inline std::string next_part(std::string_view& rest) {
    const size_t end = rest.find('\0');
    std::string part(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return part;
}

}  // namespace fuzz
