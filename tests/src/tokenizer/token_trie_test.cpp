// Added tokens in text: leftmost, then longest; and the options of tokenizer.json around a match.
#include "src/tokenizer/token_trie.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/src/tokenizer/tokenizer_fixtures.h"

using namespace bitnet;
using test::Tokens;

namespace {

// All matches, one after the other, by trying every text at every place.
std::vector<std::pair<size_t, int32_t>> matches_by_definition(const std::vector<std::pair<std::string, int32_t>>& texts,
                                                              std::string_view text) {
    std::vector<std::pair<size_t, int32_t>> out;
    for (size_t at = 0; at < text.size();) {
        size_t longest = 0;
        int32_t token = -1;
        for (const auto& [candidate, id] : texts) {
            if (candidate.size() > longest && text.substr(at).starts_with(candidate)) {
                longest = candidate.size();
                token = id;
            }
        }
        if (token >= 0) out.emplace_back(at, token);
        at += token >= 0 ? longest : 1;
    }
    return out;
}

// tiny_bpe with <tool> (the last token) matched with these flags.
Tokenizer tool_tokenizer(uint8_t flags) {
    Vocabulary v = test::tiny_bpe();
    v.token_flags.assign(v.tokens.size(), 0);
    v.token_flags.back() = flags;
    return Tokenizer(v);
}

Tokens bytes_of(std::string_view text) {
    Tokens out;
    for (const char c : text) out.push_back(static_cast<uint8_t>(c));
    return out;
}

Tokens with_tool(std::string_view before, std::string_view after) {
    Tokens out = bytes_of(before);
    out.push_back(258);
    const Tokens rest = bytes_of(after);
    out.insert(out.end(), rest.begin(), rest.end());
    return out;
}

}  // namespace

TEST_CASE("random tokens in random texts are found leftmost and longest") {
    for (uint64_t seed = 1; seed < 200; ++seed) {
        std::vector<std::pair<std::string, int32_t>> texts;
        for (int32_t i = 0; i < 12; ++i) {
            const uint64_t draw = seed * 100 + static_cast<uint64_t>(i);
            texts.emplace_back(test::random_text(draw, 1 + draw % 5, "ab<"), i);
        }
        TokenTrie trie;
        trie.build(texts);
        const std::string text = test::random_text(seed, 60, "ab<c");
        std::vector<std::pair<size_t, int32_t>> found;
        TokenTrie::Match match;
        for (size_t from = 0; trie.find(text, from, match); from = match.end)
            found.emplace_back(match.begin, match.token);
        CHECK(found == matches_by_definition(texts, text));
    }
}

TEST_CASE("an empty trie finds nothing and a text that is too long is refused") {
    TokenTrie trie;
    TokenTrie::Match match;
    CHECK_FALSE(trie.find("abc", 0, match));
    trie.build({});
    CHECK(trie.empty());
    CHECK(test::fails_with(BITNET_E_TOKENIZER, {"added token 7", "2000 bytes"}, [&] {
        trie.build({{std::string(2000, 'x'), 7}});
    }));
}

TEST_CASE("user-defined tokens are always matched, control tokens only on request") {
    const Tokenizer tokenizer(test::tiny_bpe());
    const Tokens plain = bytes_of("a<|eot_id|>b");
    CHECK(tokenizer.encode("a<|eot_id|>b", 0) == plain);
    CHECK(tokenizer.encode("a<|eot_id|>b", BITNET_ENCODE_PARSE_SPECIAL) == Tokens{'a', 257, 'b'});
    CHECK(tokenizer.encode("a<tool>b", 0) == with_tool("a", "b"));
    CHECK(tokenizer.encode("<tool><tool>", 0) == Tokens{258, 258});
    CHECK(tokenizer.encode("<tool", 0) == bytes_of("<tool"));
}

TEST_CASE("lstrip and rstrip take white space of every kind next to the token") {
    const std::string spaces = " \t\n\xC2\xA0\xE2\x80\xA8\xE3\x80\x80";
    const std::string text = "a" + spaces + "<tool>" + spaces + "b";
    CHECK(tool_tokenizer(0).encode(text, 0) == with_tool("a" + spaces, spaces + "b"));
    CHECK(tool_tokenizer(kTokenLstrip).encode(text, 0) == with_tool("a", spaces + "b"));
    CHECK(tool_tokenizer(kTokenRstrip).encode(text, 0) == with_tool("a" + spaces, "b"));
    CHECK(tool_tokenizer(kTokenLstrip | kTokenRstrip).encode(text, 0) == with_tool("a", "b"));
    CHECK(tool_tokenizer(kTokenLstrip).encode("  <tool>", 0) == Tokens{258});
    CHECK(tool_tokenizer(kTokenLstrip).encode("<tool> <tool>", 0) == Tokens{258, 258});
    // A zero width space is no white space.
    CHECK(tool_tokenizer(kTokenLstrip).encode("\xE2\x80\x8B<tool>", 0) == with_tool("\xE2\x80\x8B", ""));
}

TEST_CASE("single_word tokens are matched only between characters that are no word") {
    const Tokenizer tokenizer = tool_tokenizer(kTokenSingleWord);
    for (const char* text :
         {"<tool>", " <tool> ", "!<tool>?", "\xE2\x82\xAC<tool>\xF0\x9F\x98\x80", "\xFF<tool>\xFF"}) {
        INFO(text);
        const Tokens tokens = tokenizer.encode(text, 0);
        CHECK(std::count(tokens.begin(), tokens.end(), 258) == 1);
    }
    for (const char* text :
         {"a<tool>", "<tool>9", "_<tool>", "\xC3\xA9<tool>", "<tool>\xE4\xB8\x96", "<tool>\xE2\x80\x8D"}) {
        INFO(text);
        CHECK(tokenizer.encode(text, 0) == bytes_of(text));
    }
}

TEST_CASE("normalized tokens are looked for only where the others have left text") {
    Vocabulary v = test::tiny_bpe();
    v.tokens.push_back("l><x");
    v.attributes.push_back(BITNET_TOKEN_USER_DEFINED);
    const std::string text = "<tool><x";
    CHECK(Tokenizer(v).encode(text, 0) == with_tool("", "<x"));
    v.token_flags.assign(v.tokens.size(), 0);
    v.token_flags[258] = kTokenNormalized;
    const Tokens expected = {'<', 't', 'o', 'o', 259};
    CHECK(Tokenizer(v).encode(text, 0) == expected);
}
