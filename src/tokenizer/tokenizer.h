// A tokenizer made of any of the supported files: text to token ids and back. What the flags and the buffers of
// bitnet.h mean is implemented here; src/api only translates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet.h"
#include "src/tokenizer/bpe.h"
#include "src/tokenizer/output_trie.h"
#include "src/tokenizer/spm.h"
#include "src/tokenizer/string_table.h"
#include "src/tokenizer/token_trie.h"
#include "src/tokenizer/vocabulary.h"

namespace bitnet {

// bitnet_tokenizer_info without the struct_size; the texts live as long as the tokenizer.
struct TokenizerInfo {
    std::string source;
    std::string model;
    std::string pre;
    int32_t n_vocab = 0;
    bitnet_token bos = -1, eos = -1, eot = -1, pad = -1, unk = -1;
    bool add_bos = false;
    bool add_eos = false;
};

// Never changes after it is made; every const method may be called from any thread at any time.
class Tokenizer {
public:
    // Throws BITNET_E_TOKENIZER when the vocabulary is not usable, saying why.
    explicit Tokenizer(const Vocabulary& vocabulary);
    ~Tokenizer();
    Tokenizer(const Tokenizer&) = delete;
    Tokenizer& operator=(const Tokenizer&) = delete;

    // flags: BITNET_ENCODE_*. BOS is not added when the text, read with PARSE_SPECIAL, begins with it.
    // Throws BITNET_E_ARGUMENT for unknown flags, BITNET_E_LIMIT above 1 GiB, BITNET_E_TEXT.
    std::vector<bitnet_token> encode(std::string_view text, uint32_t flags) const;
    // Bytes [begin, end) of a text.
    struct Range {
        size_t begin;
        size_t end;
    };
    // Reads control tokens only where all of their bytes lie in one of the trusted ranges (rising, apart from each other).
    // What is between two control tokens is encoded as one text, whatever of it is trusted. Adds neither BOS nor EOS.
    std::vector<bitnet_token> encode_marked(std::string_view text, std::span<const Range> trusted) const;
    // flags: BITNET_DECODE_*. Throws BITNET_E_TOKEN for an id outside the vocabulary.
    std::string decode(std::span<const bitnet_token> tokens, uint32_t flags) const;

    // The token's text as stored. Throws BITNET_E_TOKEN.
    std::string_view piece(bitnet_token token) const;
    // The lowest id with exactly this stored text.
    std::optional<bitnet_token> find(std::string_view stored) const noexcept;
    // A bitnet_token_attribute; 0 for an id outside the vocabulary.
    int32_t attribute(bitnet_token token) const noexcept;
    bool is_end(bitnet_token token) const noexcept;
    // The tokens that may end a text, rising.
    const std::vector<bitnet_token>& ends() const noexcept { return ends_; }
    // What decode() writes for a token that is text; "" for control, unknown, unused and end tokens and for ids outside
    // the vocabulary.
    std::string_view output(bitnet_token token) const noexcept;
    // All tokens by their output, those where it is empty left out. Made when first asked for.
    const OutputTrie& output_trie() const;
    int32_t n_vocab() const noexcept { return info_.n_vocab; }
    const TokenizerInfo& info() const noexcept { return info_; }

    // For the choice of a chat format.
    const std::string& architecture() const noexcept { return architecture_; }
    const std::string& chat_template() const noexcept { return chat_template_; }

    size_t bytes_used() const noexcept;

private:
    struct Call;

    bool is_valid(bitnet_token token) const noexcept { return token >= 0 && token < info_.n_vocab; }
    void require_valid(bitnet_token token) const;
    void fill_texts(const Vocabulary& vocabulary);
    void build_tries(const Vocabulary& vocabulary);
    void find_ends(const Vocabulary& vocabulary);
    void encode_fragment(std::string_view fragment, bool at_start, Call& call) const;
    void encode_unmarked(std::string_view text, bool at_start, Call& call) const;
    void encode_plain(std::string_view text, bool at_start, Call& call) const;

    TokenizerInfo info_;
    std::string architecture_;
    std::string chat_template_;
    VocabularyKind kind_;
    StringTable texts_;    // as stored
    StringTable outputs_;  // what decode() writes
    std::vector<uint8_t> attributes_;
    std::vector<uint8_t> token_flags_;
    std::vector<bitnet_token> ends_;  // sorted
    // Added tokens by [parse_special]: matched in the text as it is, then in what is left after normalization.
    TokenTrie raw_tries_[2];
    TokenTrie normalized_tries_[2];
    TokenTrie stored_trie_;  // all of them as stored, where some want normalized text; else raw_tries_[1] is that
    bool has_stored_trie_ = false;
    bool escape_after_added_;
    bool has_space_prefix_;
    bool nfc_;  // what added tokens leave of a text is brought to the composed form first
    std::unique_ptr<BpeEncoder> bpe_;
    std::unique_ptr<SpmEncoder> spm_;
    mutable std::once_flag output_trie_once_;
    mutable std::unique_ptr<const OutputTrie> output_trie_;
};

}  // namespace bitnet
