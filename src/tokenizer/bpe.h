// Byte-level BPE (GPT-2, Llama 3): text is cut into pieces, the bytes of a piece are merged by rank, and every result
// is a token. Any bytes can be encoded, and the tokens' bytes put together are the text again.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "bitnet.h"
#include "src/tokenizer/merge_table.h"
#include "src/tokenizer/pretokenize.h"
#include "src/tokenizer/string_table.h"
#include "src/tokenizer/vocabulary.h"

namespace bitnet {

// Immutable; any thread.
class BpeEncoder {
public:
    // outputs: per token the bytes it stands for; must outlive the encoder, which adds its index to it. Throws
    // BITNET_E_TOKENIZER for vocabularies that cannot encode every byte or whose merges are ambiguous or broken.
    BpeEncoder(const Vocabulary& vocabulary, StringTable& outputs);

    struct Scratch {
        explicit Scratch(const BpeEncoder& encoder) : split(encoder.pretokenizer_) {}
        Pretokenizer::Scratch split;
        MergeTable::Scratch merge;
        std::vector<uint32_t> symbols;
        // Pieces of this text met before: where they stood, and where their tokens are in the result.
        struct Seen {
            uint32_t hash;
            uint32_t n_bytes;
            const char* text;
            size_t first_token;
            uint32_t n_tokens;
        };
        std::vector<Seen> seen;
    };
    // Appends the tokens of text, which is at most 1 GiB long and stays valid while scratch is used. Throws
    // BITNET_E_TEXT.
    void encode(std::string_view text, Scratch& scratch, std::vector<bitnet_token>& out) const;

    size_t bytes_used() const noexcept;

private:
    void read_merges(const Vocabulary& vocabulary);
    void encode_piece(std::string_view piece, Scratch& scratch, std::vector<bitnet_token>& out) const;
    void merge_piece(std::string_view piece, Scratch& scratch, std::vector<bitnet_token>& out) const;

    const StringTable& outputs_;
    Pretokenizer pretokenizer_;
    MergeTable merges_;
    StringTable virtual_bytes_;  // results of merges that are no tokens: symbol n_tokens_ + i
    uint32_t n_tokens_;
    std::array<bitnet_token, 256> byte_token_;
    bool ignore_merges_;
    bool prefix_space_;
};

}  // namespace bitnet
