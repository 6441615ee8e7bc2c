// Symbols are token ids. A merge whose result is no token still counts, as it does where merges work on strings: its
// result is a symbol above the vocabulary, and one that is left at the end is written as its single bytes.
#include "src/tokenizer/bpe.h"

#include <cstring>

#include "src/base/error.h"
#include "src/tokenizer/byte_alphabet.h"

namespace bitnet {
namespace {

// Tokens that text may become by merging.
bool is_text_token(const Vocabulary& vocabulary, uint32_t id) {
    const uint8_t attribute = vocabulary.attributes[id];
    if (attribute != BITNET_TOKEN_NORMAL && attribute != BITNET_TOKEN_USER_DEFINED) return false;
    return vocabulary.token_flags.empty() || (vocabulary.token_flags[id] & kTokenAddedOnly) == 0;
}

std::vector<PretokenizeStage> stages_for(const Vocabulary& vocabulary) {
    if (vocabulary.pre == "custom") return vocabulary.stages;
    if (const PretokenizerRow* row = find_pretokenizer(vocabulary.pre)) return stages_of(*row);
    throw Error(BITNET_E_TOKENIZER, "unknown pre-tokenizer " + quote_text(vocabulary.pre) +
                                        " (tokenizer.ggml.pre); "
                                        "this build knows " +
                                        known_pretokenizers())
        .with_subject(vocabulary.pre.substr(0, 80));
}

constexpr size_t kSeenSlots = 1024;    // power of two
constexpr size_t kSeenMinText = 4096;  // below this the table costs more than it saves
constexpr size_t kSeenMaxPiece = 64;

}  // namespace

BpeEncoder::BpeEncoder(const Vocabulary& vocabulary, StringTable& outputs)
    : outputs_(outputs), pretokenizer_(stages_for(vocabulary), vocabulary.pre != "custom"),
      n_tokens_(static_cast<uint32_t>(vocabulary.tokens.size())), ignore_merges_(vocabulary.ignore_merges),
      prefix_space_(vocabulary.prefix_space) {
    outputs.reserve_index(n_tokens_);
    std::string bytes;
    for (uint32_t id = 0; id < n_tokens_; ++id) {
        if (!is_text_token(vocabulary, id)) continue;
        bytes.clear();
        const bool in_alphabet = append_alphabet_bytes(bytes, vocabulary.tokens[id]);
        // A text outside the alphabet cannot come from merges, so it is no way to write its bytes.
        if (!in_alphabet || bytes.empty() || bytes != outputs[id] || outputs.index(id)) continue;
        throw Error(BITNET_E_TOKENIZER, "tokens " + std::to_string(outputs.find(bytes)) + " and " + std::to_string(id) +
                                            " are both " + quote_text(vocabulary.tokens[id]) +
                                            "; a vocabulary with duplicate tokens cannot encode text");
    }
    for (int byte = 0; byte < 256; ++byte) {
        const char c = static_cast<char>(byte);
        const uint32_t id = outputs.find({&c, 1});
        byte_token_[static_cast<size_t>(byte)] =
            id == StringTable::kNotFound ? vocabulary.unk : static_cast<int32_t>(id);
        if (byte_token_[static_cast<size_t>(byte)] >= 0) continue;
        throw Error(BITNET_E_TOKENIZER, "the byte-level vocabulary has no token for byte " + std::to_string(byte) +
                                            " and no unknown token, so it cannot encode every text");
    }
    read_merges(vocabulary);
}

void BpeEncoder::read_merges(const Vocabulary& vocabulary) {
    merges_.reserve(vocabulary.merges.size());
    std::string bytes;
    const auto symbol_of = [&](std::string_view stored, size_t index) {
        bytes.clear();
        const bool in_alphabet = append_alphabet_bytes(bytes, stored);
        const uint32_t id = in_alphabet ? outputs_.find(bytes) : StringTable::kNotFound;
        if (id != StringTable::kNotFound) return id;
        if (vocabulary.strict_merges) {
            throw Error(BITNET_E_TOKENIZER, "merge " + std::to_string(index) + " names " + quote_text(stored) +
                                                ", which is not in the vocabulary");
        }
        if (!in_alphabet) return kNoSymbol;
        uint32_t virtual_symbol = virtual_bytes_.find(bytes);
        if (virtual_symbol == StringTable::kNotFound) {
            virtual_symbol = virtual_bytes_.size();
            virtual_bytes_.add(bytes);
            virtual_bytes_.index(virtual_symbol);
        }
        return n_tokens_ + virtual_symbol;
    };
    for (size_t i = 0; i < vocabulary.merges.size(); ++i) {
        const std::string_view text = vocabulary.merges[i].text;
        const size_t left_size = vocabulary.merges[i].left_size;
        if (left_size == 0 || left_size >= text.size()) {
            throw Error(BITNET_E_TOKENIZER, "merge " + std::to_string(i) + " (" + quote_text(text) +
                                                ") does not have two parts; the file is damaged, convert it again");
        }
        const uint32_t left = symbol_of(text.substr(0, left_size), i);
        const uint32_t right = symbol_of(text.substr(left_size), i);
        const uint32_t result = symbol_of(text, i);
        if (left == kNoSymbol || right == kNoSymbol || result == kNoSymbol) continue;
        if (!merges_.insert(left, right, static_cast<uint32_t>(i), result) && vocabulary.strict_merges) {
            throw Error(BITNET_E_TOKENIZER,
                        "merge " + std::to_string(i) + " (" + quote_text(text) + ") is there twice");
        }
    }
}

void BpeEncoder::merge_piece(std::string_view piece, Scratch& scratch, std::vector<bitnet_token>& out) const {
    scratch.symbols.clear();
    for (char byte : piece) {
        scratch.symbols.push_back(static_cast<uint32_t>(byte_token_[static_cast<uint8_t>(byte)]));
    }
    merges_.merge(scratch.symbols, scratch.merge);
    for (const uint32_t symbol : scratch.symbols) {
        if (symbol < n_tokens_) {
            out.push_back(static_cast<bitnet_token>(symbol));
        } else {
            for (char byte : virtual_bytes_[symbol - n_tokens_]) out.push_back(byte_token_[static_cast<uint8_t>(byte)]);
        }
    }
}

void BpeEncoder::encode_piece(std::string_view piece, Scratch& scratch, std::vector<bitnet_token>& out) const {
    if (ignore_merges_) {
        const uint32_t id = outputs_.find(piece);
        if (id != StringTable::kNotFound) {
            out.push_back(static_cast<bitnet_token>(id));
            return;
        }
    }
    if (piece.size() == 1) {
        out.push_back(byte_token_[static_cast<uint8_t>(piece[0])]);
        return;
    }
    if (scratch.seen.empty() || piece.size() > kSeenMaxPiece) {
        merge_piece(piece, scratch, out);
        return;
    }
    const uint64_t hash = hash_bytes(piece);
    Scratch::Seen& seen = scratch.seen[hash % kSeenSlots];
    const uint32_t check = static_cast<uint32_t>(hash >> 32);
    if (seen.hash == check && seen.n_bytes == piece.size() && std::memcmp(seen.text, piece.data(), piece.size()) == 0) {
        for (uint32_t i = 0; i < seen.n_tokens; ++i) out.push_back(out[seen.first_token + i]);
        return;
    }
    const size_t first = out.size();
    merge_piece(piece, scratch, out);
    seen = {check, static_cast<uint32_t>(piece.size()), piece.data(), first, static_cast<uint32_t>(out.size() - first)};
}

void BpeEncoder::encode(std::string_view text, Scratch& scratch, std::vector<bitnet_token>& out) const {
    std::string prefixed;
    if (prefix_space_ && !text.empty() && text[0] != ' ') {
        prefixed = " ";
        prefixed.append(text);
        text = prefixed;
    }
    // What was seen refers to the text of this call.
    if (text.size() >= kSeenMinText) {
        scratch.seen.assign(kSeenSlots, {});
    } else {
        scratch.seen.clear();
    }
    size_t begin = 0;
    for (const uint32_t end : pretokenizer_.split(text, scratch.split)) {
        encode_piece(text.substr(begin, end - begin), scratch, out);
        begin = end;
    }
}

size_t BpeEncoder::bytes_used() const noexcept { return merges_.bytes_used() + virtual_bytes_.bytes_used(); }

}  // namespace bitnet
