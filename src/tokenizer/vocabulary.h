// A vocabulary as plain data: what the three kinds of tokenizer files say, in one shape, before a Tokenizer is made of
// it. The loaders fill it and refuse what it cannot express; Tokenizer checks the values themselves.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet.h"
#include "src/tokenizer/pretokenize.h"
#include "src/tokenizer/quote_text.h"

namespace bitnet {

class GgufFile;

enum class VocabularyKind : uint8_t { bpe, spm };  // byte-level BPE; SentencePiece BPE

// How an added token (control or user-defined) is matched in text; bits of Vocabulary::token_flags.
inline constexpr uint8_t kTokenLstrip = 1;      // takes white space before it
inline constexpr uint8_t kTokenRstrip = 2;      // takes white space after it
inline constexpr uint8_t kTokenSingleWord = 4;  // only where no word character touches it
inline constexpr uint8_t kTokenNormalized = 8;  // matched after normalization, in what the other added tokens leave
inline constexpr uint8_t kTokenAddedOnly = 16;  // no part of the merging model: only matching makes it
inline constexpr uint8_t kAllTokenFlags = 31;

// Where a SentencePiece encoder puts a space that the text does not have.
enum class SpacePrefix : uint8_t {
    never,
    each_fragment,  // before the text and after every added token
    text_start      // before the text only
};

// "never", "each_fragment", "text_start".
const char* space_prefix_name(SpacePrefix prefix) noexcept;

struct MergeText {
    std::string text;    // left and right part together, which is also the result
    uint32_t left_size;  // bytes of the left part
};

struct Vocabulary {
    std::string source;        // "gguf", "tokenizer.json", "tokenizer.model"
    std::string architecture;  // general.architecture; "" outside of GGUF
    std::string chat_template;
    VocabularyKind kind = VocabularyKind::bpe;

    std::vector<std::string> tokens;   // by id, as stored: GPT-2's byte alphabet or U+2581 for spaces
    std::vector<uint8_t> attributes;   // a bitnet_token_attribute per token
    std::vector<float> scores;         // spm merged by score: one per token; else empty
    std::vector<uint8_t> token_flags;  // one per token, or empty when all are 0
    std::vector<MergeText> merges;     // bpe, and spm merged by rank: best first
    bool strict_merges = false;        // every part and result must be a token, no pair may occur twice

    int32_t bos = -1, eos = -1, eot = -1, eom = -1, pad = -1, unk = -1;  // -1: none
    std::vector<int32_t> extra_ends;                                     // more tokens that end a text
    bool add_bos = false;
    bool add_eos = false;

    // bpe only
    std::string pre;                       // name in the table, or "custom"
    std::vector<PretokenizeStage> stages;  // of "custom"
    bool ignore_merges = false;            // a piece that is a token is emitted whole
    bool prefix_space = false;             // put a space before a text that does not begin with one
    bool nfc = false;                      // text is brought to Unicode's composed form first

    // spm only
    bool merge_by_score = true;  // else by rank in `merges`
    SpacePrefix space_prefix = SpacePrefix::each_fragment;
    bool prefix_only_if_absent = false;  // no prefix before text that begins with a space
    bool split_at_spaces = false;        // merges never cross the beginning of a word
    bool remove_extra_whitespaces = false;
    bool escape_after_added = false;  // normalized added tokens are matched before spaces are replaced
    bool normalize_added = false;     // they are stored as they read, not as they are matched
    bool byte_fallback = true;        // characters without token become <0xHH> tokens
    bool fuse_unknown = true;         // neighbouring unknown characters are one unknown token
};

inline constexpr size_t kMaxVocabulary = size_t{1} << 24;
inline constexpr size_t kMaxMerges = size_t{1} << 25;
inline constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581, a space in SentencePiece vocabularies

inline constexpr float kScoreOfAdded = -1000.0f;                        // of tokens that no SentencePiece model has

// Refuses sizes, ids, attributes and scores that do not fit together. Throws BITNET_E_TOKENIZER.
void check_vocabulary(const Vocabulary& vocabulary);
// Adds tokens [PADn] that nothing uses up to n_vocab, as converters do for models whose matrices have more rows. Throws
// BITNET_E_TOKENIZER when the vocabulary has more tokens than that, or n_vocab is too large.
void fill_vocabulary(Vocabulary& vocabulary, size_t n_vocab);
// The byte of a token text like <0x0A>; -1 for any other text.
int byte_of_token_text(std::string_view text) noexcept;

// The metadata of a GGUF file. Throws BITNET_E_TOKENIZER (also when the file has no vocabulary).
Vocabulary read_vocabulary_gguf(const GgufFile& file);
bool has_vocabulary(const GgufFile& file);
// tokenizer.json of Hugging Face tokenizers; tokenizer_config.json beside it, "" without one. Whatever changes the
// result and is not understood is refused by name.
Vocabulary read_vocabulary_json(std::string_view json, std::string_view config_json);
// A SentencePiece tokenizer.model of type BPE; tokenizer_config.json and added_tokens.json beside it, "" without.
Vocabulary read_vocabulary_spm(std::string_view model, std::string_view config_json, std::string_view added_json = {});

}  // namespace bitnet
