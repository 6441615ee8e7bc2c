// The checks that hold for a vocabulary from any file.
#include "src/tokenizer/vocabulary.h"

#include <cmath>

#include "src/base/error.h"

namespace bitnet {
namespace {

[[noreturn]] void refuse(const std::string& message) { throw Error(BITNET_E_TOKENIZER, message); }

void check_size(const char* what, size_t size, size_t n_tokens) {
    if (size == n_tokens) return;
    throw Error(BITNET_E_TOKENIZER, std::string("the vocabulary has ") + std::to_string(n_tokens) + " tokens but " +
                                        std::to_string(size) + " " + what + "; the file is damaged, convert it again")
        .with_numbers(n_tokens, size);
}

int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

}  // namespace

const char* space_prefix_name(SpacePrefix prefix) noexcept {
    switch (prefix) {
        case SpacePrefix::never: return "never";
        case SpacePrefix::each_fragment: return "each_fragment";
        case SpacePrefix::text_start: return "text_start";
    }
    return "";
}

int byte_of_token_text(std::string_view text) noexcept {
    if (text.size() != 6 || text.substr(0, 3) != "<0x" || text[5] != '>') return -1;
    const int high = hex_digit(text[3]);
    const int low = hex_digit(text[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

void fill_vocabulary(Vocabulary& v, size_t n_vocab) {
    if (n_vocab > kMaxVocabulary) refuse("a vocabulary of more than 16777216 tokens is not supported");
    if (v.tokens.size() > n_vocab) {
        throw Error(BITNET_E_TOKENIZER, "the tokenizer has " + std::to_string(v.tokens.size()) +
                                            " tokens but the model only " + std::to_string(n_vocab) +
                                            "; they do not belong together, give the model's own tokenizer")
            .with_numbers(n_vocab, v.tokens.size());
    }
    while (v.tokens.size() < n_vocab) {
        v.tokens.push_back("[PAD" + std::to_string(v.tokens.size()) + "]");
        v.attributes.push_back(BITNET_TOKEN_UNUSED);
        if (!v.scores.empty()) v.scores.push_back(kScoreOfAdded);
        if (!v.token_flags.empty()) v.token_flags.push_back(kTokenAddedOnly);
    }
}

void check_vocabulary(const Vocabulary& v) {
    const size_t n = v.tokens.size();
    if (n == 0) refuse("the vocabulary is empty; the file is damaged, convert it again");
    if (n > kMaxVocabulary || v.merges.size() > kMaxMerges) {
        throw Error(BITNET_E_TOKENIZER, "the vocabulary has " + std::to_string(n) + " tokens and " +
                                            std::to_string(v.merges.size()) +
                                            " merges; the limits are 16777216 and 33554432")
            .with_numbers(kMaxVocabulary, n);
    }
    check_size("token types", v.attributes.size(), n);
    if (v.kind == VocabularyKind::spm && v.merge_by_score) check_size("scores", v.scores.size(), n);
    if (!v.token_flags.empty()) check_size("token flags", v.token_flags.size(), n);
    for (size_t i = 0; i < n; ++i) {
        if (v.attributes[i] < BITNET_TOKEN_NORMAL || v.attributes[i] > BITNET_TOKEN_BYTE) {
            refuse("token " + std::to_string(i) + " has the unknown type " + std::to_string(v.attributes[i]));
        }
    }
    for (size_t i = 0; i < v.scores.size(); ++i) {
        if (std::isnan(v.scores[i])) refuse("token " + std::to_string(i) + " has a score that is not a number");
    }
    const std::pair<const char*, int32_t> ids[] = {{"bos", v.bos}, {"eos", v.eos},     {"eot", v.eot},
                                                   {"eom", v.eom}, {"padding", v.pad}, {"unknown", v.unk}};
    for (const int32_t id : v.extra_ends) {
        if (id >= 0 && id < static_cast<int64_t>(n)) continue;
        throw Error(BITNET_E_TOKENIZER, "the end token id " + std::to_string(id) + " is outside the vocabulary of " +
                                            std::to_string(n) + " tokens")
            .with_numbers(n, static_cast<uint64_t>(id));
    }
    for (const auto& [name, id] : ids) {
        if (id >= -1 && id < static_cast<int64_t>(n)) continue;
        throw Error(BITNET_E_TOKENIZER, std::string("the ") + name + " token id " + std::to_string(id) +
                                            " is outside the vocabulary of " + std::to_string(n) + " tokens")
            .with_numbers(n, static_cast<uint64_t>(id));
    }
}

}  // namespace bitnet
