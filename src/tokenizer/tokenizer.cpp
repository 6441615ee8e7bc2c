// Encoding in three steps: added tokens cut the text into fragments; fragments are normalized and cut again by the
// added tokens that want normalized text; the rest goes to the encoder of the vocabulary's kind.
#include "src/tokenizer/tokenizer.h"

#include <algorithm>
#include <utility>

#include "src/base/error.h"
#include "src/base/utf8.h"
#include "src/tokenizer/byte_alphabet.h"
#include "src/tokenizer/unicode_classes.h"
#include "src/tokenizer/unicode_compose.h"

namespace bitnet {
namespace {

constexpr size_t kMaxTextBytes = size_t{1} << 30;
constexpr uint32_t kEncodeFlags = BITNET_ENCODE_ADD_BOS | BITNET_ENCODE_PARSE_SPECIAL | BITNET_ENCODE_ADD_DEFAULT;
constexpr uint32_t kDecodeFlags = BITNET_DECODE_SPECIAL | BITNET_DECODE_START;

// Tokens that end a turn or a text, whatever the file's ids say: files name one end token, models use several.
constexpr std::string_view kTurnEnds[] = {"<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<EOT>"};
constexpr std::string_view kOtherEnds[] = {"<|endoftext|>", "<|eom_id|>"};

void check_flags(uint32_t flags, uint32_t known, const char* what) {
    if ((flags & ~known) == 0) return;
    throw Error(BITNET_E_ARGUMENT, std::string("unknown bits in the flags for ") + what + ": " + std::to_string(flags))
        .with_numbers(known, flags);
}

bool is_special(uint8_t attribute) { return attribute == BITNET_TOKEN_CONTROL || attribute == BITNET_TOKEN_UNKNOWN; }

size_t space_before(std::string_view text, size_t end, size_t limit) {
    while (end > limit) {
        const size_t begin = utf8_previous(text, end);
        if (begin < limit || !is_unicode_space(utf8_decode(text.substr(begin)).code_point)) break;
        end = begin;
    }
    return end;
}

// Where white space that starts at `begin` ends. known: a run found before, so that no run is read many times.
size_t space_after(std::string_view text, size_t begin, std::pair<size_t, size_t>& known) {
    if (begin >= known.first && begin <= known.second) return known.second;
    size_t end = begin;
    while (end < text.size()) {
        const Utf8Char c = utf8_decode(text.substr(end));
        if (!is_unicode_space(c.code_point)) break;
        end += c.n_bytes;
    }
    known = {begin, end};
    return end;
}

bool touches_word(std::string_view text, size_t begin, size_t end) {
    return (begin > 0 && is_word_char(utf8_decode(text.substr(utf8_previous(text, begin))).code_point)) ||
           (end < text.size() && is_word_char(utf8_decode(text.substr(end)).code_point));
}

// Calls on_token(id) for every added token in text and on_text(part, is_first) for what is between them.
template <typename OnText, typename OnToken>
void split_added(const TokenTrie& trie, const std::vector<uint8_t>& token_flags, std::string_view text, OnText on_text,
                 OnToken on_token) {
    size_t done = 0;    // text before this is dealt with
    size_t search = 0;  // a match must begin here or later
    std::pair<size_t, size_t> space(1, 0);
    TokenTrie::Match match;
    while (trie.find(text, search, match)) {
        search = match.end;
        const uint8_t flags = token_flags.empty() ? uint8_t{0} : token_flags[static_cast<size_t>(match.token)];
        if ((flags & kTokenSingleWord) != 0 && touches_word(text, match.begin, match.end)) continue;
        if ((flags & kTokenLstrip) != 0) match.begin = space_before(text, match.begin, done);
        if ((flags & kTokenRstrip) != 0) match.end = space_after(text, match.end, space);
        if (match.begin > done) on_text(text.substr(done, match.begin - done), done == 0);
        on_token(match.token);
        done = match.end;
    }
    if (done < text.size()) on_text(text.substr(done), done == 0);
}

std::string output_of(const Vocabulary& vocabulary, size_t id) {
    const std::string& text = vocabulary.tokens[id];
    const uint8_t attribute = vocabulary.attributes[id];
    if (is_special(attribute)) return text;
    std::string out;
    if (vocabulary.kind == VocabularyKind::bpe) {
        // User-defined tokens are stored as they read; so is a text that the byte alphabet cannot have made.
        if (attribute != BITNET_TOKEN_USER_DEFINED && append_alphabet_bytes(out, text)) return out;
        return text;
    }
    if (attribute == BITNET_TOKEN_BYTE) {
        const int byte = byte_of_token_text(text);
        return byte < 0 ? text : std::string(1, static_cast<char>(byte));
    }
    for (size_t at = 0; at < text.size();) {
        const size_t mark = std::min(text.find(kSpaceMark, at), text.size());
        out.append(text, at, mark - at);
        if (mark < text.size()) out.push_back(' ');
        at = mark + kSpaceMark.size();
    }
    return out;
}

}  // namespace

// The state of one encode call.
struct Tokenizer::Call {
    bool parse_special = false;
    std::vector<bitnet_token> out;
    std::optional<BpeEncoder::Scratch> bpe;
    SpmEncoder::Scratch spm;
};

Tokenizer::Tokenizer(const Vocabulary& vocabulary)
    : architecture_(vocabulary.architecture), chat_template_(vocabulary.chat_template), kind_(vocabulary.kind),
      token_flags_(vocabulary.token_flags), escape_after_added_(vocabulary.escape_after_added),
      has_space_prefix_(vocabulary.space_prefix != SpacePrefix::never),
      nfc_(vocabulary.nfc && vocabulary.kind == VocabularyKind::bpe) {
    check_vocabulary(vocabulary);
    attributes_ = vocabulary.attributes;
    info_.source = vocabulary.source;
    info_.model = kind_ == VocabularyKind::bpe ? "bpe" : "spm";
    if (kind_ == VocabularyKind::bpe) info_.pre = vocabulary.pre;
    info_.n_vocab = static_cast<int32_t>(vocabulary.tokens.size());
    info_.bos = vocabulary.bos;
    info_.eos = vocabulary.eos;
    info_.eot = vocabulary.eot;
    info_.pad = vocabulary.pad;
    info_.unk = vocabulary.unk;
    info_.add_bos = vocabulary.add_bos && vocabulary.bos >= 0;
    info_.add_eos = vocabulary.add_eos && vocabulary.eos >= 0;
    fill_texts(vocabulary);
    if (kind_ == VocabularyKind::bpe) {
        bpe_ = std::make_unique<BpeEncoder>(vocabulary, outputs_);
    } else {
        spm_ = std::make_unique<SpmEncoder>(vocabulary);
    }
    find_ends(vocabulary);
    build_tries(vocabulary);
}

Tokenizer::~Tokenizer() = default;

void Tokenizer::fill_texts(const Vocabulary& vocabulary) {
    texts_.reserve_index(vocabulary.tokens.size());
    for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
        texts_.add(vocabulary.tokens[id]);
        texts_.index(static_cast<uint32_t>(id));
        outputs_.add(output_of(vocabulary, id));
    }
}

void Tokenizer::find_ends(const Vocabulary& vocabulary) {
    for (const bitnet_token id : {vocabulary.eos, vocabulary.eot, vocabulary.eom}) {
        if (id >= 0) ends_.push_back(id);
    }
    ends_.insert(ends_.end(), vocabulary.extra_ends.begin(), vocabulary.extra_ends.end());
    for (const std::string_view text : kTurnEnds) {
        const std::optional<bitnet_token> id = find(text);
        if (!id) continue;
        ends_.push_back(*id);
        if (info_.eot < 0) info_.eot = *id;
    }
    for (const std::string_view text : kOtherEnds) {
        if (const std::optional<bitnet_token> id = find(text)) ends_.push_back(*id);
    }
    std::sort(ends_.begin(), ends_.end());
    ends_.erase(std::unique(ends_.begin(), ends_.end()), ends_.end());
}

void Tokenizer::build_tries(const Vocabulary& vocabulary) {
    using Texts = std::vector<std::pair<std::string, int32_t>>;
    Texts raw[2];
    Texts normalized[2];
    Texts stored;
    for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
        const uint8_t attribute = attributes_[id];
        const bool special = is_special(attribute);
        if (!special && attribute != BITNET_TOKEN_USER_DEFINED) continue;
        std::string text = vocabulary.tokens[id];
        const bool wants_normalized = !token_flags_.empty() && (token_flags_[id] & kTokenNormalized) != 0;
        has_stored_trie_ |= wants_normalized;
        if (!text.empty()) stored.emplace_back(text, static_cast<int32_t>(id));
        if (wants_normalized && vocabulary.normalize_added) text = spm_->normalize(text, true);
        if (wants_normalized && nfc_) text = unicode_compose(text);
        if (text.empty()) continue;
        Texts* const kind = wants_normalized ? normalized : raw;
        if (!special) kind[0].emplace_back(text, static_cast<int32_t>(id));
        kind[1].emplace_back(std::move(text), static_cast<int32_t>(id));
    }
    for (int parse_special = 0; parse_special < 2; ++parse_special) {
        raw_tries_[parse_special].build(std::move(raw[parse_special]));
        normalized_tries_[parse_special].build(std::move(normalized[parse_special]));
    }
    if (has_stored_trie_) stored_trie_.build(std::move(stored));
}

void Tokenizer::encode_plain(std::string_view text, bool at_start, Call& call) const {
    if (bpe_) {
        if (!call.bpe) call.bpe.emplace(*bpe_);
        bpe_->encode(text, *call.bpe, call.out);
    } else if (escape_after_added_) {
        spm_->encode(spm_->normalize(text, at_start), call.spm, call.out);
    } else {
        spm_->encode(text, call.spm, call.out);
    }
}

void Tokenizer::encode_fragment(std::string_view fragment, bool at_start, Call& call) const {
    std::string escaped;
    if (spm_ && !escape_after_added_) {
        escaped = spm_->normalize(fragment, at_start);
        fragment = escaped;
    } else if (nfc_) {
        escaped = unicode_compose(fragment);
        fragment = escaped;
    }
    split_added(
        normalized_tries_[call.parse_special], token_flags_, fragment,
        [&](std::string_view text, bool is_first) { encode_plain(text, at_start && is_first, call); },
        [&](bitnet_token token) { call.out.push_back(token); });
}

std::vector<bitnet_token> Tokenizer::encode(std::string_view text, uint32_t flags) const {
    check_flags(flags, kEncodeFlags, "encode");
    if (text.size() > kMaxTextBytes) {
        throw Error(BITNET_E_LIMIT, "the text is longer than 1 GiB; encode it in smaller parts")
            .with_numbers(kMaxTextBytes, text.size());
    }
    Call call;
    call.parse_special = (flags & BITNET_ENCODE_PARSE_SPECIAL) != 0;
    const bool by_file = (flags & BITNET_ENCODE_ADD_DEFAULT) != 0;
    const bool wants_bos = (flags & BITNET_ENCODE_ADD_BOS) != 0 || (by_file && info_.add_bos);
    if (wants_bos && info_.bos >= 0) call.out.push_back(info_.bos);
    const size_t n_before = call.out.size();
    split_added(
        raw_tries_[call.parse_special], token_flags_, text,
        [&](std::string_view fragment, bool is_first) { encode_fragment(fragment, is_first, call); },
        [&](bitnet_token token) { call.out.push_back(token); });
    if (n_before == 1 && call.out.size() > 1 && call.out[1] == info_.bos) call.out.erase(call.out.begin());
    if (by_file && info_.add_eos) call.out.push_back(info_.eos);
    return std::move(call.out);
}

void Tokenizer::encode_unmarked(std::string_view text, bool at_start, Call& call) const {
    split_added(
        raw_tries_[0], token_flags_, text,
        [&](std::string_view fragment, bool is_first) { encode_fragment(fragment, at_start && is_first, call); },
        [&](bitnet_token token) { call.out.push_back(token); });
}

std::vector<bitnet_token> Tokenizer::encode_marked(std::string_view text, std::span<const Range> trusted) const {
    if (text.size() > kMaxTextBytes) {
        throw Error(BITNET_E_LIMIT, "the text is longer than 1 GiB; encode it in smaller parts")
            .with_numbers(kMaxTextBytes, text.size());
    }
    Call call;
    const TokenTrie& trie = has_stored_trie_ ? stored_trie_ : raw_tries_[1];
    size_t done = 0;
    std::pair<size_t, size_t> space(1, 0);
    for (const Range& range : trusted) {
        // The search sees this range alone, so nothing outside can be part of a control token or hide one.
        const std::string_view part = text.substr(range.begin, range.end - range.begin);
        TokenTrie::Match match;
        for (size_t search = 0; trie.find(part, search, match); search = match.end) {
            size_t begin = range.begin + match.begin;
            size_t end = range.begin + match.end;
            const auto id = static_cast<size_t>(match.token);
            if (!is_special(attributes_[id]) || begin < done) continue;  // others are found in any text
            const uint8_t flags = token_flags_.empty() ? uint8_t{0} : token_flags_[id];
            if ((flags & kTokenSingleWord) != 0 && touches_word(text, begin, end)) continue;
            if ((flags & kTokenLstrip) != 0) begin = space_before(text, begin, done);
            if ((flags & kTokenRstrip) != 0) end = space_after(text, end, space);
            if (begin > done) encode_unmarked(text.substr(done, begin - done), done == 0, call);
            call.out.push_back(match.token);
            done = end;
        }
    }
    if (done < text.size()) encode_unmarked(text.substr(done), done == 0, call);
    return std::move(call.out);
}

std::string Tokenizer::decode(std::span<const bitnet_token> tokens, uint32_t flags) const {
    check_flags(flags, kDecodeFlags, "decode");
    std::string out;
    // The encoder's space stands before the first token that is text.
    bool drop_space = (flags & BITNET_DECODE_START) != 0 && spm_ && has_space_prefix_;
    for (const bitnet_token token : tokens) {
        require_valid(token);
        std::string_view text = outputs_[static_cast<uint32_t>(token)];
        if (is_special(attributes_[static_cast<size_t>(token)])) {
            if ((flags & BITNET_DECODE_SPECIAL) != 0) out += text;
            continue;
        }
        if (drop_space && text.starts_with(' ')) text.remove_prefix(1);
        drop_space = false;
        out += text;
    }
    return out;
}

void Tokenizer::require_valid(bitnet_token token) const {
    if (is_valid(token)) return;
    throw Error(BITNET_E_TOKEN, "token " + std::to_string(token) + " is outside the vocabulary of " +
                                    std::to_string(info_.n_vocab) + " tokens")
        .with_numbers(static_cast<uint64_t>(info_.n_vocab), static_cast<uint64_t>(token));
}

std::string_view Tokenizer::piece(bitnet_token token) const {
    require_valid(token);
    return texts_[static_cast<uint32_t>(token)];
}

std::optional<bitnet_token> Tokenizer::find(std::string_view stored) const noexcept {
    const uint32_t id = texts_.find(stored);
    if (id == StringTable::kNotFound) return std::nullopt;
    return static_cast<bitnet_token>(id);
}

int32_t Tokenizer::attribute(bitnet_token token) const noexcept {
    return is_valid(token) ? attributes_[static_cast<size_t>(token)] : 0;
}

bool Tokenizer::is_end(bitnet_token token) const noexcept {
    return std::binary_search(ends_.begin(), ends_.end(), token);
}

std::string_view Tokenizer::output(bitnet_token token) const noexcept {
    if (!is_valid(token) || is_end(token)) return {};
    const uint8_t attribute = attributes_[static_cast<size_t>(token)];
    if (is_special(attribute) || attribute == BITNET_TOKEN_UNUSED) return {};
    return outputs_[static_cast<uint32_t>(token)];
}

const OutputTrie& Tokenizer::output_trie() const {
    std::call_once(output_trie_once_, [this] {
        std::vector<std::pair<std::string_view, bitnet_token>> texts;
        for (bitnet_token token = 0; token < info_.n_vocab; ++token) {
            if (const std::string_view text = output(token); !text.empty()) texts.emplace_back(text, token);
        }
        output_trie_ = std::make_unique<const OutputTrie>(std::move(texts));
    });
    return *output_trie_;
}

size_t Tokenizer::bytes_used() const noexcept {
    size_t n = sizeof *this + texts_.bytes_used() + outputs_.bytes_used() + attributes_.capacity() +
               token_flags_.capacity() + chat_template_.capacity();
    for (const TokenTrie& trie : raw_tries_) n += trie.bytes_used();
    for (const TokenTrie& trie : normalized_tries_) n += trie.bytes_used();
    n += stored_trie_.bytes_used();
    if (bpe_) n += bpe_->bytes_used();
    if (spm_) n += spm_->bytes_used();
    return n;
}

}  // namespace bitnet
