// SentencePiece merges the pair whose concatenation is the token with the best score; here every token is cut at every
// character once, at load, into the pairs that make it, so that encoding works on ids only. Equal scores get equal
// ranks.
#include "src/tokenizer/spm.h"

#include <algorithm>

#include "src/base/error.h"
#include "src/base/utf8.h"

namespace bitnet {
namespace {

// Cutting a token into pairs is quadratic in its length (every prefix is looked up); real vocabularies need some 10^7
// bytes of looking up.
constexpr size_t kMaxTokenBytes = 4096;
constexpr uint64_t kMaxCutting = uint64_t{1} << 30;

bool is_text_token(const Vocabulary& vocabulary, size_t id) {
    if (vocabulary.tokens[id].empty()) return false;
    if (!vocabulary.token_flags.empty() && (vocabulary.token_flags[id] & kTokenAddedOnly) != 0) return false;
    switch (vocabulary.attributes[id]) {
        case BITNET_TOKEN_NORMAL:
        case BITNET_TOKEN_USER_DEFINED: return true;
        case BITNET_TOKEN_UNUSED: return vocabulary.merge_by_score;  // may be a step to a longer token
        case BITNET_TOKEN_BYTE: return !vocabulary.merge_by_score;
        default: return false;
    }
}

// The texts of the vocabulary by id, findable where text can become them.
StringTable index_text_tokens(const Vocabulary& vocabulary) {
    StringTable index;
    for (const std::string& text : vocabulary.tokens) index.add(text);
    index.reserve_index(vocabulary.tokens.size());
    // Unused tokens come last: one that equals a token in use is as good as not there.
    for (const bool unused : {false, true}) {
        for (uint32_t id = 0; id < vocabulary.tokens.size(); ++id) {
            if (!is_text_token(vocabulary, id)) continue;
            if ((vocabulary.attributes[id] == BITNET_TOKEN_UNUSED) != unused) continue;
            if (index.index(id) || unused) continue;
            throw Error(BITNET_E_TOKENIZER, "tokens " + std::to_string(index.find(vocabulary.tokens[id])) + " and " +
                                                std::to_string(id) + " are both " + quote_text(vocabulary.tokens[id]) +
                                                "; a vocabulary with duplicate tokens cannot encode text");
        }
    }
    return index;
}

// The ids that index finds, in order.
std::vector<uint32_t> indexed_ids(const StringTable& index) {
    std::vector<uint32_t> ids;
    for (uint32_t id = 0; id < index.size(); ++id) {
        if (index.find(index[id]) == id) ids.push_back(id);
    }
    return ids;
}

// The code point of a text of one character; kInvalidCodePoint for any other text.
uint32_t single_char(std::string_view text) {
    const Utf8Char c = utf8_decode(text);
    return c.n_bytes == text.size() ? c.code_point : kInvalidCodePoint;
}

}  // namespace

SpmEncoder::CharMap::CharMap() : symbols_(256, kNoSymbol) {}

uint32_t SpmEncoder::CharMap::find(uint32_t code_point) const noexcept {
    if (code_point > 0x10FFFF) return kNoSymbol;
    return symbols_[size_t{page_of_[code_point >> 8]} * 256 + (code_point & 0xFF)];
}

void SpmEncoder::CharMap::set(uint32_t code_point, uint32_t symbol) {
    uint16_t& page = page_of_[code_point >> 8];
    if (page == 0) {
        page = static_cast<uint16_t>(symbols_.size() / 256);
        symbols_.resize(symbols_.size() + 256, kNoSymbol);
    }
    symbols_[size_t{page} * 256 + (code_point & 0xFF)] = symbol;
}

SpmEncoder::SpmEncoder(const Vocabulary& vocabulary)
    : n_tokens_(static_cast<uint32_t>(vocabulary.tokens.size())), unknown_(vocabulary.unk),
      fuse_unknown_(vocabulary.fuse_unknown), space_prefix_(vocabulary.space_prefix),
      prefix_only_if_absent_(vocabulary.prefix_only_if_absent),
      remove_extra_whitespaces_(vocabulary.remove_extra_whitespaces), split_at_spaces_(vocabulary.split_at_spaces) {
    read_bytes(vocabulary);
    if (vocabulary.merge_by_score) {
        read_scores(vocabulary);
    } else {
        read_ranks(vocabulary);
    }
}

void SpmEncoder::read_bytes(const Vocabulary& vocabulary) {
    byte_token_.fill(-1);
    for (uint32_t id = 0; id < n_tokens_; ++id) {
        if (vocabulary.attributes[id] != BITNET_TOKEN_BYTE) continue;
        const int byte = byte_of_token_text(vocabulary.tokens[id]);
        if (byte < 0) {
            throw Error(BITNET_E_TOKENIZER, "the byte token " + std::to_string(id) + " is " +
                                                quote_text(vocabulary.tokens[id]) +
                                                " instead of something like <0x0A>");
        }
        bitnet_token& token = byte_token_[static_cast<size_t>(byte)];
        if (token < 0) token = static_cast<bitnet_token>(id);
    }
    const size_t n_bytes = 256 - static_cast<size_t>(std::count(byte_token_.begin(), byte_token_.end(), -1));
    has_bytes_ = vocabulary.byte_fallback && n_bytes == 256;
    if (vocabulary.byte_fallback && n_bytes != 0 && n_bytes != 256) {
        throw Error(BITNET_E_TOKENIZER, "the vocabulary has " + std::to_string(n_bytes) +
                                            " byte tokens instead of 256; the file is damaged, convert it again")
            .with_numbers(256, n_bytes);
    }
    if (!has_bytes_ && unknown_ < 0) {
        throw Error(BITNET_E_TOKENIZER,
                    "the vocabulary has neither byte tokens nor an unknown token, so it cannot encode every text");
    }
}

void SpmEncoder::read_scores(const Vocabulary& vocabulary) {
    const StringTable index = index_text_tokens(vocabulary);
    std::vector<uint32_t> order = indexed_ids(index);
    uint64_t work = 0;
    for (const uint32_t id : order) {
        const uint64_t size = index[id].size();
        work += size * size;
        if (size <= kMaxTokenBytes && work <= kMaxCutting) continue;
        throw Error(BITNET_E_TOKENIZER, "token " + std::to_string(id) + " is " + std::to_string(size) +
                                            " bytes long; no more than 4096, and few that long, are supported")
            .with_numbers(kMaxTokenBytes, size);
    }
    std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
        return vocabulary.scores[a] != vocabulary.scores[b] ? vocabulary.scores[a] > vocabulary.scores[b] : a < b;
    });

    // A part of a token is a token, or a single character that is none and can only wait for its neighbours.
    const auto symbol_of = [&](std::string_view part) {
        if (const uint32_t id = index.find(part); id != StringTable::kNotFound) return id;
        const uint32_t code_point = single_char(part);
        if (code_point == kInvalidCodePoint) return kNoSymbol;
        const uint32_t known = chars_.find(code_point);
        if (known != kNoSymbol) return known;
        const uint32_t symbol = n_tokens_ + virtual_text_.size();
        virtual_text_.add(part);
        chars_.set(code_point, symbol);
        return symbol;
    };
    for (const uint32_t id : order) {
        const uint32_t code_point = single_char(vocabulary.tokens[id]);
        if (code_point != kInvalidCodePoint) chars_.set(code_point, id);
    }
    struct Pair {
        uint32_t left, right, rank, result;
    };
    std::vector<Pair> pairs;
    uint32_t rank = 0;
    for (size_t i = 0; i < order.size(); ++i) {
        const uint32_t id = order[i];
        if (i > 0 && vocabulary.scores[id] != vocabulary.scores[order[i - 1]]) ++rank;
        const std::string_view text = vocabulary.tokens[id];
        for (size_t cut = utf8_decode(text).n_bytes; cut < text.size(); cut += utf8_decode(text.substr(cut)).n_bytes) {
            const uint32_t left = symbol_of(text.substr(0, cut));
            const uint32_t right = symbol_of(text.substr(cut));
            if (left != kNoSymbol && right != kNoSymbol) pairs.push_back({left, right, rank, id});
        }
        if (vocabulary.attributes[id] == BITNET_TOKEN_UNUSED) merges_.track_origin(id);
    }
    merges_.reserve(pairs.size());
    for (const Pair& pair : pairs) merges_.insert(pair.left, pair.right, pair.rank, pair.result);
    // Every pair of parts of a token lies inside the token: words are separate when no token has a space mark after
    // another character.
    words_are_separate_ = std::none_of(order.begin(), order.end(), [&](uint32_t id) {
        const std::string_view text = vocabulary.tokens[id];
        for (size_t at = text.find(kSpaceMark, 1); at != std::string_view::npos; at = text.find(kSpaceMark, at + 1)) {
            if (text.substr(at - std::min<size_t>(at, 3), std::min<size_t>(at, 3)) != kSpaceMark) return true;
        }
        return false;
    });
}

void SpmEncoder::read_ranks(const Vocabulary& vocabulary) {
    const StringTable index = index_text_tokens(vocabulary);
    for (const uint32_t id : indexed_ids(index)) {
        const uint32_t code_point = single_char(index[id]);
        if (code_point != kInvalidCodePoint) chars_.set(code_point, id);
    }
    const auto symbol_of = [&](std::string_view part, size_t i) {
        if (const uint32_t id = index.find(part); id != StringTable::kNotFound) return id;
        throw Error(BITNET_E_TOKENIZER,
                    "merge " + std::to_string(i) + " names " + quote_text(part) + ", which is not in the vocabulary");
    };
    merges_.reserve(vocabulary.merges.size());
    words_are_separate_ = true;
    for (size_t i = 0; i < vocabulary.merges.size(); ++i) {
        const std::string_view text = vocabulary.merges[i].text;
        const std::string_view left = text.substr(0, vocabulary.merges[i].left_size);
        const std::string_view right = text.substr(left.size());
        if (!merges_.insert(symbol_of(left, i), symbol_of(right, i), static_cast<uint32_t>(i), symbol_of(text, i))) {
            throw Error(BITNET_E_TOKENIZER,
                        "merge " + std::to_string(i) + " (" + quote_text(text) + ") is there twice");
        }
        if (right.starts_with(kSpaceMark) && !left.ends_with(kSpaceMark)) words_are_separate_ = false;
    }
}

std::string SpmEncoder::normalize(std::string_view text, bool at_start) const {
    if (remove_extra_whitespaces_) {
        const size_t first = text.find_first_not_of(' ');
        if (first == std::string_view::npos) return {};
        text = text.substr(first, text.find_last_not_of(' ') + 1 - first);
    }
    if (text.empty()) return {};
    std::string out;
    out.reserve(text.size() + 3 + static_cast<size_t>(std::count(text.begin(), text.end(), ' ')) * 2);
    const bool wanted =
        space_prefix_ == SpacePrefix::each_fragment || (space_prefix_ == SpacePrefix::text_start && at_start);
    const bool present = text[0] == ' ' || text.starts_with(kSpaceMark);
    if (wanted && !(prefix_only_if_absent_ && present)) out += kSpaceMark;
    char previous = 0;
    for (char c : text) {
        if (c != ' ') {
            out.push_back(c);
        } else if (!(remove_extra_whitespaces_ && previous == ' ')) {
            out += kSpaceMark;
        }
        previous = c;
    }
    if (remove_extra_whitespaces_) {
        while (out.ends_with(kSpaceMark)) out.resize(out.size() - kSpaceMark.size());  // marks that stood in the text
    }
    return out;
}

void SpmEncoder::emit_unknown(Scratch& scratch, std::vector<bitnet_token>& out) const {
    if (!(fuse_unknown_ && scratch.previous_unknown)) out.push_back(unknown_);
    scratch.previous_unknown = true;
}

void SpmEncoder::emit(uint32_t symbol, Scratch& scratch, std::vector<bitnet_token>& out) const {
    if (symbol >= n_tokens_) {  // also kNoSymbol
        if (!has_bytes_) {
            emit_unknown(scratch, out);
            return;
        }
        for (char byte : virtual_text_[symbol - n_tokens_]) out.push_back(byte_token_[static_cast<uint8_t>(byte)]);
    } else {
        if (!scratch.merge.origins.empty()) {
            // A token that may not be used is taken apart again; its parts are shorter, so this ends.
            const auto origin = scratch.merge.origins.find(symbol);
            if (origin != scratch.merge.origins.end()) {
                const auto [left, right] = origin->second;
                emit(left, scratch, out);
                emit(right, scratch, out);
                return;
            }
        }
        out.push_back(static_cast<bitnet_token>(symbol));
    }
    scratch.previous_unknown = false;
}

void SpmEncoder::encode_word(std::string_view word, Scratch& scratch, std::vector<bitnet_token>& out) const {
    std::vector<uint32_t>& symbols = scratch.symbols;
    symbols.clear();
    for (size_t at = 0; at < word.size();) {
        const Utf8Char c = utf8_decode(word.substr(at));
        const uint32_t symbol = chars_.find(c.code_point);
        if (symbol != kNoSymbol || !has_bytes_) {
            symbols.push_back(symbol);
        } else {
            for (size_t i = at; i < at + c.n_bytes; ++i) {
                symbols.push_back(static_cast<uint32_t>(byte_token_[static_cast<uint8_t>(word[i])]));
            }
        }
        at += c.n_bytes;
    }
    merges_.merge(symbols, scratch.merge);
    for (const uint32_t symbol : symbols) emit(symbol, scratch, out);
}

void SpmEncoder::encode(std::string_view normalized, Scratch& scratch, std::vector<bitnet_token>& out) const {
    scratch.previous_unknown = false;
    if (!split_at_spaces_ && !words_are_separate_) {
        encode_word(normalized, scratch, out);
        return;
    }
    // A word begins at every space mark, or, where runs of spaces may merge, at one that follows another character.
    size_t begin = 0;
    while (begin < normalized.size()) {
        size_t end = normalized.find(kSpaceMark, begin + 1);
        if (!split_at_spaces_) {
            while (end != std::string_view::npos && end >= 3 && normalized.substr(end - 3, 3) == kSpaceMark) {
                end = normalized.find(kSpaceMark, end + 1);
            }
        } else {
            scratch.previous_unknown = false;
        }
        end = std::min(end, normalized.size());
        encode_word(normalized.substr(begin, end - begin), scratch, out);
        begin = end;
    }
}

size_t SpmEncoder::bytes_used() const noexcept {
    return merges_.bytes_used() + chars_.bytes_used() + virtual_text_.bytes_used();
}

}  // namespace bitnet
