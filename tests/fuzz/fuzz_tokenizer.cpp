// libFuzzer target for the tokenizers. The first byte picks what the rest is: text for one of a few small vocabularies
// (checked: ids in range, no control token from plain text, byte-level BPE gives the bytes back, equal result again),
// or a regular expression, a tokenizer.json, a tokenizer.model.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/error.h"
#include "src/base/utf8.h"
#include "src/tokenizer/byte_alphabet.h"
#include "src/tokenizer/chat_format.h"
#include "src/tokenizer/tokenizer.h"

namespace {

using namespace bitnet;

void require(bool ok, const char* what) {
    if (ok) return;
    std::fprintf(stderr, "fuzz_tokenizer: %s\n", what);
    std::abort();
}

int32_t add(Vocabulary& v, std::string text, bitnet_token_attribute attribute, float score, uint8_t flags) {
    v.tokens.push_back(std::move(text));
    v.attributes.push_back(static_cast<uint8_t>(attribute));
    v.token_flags.push_back(flags);
    if (v.kind == VocabularyKind::spm) v.scores.push_back(score);
    return static_cast<int32_t>(v.tokens.size()) - 1;
}

Vocabulary bpe(const char* pre) {
    Vocabulary v;
    v.source = "gguf";
    v.pre = pre;
    for (int byte = 0; byte < 256; ++byte) {
        const char c = static_cast<char>(byte);
        add(v, to_alphabet({&c, 1}), BITNET_TOKEN_NORMAL, 0, 0);
    }
    static const char* const kMerges[][2] = {{"a", "a"},   {"aa", "aa"}, {" ", " "}, {"b", "a"},
                                             {"\n", "\n"}, {" ", "a"},   {"'", "s"}, {"\xC3", "\xA9"},
                                             {"1", "2"},   {"aa", "b"},  {"  ", " "}};
    for (const auto& merge : kMerges) {
        const std::string left = to_alphabet(merge[0]);
        v.merges.push_back({left + to_alphabet(merge[1]), static_cast<uint32_t>(left.size())});
        if (v.merges.size() != 10) add(v, v.merges.back().text, BITNET_TOKEN_NORMAL, 0, 0);  // one has a virtual result
    }
    v.bos = add(v, "<s>", BITNET_TOKEN_CONTROL, 0, 0);
    v.eos = add(v, "<|eot_id|>", BITNET_TOKEN_CONTROL, 0, 0);
    return v;
}

Vocabulary spm(bool with_bytes, bool by_score) {
    Vocabulary v;
    v.source = "gguf";
    v.kind = VocabularyKind::spm;
    v.merge_by_score = by_score;
    v.unk = add(v, "<unk>", BITNET_TOKEN_UNKNOWN, 0, 0);
    v.bos = add(v, "<s>", BITNET_TOKEN_CONTROL, 0, 0);
    v.eos = add(v, "</s>", BITNET_TOKEN_CONTROL, 0, 0);
    for (int byte = 0; with_bytes && byte < 256; ++byte) {
        char text[8];
        std::snprintf(text, sizeof text, "<0x%02X>", static_cast<unsigned>(byte));
        add(v, text, BITNET_TOKEN_BYTE, 0, 0);
    }
    const std::string mark(kSpaceMark);
    const std::vector<std::string> pieces = {mark,        "a",  "b",  "\xC3\xA9",  mark + "a",
                                             mark + mark, "ab", "aa", mark + "ab", "ba"};
    for (size_t i = 0; i < pieces.size(); ++i) add(v, pieces[i], BITNET_TOKEN_NORMAL, -static_cast<float>(i / 2), 0);
    if (!by_score) {
        v.scores.clear();
        const uint32_t mark_size = static_cast<uint32_t>(mark.size());
        v.merges = {
            {mark + "a", mark_size}, {"ab", 1}, {mark + mark, mark_size}, {"aa", 1}, {mark + "ab", mark_size + 1}};
    }
    return v;
}

std::vector<std::unique_ptr<Tokenizer>> make_tokenizers() {
    std::vector<std::unique_ptr<Tokenizer>> out;
    for (const char* pre : {"llama-bpe", "gpt-2", "falcon", "default", "starcoder"}) {
        Vocabulary v = bpe(pre);
        v.ignore_merges = out.empty();
        out.push_back(std::make_unique<Tokenizer>(v));
    }
    Vocabulary custom = bpe("custom");
    custom.stages = {{"\\p{hf_punctuation}", SplitBehavior::contiguous, false},
                     {"[^\\p{L}\\s]+", SplitBehavior::merged_with_next, false},
                     {"\\p{hf_digit}", SplitBehavior::merged_with_previous, true}};
    add(custom, "aab", BITNET_TOKEN_USER_DEFINED, 0, kTokenAddedOnly | kTokenSingleWord);
    out.push_back(std::make_unique<Tokenizer>(custom));
    out.push_back(std::make_unique<Tokenizer>(spm(true, true)));
    Vocabulary unknown = spm(false, true);
    unknown.remove_extra_whitespaces = true;
    unknown.attributes.back() = BITNET_TOKEN_UNUSED;
    add(unknown, "<x>", BITNET_TOKEN_USER_DEFINED, 0, kTokenLstrip | kTokenRstrip);
    out.push_back(std::make_unique<Tokenizer>(unknown));
    Vocabulary ranked = spm(true, false);
    ranked.space_prefix = SpacePrefix::text_start;
    ranked.prefix_only_if_absent = ranked.escape_after_added = ranked.split_at_spaces = true;
    add(ranked, "a b", BITNET_TOKEN_USER_DEFINED, 0, kTokenAddedOnly | kTokenNormalized);
    out.push_back(std::make_unique<Tokenizer>(ranked));
    return out;
}

constexpr size_t kByteLevel = 6;  // the first six give every byte back
constexpr size_t kPlainSpm = 6;   // this one too, but for U+2581 itself

void check_text(const Tokenizer& tokenizer, size_t index, std::string_view text) {
    const std::vector<bitnet_token> tokens = tokenizer.encode(text, 0);
    for (const bitnet_token token : tokens) {
        const int32_t attribute = tokenizer.attribute(token);
        require(attribute != 0, "an id outside the vocabulary");
        require(attribute != BITNET_TOKEN_CONTROL, "a control token from plain text");
    }
    require(tokenizer.encode(text, 0) == tokens, "another result the second time");
    const std::string back = tokenizer.decode(tokens, BITNET_DECODE_START);
    const bool lossless = index < kByteLevel || (index == kPlainSpm && text.find(kSpaceMark) == std::string_view::npos);
    require(!lossless || back == text, "the text does not come back");
    const uint32_t all = BITNET_ENCODE_ADD_BOS | BITNET_ENCODE_PARSE_SPECIAL | BITNET_ENCODE_ADD_DEFAULT;
    tokenizer.decode(tokenizer.encode(text, all), BITNET_DECODE_SPECIAL);
    const ChatMessage message{"user", text};
    encode_chat(tokenizer, "falcon", {&message, 1}, true);

    const size_t complete = utf8_complete_prefix(text);
    require(complete <= text.size() && text.size() - complete < 4, "a complete prefix that is too short");
    size_t n = 0;
    for (size_t at = 0; at < text.size(); at += utf8_decode(text.substr(at)).n_bytes) ++n;
    for (size_t end = text.size(); end > 0; end = utf8_previous(text, end)) --n;
    require(n == 0, "characters counted differently from both ends");
}

void try_custom_regex(std::string_view text) {
    const size_t cut = text.find('\0');
    if (cut == std::string_view::npos || text.size() - cut > 200) return;
    const std::vector<PretokenizeStage> stages = {{std::string(text.substr(0, cut)), SplitBehavior::isolated, false}};
    const Pretokenizer pretokenizer(stages, false);
    Pretokenizer::Scratch scratch(pretokenizer);
    const std::string_view subject = text.substr(cut + 1);
    const auto ends = pretokenizer.split(subject, scratch);
    require(subject.empty() ? ends.empty() : ends.back() == subject.size(), "pieces that do not cover the text");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const std::vector<std::unique_ptr<Tokenizer>> tokenizers = make_tokenizers();
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const size_t choice = data[0] % (tokenizers.size() + 3);
    try {
        if (choice < tokenizers.size()) {
            check_text(*tokenizers[choice], choice, text);
        } else if (choice == tokenizers.size()) {
            try_custom_regex(text);
        } else {
            const bool json = choice == tokenizers.size() + 1;
            const Tokenizer tokenizer(json ? read_vocabulary_json(text, "") : read_vocabulary_spm(text, ""));
            tokenizer.decode(tokenizer.encode("a b \xFF\n<s>", BITNET_ENCODE_PARSE_SPECIAL), 0);
        }
    } catch (const Error& error) {
        require(choice >= tokenizers.size(), error.what());  // text is never refused
        require(error.message().find('\n') == std::string::npos, "a message of several lines");
    }
    return 0;
}
