// SentencePiece BPE (Llama 2, the 1bitLLM models): spaces become U+2581, characters are merged by the score of the
// result or by a rank per pair, and characters that are no tokens become byte tokens <0xHH>.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet.h"
#include "src/tokenizer/merge_table.h"
#include "src/tokenizer/string_table.h"
#include "src/tokenizer/vocabulary.h"

namespace bitnet {

// Immutable; any thread.
class SpmEncoder {
public:
    // Throws BITNET_E_TOKENIZER for vocabularies that cannot encode every text or that are ambiguous.
    explicit SpmEncoder(const Vocabulary& vocabulary);

    struct Scratch {
        MergeTable::Scratch merge;
        std::vector<uint32_t> symbols;
        bool previous_unknown = false;
    };
    // The form in which text is matched with tokens: spaces replaced, the prefix in front. at_start: the text begins
    // here (with SpacePrefix::text_start only such text gets the prefix).
    std::string normalize(std::string_view text, bool at_start) const;
    // Appends the tokens of normalized text.
    void encode(std::string_view normalized, Scratch& scratch, std::vector<bitnet_token>& out) const;

    size_t bytes_used() const noexcept;

private:
    class CharMap {
    public:
        CharMap();
        uint32_t find(uint32_t code_point) const noexcept;
        void set(uint32_t code_point, uint32_t symbol);
        size_t bytes_used() const noexcept { return symbols_.capacity() * sizeof(uint32_t); }

    private:
        std::array<uint16_t, 0x1100> page_of_{};
        std::vector<uint32_t> symbols_;  // pages of 256; page 0 has none
    };

    void read_bytes(const Vocabulary& vocabulary);
    void read_scores(const Vocabulary& vocabulary);
    void read_ranks(const Vocabulary& vocabulary);
    void encode_word(std::string_view word, Scratch& scratch, std::vector<bitnet_token>& out) const;
    void emit(uint32_t symbol, Scratch& scratch, std::vector<bitnet_token>& out) const;
    void emit_unknown(Scratch& scratch, std::vector<bitnet_token>& out) const;

    MergeTable merges_;
    CharMap chars_;
    StringTable virtual_text_;  // characters that are parts of tokens but no tokens: symbol n_tokens_ + i
    uint32_t n_tokens_;
    bool has_bytes_ = false;
    std::array<bitnet_token, 256> byte_token_{};
    bitnet_token unknown_;
    bool fuse_unknown_;
    SpacePrefix space_prefix_;
    bool prefix_only_if_absent_;
    bool remove_extra_whitespaces_;
    bool split_at_spaces_;     // part of the tokenizer's definition
    bool words_are_separate_;  // no merge crosses the beginning of a word: the same result, sooner
};

}  // namespace bitnet
