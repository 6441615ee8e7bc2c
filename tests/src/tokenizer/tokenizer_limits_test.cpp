// Texts made to be slow: a megabyte each. None may take more than near-linear time; what is quadratic here takes hours,
// so the generous bound holds under sanitizers and on busy machines as well.
#include <doctest/doctest.h>

#include <chrono>

#include "tests/src/tokenizer/tokenizer_fixtures.h"
#include "tests/support/sanitized.h"
#include "tests/support/test_data.h"

using namespace bitnet;

namespace {

constexpr size_t kBytes = (size_t{1} << 20) / (test::kSanitized ? 8 : 1);
constexpr double kMaxSeconds = 60.0;

std::string repeated(const std::string& unit) {
    std::string text;
    text.reserve(kBytes + unit.size());
    while (text.size() < kBytes) text += unit;
    return text;
}

struct Hostile {
    const char* name;
    std::string text;
};

std::vector<Hostile> hostile_texts() {
    return {{"one letter", repeated("a")},
            {"spaces", repeated(" ")},
            {"line ends", repeated("\n")},
            {"space, line end", repeated(" \n")},
            {"apostrophes", repeated("'")},
            {"contractions", repeated("'s")},
            {"digits", repeated("7")},
            {"combining marks", repeated("\xCC\x81")},
            {"joined emoji", repeated("\xF0\x9F\x91\xA8\xE2\x80\x8D")},
            {"short runs of spaces", repeated(std::string(50, ' ') + "a")},
            {"long runs of spaces", repeated(std::string(5000, ' ') + "a")},
            {"line ends before runs of spaces", repeated("\n" + std::string(500, ' '))},
            {"punctuation", repeated("!")},
            {"ideographs", repeated("\xE4\xB8\xAD")},
            {"continuation bytes", repeated("\x80")},
            {"beginnings of control tokens", repeated("<|eot_id|")},
            {"control tokens", repeated("<|eot_id|>")},
            {"NULs", std::string(kBytes, '\0')},
            {"random bytes", test::random_text(1, kBytes)},
            {"random letters", test::random_text(2, kBytes, "abcdefghijklmnopqrstuvwxyz")},
            {"random spaces", test::random_text(3, kBytes, " \n\t\ra")}};
}

}  // namespace

TEST_CASE("a megabyte of anything is encoded in near-linear time and comes back") {
    const char* const files[] = {"tokenizer/llama3/tokenizer.json", "tokenizer/llama2/tokenizer.model"};
    for (const char* file : files) {
        if (!test::have_data(file)) continue;
        const Tokenizer& tokenizer = test::tokenizer_of(file);
        for (const Hostile& hostile : hostile_texts()) {
            const auto start = std::chrono::steady_clock::now();
            const test::Tokens tokens = tokenizer.encode(hostile.text, 0);
            const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
            INFO(file, ": ", hostile.name);
            CHECK(taken.count() < kMaxSeconds);
            CHECK((tokenizer.decode(tokens, BITNET_DECODE_START) == hostile.text));
            CHECK((tokenizer.encode(hostile.text, BITNET_ENCODE_PARSE_SPECIAL).size() <= tokens.size()));
        }
    }
}

TEST_CASE("every pre-tokenizer of the table is near-linear") {
    const std::vector<Hostile> texts = hostile_texts();
    for (const char* name : {"llama-bpe", "gpt-2", "falcon", "default", "qwen2", "starcoder"}) {
        Vocabulary v = test::tiny_bpe();
        v.pre = name;
        const Tokenizer tokenizer(v);
        for (const Hostile& hostile : texts) {
            const auto start = std::chrono::steady_clock::now();
            const test::Tokens tokens = tokenizer.encode(hostile.text, 0);
            const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
            INFO(name, ": ", hostile.name);
            CHECK(taken.count() < kMaxSeconds);
            CHECK((tokenizer.decode(tokens, 0) == hostile.text));
        }
    }
}

TEST_CASE("an expression of a file that backtracks without end gives up with an error") {
    Vocabulary v = test::tiny_bpe();
    v.pre = "custom";
    v.stages = {{"(?:a+)+[^a]", SplitBehavior::isolated, false}};
    const Tokenizer tokenizer(v);
    CHECK(tokenizer.encode("aab", 0).size() == 3);
    CHECK(test::fails_with(BITNET_E_TEXT, {"gave up"}, [&] { tokenizer.encode(std::string(60, 'a'), 0); }));
    CHECK(tokenizer.encode("aab", 0).size() == 3);  // and the tokenizer is as before
}

TEST_CASE("an expression that needs more stack than compiled code has is matched all the same") {
    Vocabulary v = test::tiny_bpe();
    v.pre = "custom";
    v.stages = {{"(?:ab|c)+", SplitBehavior::isolated, false}};
    const Tokenizer tokenizer(v);
    std::string text;
    for (int i = 0; i < 100000; ++i) text += "abc";
    CHECK(tokenizer.decode(tokenizer.encode(text, 0), 0) == text);
}

TEST_CASE("tokens that take the white space after them do not read a run of it again and again") {
    Vocabulary v = test::tiny_bpe();
    v.tokens.push_back(" ");
    v.attributes.push_back(BITNET_TOKEN_USER_DEFINED);
    v.token_flags.assign(v.tokens.size(), 0);
    v.token_flags.back() = kTokenLstrip | kTokenRstrip;
    const Tokenizer tokenizer(v);
    const auto start = std::chrono::steady_clock::now();
    tokenizer.encode(std::string(kBytes, ' '), 0);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    CHECK(taken.count() < kMaxSeconds);
}

TEST_CASE("SentencePiece tokens that are long, or long together, are refused before they cost time") {
    CHECK(test::fails_with(BITNET_E_TOKENIZER, {"token 259", "5000 bytes"}, [] {
        Tokenizer t(test::tiny_spm({{std::string(5000, 'a'), 0.0f}}));
    }));
    std::vector<std::pair<std::string, float>> pieces;
    for (int i = 0; i < 100; ++i) pieces.emplace_back(std::string(3900, 'a') + std::to_string(i), 0.0f);
    CHECK(test::fails_with(BITNET_E_TOKENIZER, {"few that long"}, [&] { Tokenizer t(test::tiny_spm(pieces)); }));
}
