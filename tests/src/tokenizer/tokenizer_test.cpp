// The Tokenizer class: flags, decoding, ids, ends, and round trips of any bytes.
#include "src/tokenizer/tokenizer.h"

#include <doctest/doctest.h>

#include <thread>

#include "src/base/utf8.h"
#include "tests/src/tokenizer/tokenizer_fixtures.h"
#include "tests/support/test_data.h"

using namespace bitnet;
using test::Tokens;

namespace {

Vocabulary word_bpe() { return test::tiny_bpe({{"h", "e"}, {"l", "l"}, {"he", "ll"}, {"hell", "o"}, {" ", "hello"}}); }

Vocabulary word_spm() {
    return test::tiny_spm({{"\xE2\x96\x81", -1}, {"h", -2}, {"i", -3}, {"hi", -4}, {"\xE2\x96\x81hi", -5}, {"!", -6}});
}

}  // namespace

TEST_CASE("BOS and EOS come as the flags and the file say") {
    Vocabulary v = test::tiny_bpe();
    const Tokens plain = {'h', 'i'};
    const Tokens with_bos = {256, 'h', 'i'};
    const Tokens with_both = {256, 'h', 'i', 257};
    v.add_bos = true;
    v.add_eos = true;
    const Tokenizer both(v);
    CHECK(both.encode("hi", 0) == plain);
    CHECK(both.encode("hi", BITNET_ENCODE_ADD_BOS) == with_bos);
    CHECK(both.encode("hi", BITNET_ENCODE_ADD_DEFAULT) == with_both);
    CHECK(both.encode("", BITNET_ENCODE_ADD_DEFAULT) == Tokens{256, 257});
    CHECK(both.encode("", 0).empty());
    v.add_bos = false;
    v.add_eos = false;
    CHECK(Tokenizer(v).encode("hi", BITNET_ENCODE_ADD_DEFAULT) == plain);
    CHECK(Tokenizer(v).encode("hi", BITNET_ENCODE_ADD_DEFAULT | BITNET_ENCODE_ADD_BOS) == with_bos);
    v.bos = -1;
    CHECK(Tokenizer(v).encode("hi", BITNET_ENCODE_ADD_BOS) == plain);
}

TEST_CASE("a text that begins with BOS gets no second one, unless it is plain text") {
    const Tokenizer tokenizer(test::tiny_bpe());
    CHECK(tokenizer.encode("<|bos|>a", BITNET_ENCODE_ADD_BOS | BITNET_ENCODE_PARSE_SPECIAL) == Tokens{256, 'a'});
    CHECK(tokenizer.encode("<|bos|>a", BITNET_ENCODE_ADD_BOS).size() == 1 + 8);
}

TEST_CASE("merges follow their ranks, not the order of the text") {
    const Tokenizer tokenizer(word_bpe());
    const auto id = [&](std::string_view stored) { return tokenizer.find(stored).value(); };
    CHECK(tokenizer.encode("hello", 0) == Tokens{id("hello")});
    CHECK(tokenizer.encode(" hello", 0) == Tokens{id("\xC4\xA0hello")});
    CHECK(tokenizer.encode("hell", 0) == Tokens{id("hell")});
    CHECK(tokenizer.encode("lll", 0) == Tokens{id("ll"), 'l'});
    CHECK(tokenizer.encode("helo", 0) == Tokens{id("he"), 'l', 'o'});
}

TEST_CASE("with ignore_merges a piece that is a token is that token, whatever the merges give") {
    Vocabulary v = test::tiny_bpe({{"b", "c"}, {"a", "b"}});
    v.tokens.push_back("abc");
    v.attributes.push_back(BITNET_TOKEN_NORMAL);
    CHECK(Tokenizer(v).encode("abc", 0).size() == 2);
    v.ignore_merges = true;
    CHECK(Tokenizer(v).encode("abc", 0) == Tokens{static_cast<bitnet_token>(v.tokens.size()) - 1});
    CHECK(Tokenizer(v).encode(" abc", 0).size() == 3);
}

TEST_CASE("a merge whose result is no token works as a step and falls back to bytes at the end") {
    Vocabulary v = test::tiny_bpe();
    v.merges = {{"ab", 1}, {"abc", 2}};
    v.tokens.push_back("abc");
    v.attributes.push_back(BITNET_TOKEN_NORMAL);
    const Tokenizer tokenizer(v);
    CHECK(tokenizer.encode("abc", 0) == Tokens{259});
    CHECK(tokenizer.encode("abd", 0) == Tokens{'a', 'b', 'd'});
    v.strict_merges = true;
    CHECK(test::fails_with(BITNET_E_TOKENIZER, {"merge 0", "'ab'", "not in the vocabulary"}, [&] { Tokenizer t(v); }));
}

TEST_CASE("SentencePiece: spaces, prefix, byte fallback and decoding") {
    const Tokenizer tokenizer(word_spm());
    const bitnet_token space = 259, i = 261, hi = 262, space_hi = 263, mark = 264;
    CHECK(tokenizer.encode("hi", 0) == Tokens{space_hi});
    CHECK(tokenizer.encode(" hi", 0) == Tokens{space, space_hi});
    CHECK(tokenizer.encode("hi!", 0) == Tokens{space_hi, mark});
    CHECK(tokenizer.encode("\xC3\xA9", 0) == Tokens{space, 3 + 0xC3, 3 + 0xA9});
    CHECK(tokenizer.encode("\xFF", 0) == Tokens{space, 3 + 0xFF});
    CHECK(tokenizer.encode("", 0).empty());
    CHECK(tokenizer.encode("</s>hi", BITNET_ENCODE_PARSE_SPECIAL) == Tokens{2, space_hi});
    CHECK(tokenizer.decode(Tokens{space_hi, mark}, 0) == " hi!");
    CHECK(tokenizer.decode(Tokens{space_hi, mark}, BITNET_DECODE_START) == "hi!");
    CHECK(tokenizer.decode(Tokens{1, space_hi}, BITNET_DECODE_START) == "hi");
    CHECK(tokenizer.decode(Tokens{space, space_hi}, BITNET_DECODE_START) == " hi");
    CHECK(tokenizer.decode(Tokens{hi, space_hi}, BITNET_DECODE_START) == "hi hi");
    CHECK(tokenizer.decode(Tokens{3 + 0xC3, 3 + 0xA9, i}, 0) == "\xC3\xA9i");
    CHECK(tokenizer.decode(Tokens{1, hi, 2}, BITNET_DECODE_SPECIAL) == "<s>hi</s>");
    Vocabulary v = word_spm();
    v.space_prefix = SpacePrefix::never;
    CHECK(Tokenizer(v).encode("hi", 0) == Tokens{hi});
    CHECK(Tokenizer(v).decode(Tokens{space_hi}, BITNET_DECODE_START) == " hi");
    v.remove_extra_whitespaces = true;
    CHECK(Tokenizer(v).encode("  hi   hi  ", 0) == Tokens{hi, space_hi});
    CHECK(Tokenizer(v).encode("   ", 0).empty());
}

TEST_CASE("SentencePiece: without byte tokens characters that are unknown become the unknown token, together or each") {
    Vocabulary v = word_spm();
    for (size_t i = 3; i < 259; ++i) v.attributes[i] = BITNET_TOKEN_NORMAL;
    const std::string text = "hi\xC3\xA9\xC3\xA9!\xC3\xA9";
    CHECK(Tokenizer(v).encode(text, 0) == Tokens{263, 0, 264, 0});
    v.fuse_unknown = false;
    CHECK(Tokenizer(v).encode(text, 0) == Tokens{263, 0, 0, 264, 0});
    v.unk = -1;
    CHECK(test::fails_with(BITNET_E_TOKENIZER, {"neither byte tokens nor an unknown token"}, [&] { Tokenizer t(v); }));
}

TEST_CASE("SentencePiece: unused tokens are steps but never results") {
    Vocabulary v = test::tiny_spm({{"a", -1}, {"b", -2}, {"c", -3}, {"ab", -4}, {"abc", -5}});
    v.space_prefix = SpacePrefix::never;
    v.attributes[262] = BITNET_TOKEN_UNUSED;  // ab
    CHECK(Tokenizer(v).encode("abc", 0) == Tokens{263});
    CHECK(Tokenizer(v).encode("abab", 0) == Tokens{259, 260, 259, 260});
    v.attributes[263] = BITNET_TOKEN_UNUSED;
    CHECK(Tokenizer(v).encode("abc", 0) == Tokens{259, 260, 261});
}

TEST_CASE("text cannot become a control token by merging") {
    Vocabulary v = test::tiny_spm({{"<", -1}, {"s", -2}, {">", -3}, {"<s", -4}});
    v.space_prefix = SpacePrefix::never;
    for (const bitnet_token token : Tokenizer(v).encode("<s>", 0)) CHECK(token > 2);
    Vocabulary b = test::tiny_bpe({{"<", "|"}, {"<|", "b"}});
    b.merges.push_back({"<|bos|>", 3});
    for (const bitnet_token token : Tokenizer(b).encode("<|bos|>", 0)) CHECK(token != b.bos);
}

TEST_CASE("pieces, attributes and ids are those of the vocabulary") {
    const Tokenizer tokenizer(test::tiny_bpe());
    CHECK(tokenizer.n_vocab() == 259);
    CHECK(tokenizer.piece(' ') == "\xC4\xA0");
    CHECK(tokenizer.find("\xC4\xA0") == ' ');
    CHECK(tokenizer.find("<|bos|>") == 256);
    CHECK_FALSE(tokenizer.find("no such").has_value());
    CHECK(tokenizer.attribute(0) == BITNET_TOKEN_NORMAL);
    CHECK(tokenizer.attribute(256) == BITNET_TOKEN_CONTROL);
    CHECK(tokenizer.attribute(258) == BITNET_TOKEN_USER_DEFINED);
    CHECK(tokenizer.attribute(-1) == 0);
    CHECK(tokenizer.attribute(259) == 0);
    CHECK(tokenizer.is_end(257));
    CHECK_FALSE(tokenizer.is_end(256));
    CHECK_FALSE(tokenizer.is_end(-1));
    CHECK(tokenizer.info().eot == 257);  // by its text
    CHECK(tokenizer.bytes_used() > 1000);
    CHECK(test::fails_with(BITNET_E_TOKEN, {"token 259", "259 tokens"}, [&] { tokenizer.piece(259); }));
    CHECK(test::fails_with(BITNET_E_TOKEN, {"token -1"}, [&] { tokenizer.decode(Tokens{0, -1}, 0); }));
    CHECK(test::fails_with(BITNET_E_ARGUMENT, {"flags"}, [&] { tokenizer.encode("a", 64); }));
    CHECK(test::fails_with(BITNET_E_ARGUMENT, {"flags"}, [&] { tokenizer.decode(Tokens{0}, 4); }));
}

TEST_CASE("decode: control tokens give nothing unless asked for, user-defined ones always their text") {
    const Tokenizer tokenizer(test::tiny_bpe());
    const Tokens tokens = {256, 'a', 258, 257};
    CHECK(tokenizer.decode(tokens, 0) == "a<tool>");
    CHECK(tokenizer.decode(tokens, BITNET_DECODE_SPECIAL) == "<|bos|>a<tool><|eot_id|>");
    CHECK(tokenizer.decode(Tokens{}, 0).empty());
}

TEST_CASE("any bytes come back from the real vocabularies") {
    const char* const files[] = {"tokenizer/llama3/tokenizer.json", "tokenizer/vocab-gguf/ggml-vocab-gpt-2.gguf",
                                 "tokenizer/llama2/tokenizer.model", "models/stories3m-i2_s.gguf"};
    for (const char* file : files) {
        if (!test::have_data(file)) continue;
        const Tokenizer& tokenizer = test::tokenizer_of(file);
        INFO(file);
        for (uint64_t seed = 1; seed <= 60; ++seed) {
            const std::string text =
                test::random_text(seed, seed * 7, seed % 3 == 0 ? "a \n'\xC3\xA9\xE2\x82\xAC" : "");
            const Tokens tokens = tokenizer.encode(text, 0);
            CHECK(tokenizer.decode(tokens, BITNET_DECODE_START) == text);
            for (const bitnet_token token : tokens) CHECK(tokenizer.attribute(token) != BITNET_TOKEN_CONTROL);
        }
    }
}

TEST_CASE("tokens shown one by one through the complete prefix give whole characters and the whole text") {
    const char* const files[] = {"tokenizer/llama3/tokenizer.json", "tokenizer/llama2/tokenizer.model"};
    const std::string text =
        "\xE0\xA4\xA8\xE0\xA4\xAE \xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x9A\x80 na\xC3\xAFve \xF0\x9F\xA7\xAC";
    for (const char* file : files) {
        if (!test::have_data(file)) continue;
        const Tokenizer& tokenizer = test::tokenizer_of(file);
        std::string waiting;
        std::string shown;
        bool first = true;
        size_t held_back = 0;
        for (const bitnet_token token : tokenizer.encode(text, 0)) {
            waiting += tokenizer.decode({&token, 1}, first ? BITNET_DECODE_START : 0);
            first = false;
            const size_t n = utf8_complete_prefix(waiting);
            CHECK(utf8_is_valid(std::string_view(waiting).substr(0, n)));
            shown += waiting.substr(0, n);
            waiting.erase(0, n);
            held_back += !waiting.empty();
        }
        CHECK(shown == text);
        CHECK(waiting.empty());
        CHECK(held_back > 0);  // the case this is about did occur
    }
}

TEST_CASE("one tokenizer serves many threads at once") {
    const Tokenizer tokenizer(word_bpe());
    const std::string text = test::random_text(5, 20000, "hello lo\n");
    const Tokens expected = tokenizer.encode(text, 0);
    std::vector<std::thread> threads;
    std::vector<int> equal(4, 0);
    for (size_t i = 0; i < equal.size(); ++i) {
        threads.emplace_back([&, i] {
            for (int round = 0; round < 5; ++round) equal[i] += tokenizer.encode(text, 0) == expected;
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(equal == std::vector<int>(4, 5));
}

TEST_CASE("pieces met again in a long text become the same tokens as the first time") {
    const Tokenizer tokenizer(word_bpe());
    const std::string once = "hello help <tool> shell hello! 12 hell o ";
    Tokens expected;
    std::string text;
    for (int i = 0; i < 500; ++i) text += once;
    const Tokens tokens = tokenizer.encode(text, 0);
    // Cut at a place where no piece crosses: the text between two line ends.
    std::string lines;
    for (int i = 0; i < 500; ++i) lines += once + "\n";
    for (int i = 0; i < 500; ++i) {
        const Tokens part = tokenizer.encode(once + "\n", 0);
        expected.insert(expected.end(), part.begin(), part.end());
    }
    CHECK(tokenizer.encode(lines, 0) == expected);
    CHECK(tokenizer.decode(tokens, 0) == text);
}
