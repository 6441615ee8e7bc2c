// Regular expressions over class bytes and the pre-tokenizers made of them.
#include "src/tokenizer/pretokenize.h"

#include <doctest/doctest.h>

#include "src/base/utf8.h"
#include "src/tokenizer/unicode_classes.h"
#include "tests/src/tokenizer/tokenizer_fixtures.h"

using namespace bitnet;

namespace {

using Pieces = std::vector<std::string>;

Pieces split(std::span<const PretokenizeStage> stages, std::string_view text) {
    const Pretokenizer pretokenizer(stages, false);
    Pretokenizer::Scratch scratch(pretokenizer);
    Pieces pieces;
    size_t begin = 0;
    for (const uint32_t end : pretokenizer.split(text, scratch)) {
        pieces.emplace_back(text.substr(begin, end - begin));
        begin = end;
    }
    CHECK(begin == text.size());
    return pieces;
}

Pieces split(std::string_view name, std::string_view text) {
    const PretokenizerRow* row = find_pretokenizer(name);
    REQUIRE(row != nullptr);
    return split(stages_of(*row), text);
}

Pieces split_by(const std::string& regex, SplitBehavior behavior, std::string_view text) {
    const std::vector<PretokenizeStage> stages = {{regex, behavior, false}};
    return split(stages, text);
}

bool refused(const std::string& regex, std::string_view part) {
    return test::fails_with(BITNET_E_TOKENIZER, {part}, [&] { ClassRegex compiled(regex); });
}

ByteSet property(std::string_view name) {
    ByteSet set;
    REQUIRE(property_bytes(name, set));
    return set;
}

}  // namespace

TEST_CASE(
    "Llama 3 pieces: contractions, words with what is before them, three digits, symbols with line ends, spaces") {
    CHECK(split("llama-bpe", "Hello, I'm  here") == Pieces{"Hello", ",", " I", "'m", " ", " here"});
    CHECK(split("llama-bpe", "WE'LL don'T I'VE") == Pieces{"WE", "'LL", " don", "'T", " I", "'VE"});
    CHECK(split("llama-bpe", "12345 1.58") == Pieces{"123", "45", " ", "1", ".", "58"});
    CHECK(split("llama-bpe", "a \n\n b\r\n") == Pieces{"a", " \n\n", " b", "\r\n"});
    CHECK(split("llama-bpe", "x   ") == Pieces{"x", "   "});
    CHECK(split("llama-bpe", "x   y") == Pieces{"x", "  ", " y"});
    CHECK(split("llama-bpe", "(foo)!?\n\n  bar") == Pieces{"(foo", ")!?\n\n", " ", " bar"});
    CHECK(split("llama-bpe", "\xE4\xBD\xA0\xE5\xA5\xBD\xEF\xBC\x81") ==
          Pieces{"\xE4\xBD\xA0\xE5\xA5\xBD", "\xEF\xBC\x81"});
    CHECK(split("llama-bpe", "'\xC5\xBF") == Pieces{"'\xC5\xBF"});  // U+017F is an s without regard to case
    CHECK(split("llama-bpe", "").empty());
}

TEST_CASE("the other pre-tokenizers differ where they should") {
    CHECK(split("gpt-2", "don't DON'T 12345") == Pieces{"don", "'t", " DON", "'", "T", " 12345"});
    CHECK(split("qwen2", "12 3") == Pieces{"1", "2", " ", "3"});
    CHECK(split("starcoder", "a12 34") == Pieces{"a", "1", "2", " ", "3", "4"});
    CHECK(split("falcon", "ab`12345=c 1234") == Pieces{"ab", "`", "123", "45", "=", "c", " ", "123", "4"});
    CHECK(split("default", "ab`12345=c 12") == Pieces{"ab", "`", "123", "45", "=", "c", " ", "12"});
}

TEST_CASE("a byte that is no character is a symbol: it stands apart from letters, digits and spaces") {
    CHECK(split("llama-bpe",
                "a\xFF"
                "b\x80 1") == Pieces{"a",
                                     "\xFF"
                                     "b",
                                     "\x80", " ", "1"});
    CHECK(split("gpt-2",
                "a\xFF\xFE"
                "b 1\xE2\x82") == Pieces{"a", "\xFF\xFE", "b", " 1", "\xE2\x82"});
}

TEST_CASE("a look-ahead does not see past the piece of the stage before") {
    const std::vector<PretokenizeStage> stages = {{"x", SplitBehavior::isolated, false},
                                                  {R"(\s+(?!\S)|\S+)", SplitBehavior::isolated, false}};
    CHECK(split(stages, "a  xb") == Pieces{"a", "  ", "x", "b"});
}

TEST_CASE("the four split behaviors") {
    const std::string_view text = "-a--b-";
    CHECK(split_by("-", SplitBehavior::isolated, text) == Pieces{"-", "a", "-", "-", "b", "-"});
    CHECK(split_by("-", SplitBehavior::contiguous, text) == Pieces{"-", "a", "--", "b", "-"});
    CHECK(split_by("-", SplitBehavior::merged_with_previous, text) == Pieces{"-", "a-", "-", "b-"});
    CHECK(split_by("-", SplitBehavior::merged_with_next, text) == Pieces{"-a", "-", "-b", "-"});
}

TEST_CASE("a stage after ByteLevel sees one printable character per byte") {
    // U+00B2 and U+00B3 are digits, so the bytes B2 and B3 of any character are; a space is the letter U+0120.
    const std::vector<PretokenizeStage> digits = {{R"(\p{hf_digit})", SplitBehavior::isolated, true}};
    CHECK(split(digits, "\xCE\xB2 7") == Pieces{"\xCE", "\xB2", " ", "7"});
    const std::vector<PretokenizeStage> letters = {{R"(\p{L}+)", SplitBehavior::isolated, true}};
    CHECK(split(letters, "a b.c") == Pieces{"a b", ".", "c"});
}

TEST_CASE("what is not known to mean the same in both dialects is refused by name") {
    CHECK(refused("^a", "anchor '^'"));
    CHECK(refused("a$", "anchor '$'"));
    CHECK(refused("\\bfoo", "escape '\\b'"));
    CHECK(refused("\\w+", "escape '\\w'"));
    CHECK(refused("\\h", "escape '\\h'"));
    CHECK(refused("(a)\\1", "escape '\\1'"));
    CHECK(refused("\\x41", "escape '\\x'"));
    CHECK(refused("\\p{Han}", "property 'Han'"));
    CHECK(refused("\\p{Xx}", "property 'Xx'"));
    CHECK(refused("\\pL", "property without braces"));
    CHECK(refused("[\\p{L}&&[a-z]]", "set inside a set"));
    CHECK(refused("[[:alpha:]]", "set inside a set"));
    CHECK(refused("[]a]", "an empty set"));
    CHECK(refused("[z-a]", "range"));
    CHECK(refused("[a-\\d]", "range"));
    CHECK(refused("[\xE4\xB8\x80-\xE9\xBE\xA5]+", "outside ASCII"));
    CHECK(refused("(?i)a", "group '(?i)"));
    CHECK(refused("(?<name>a)", "group"));
    CHECK(refused("(?i:[a-z])", "range without regard to case"));
    CHECK(refused("(?i:ss)", "ligature"));
    CHECK(refused("a{,3}", "repeat count"));
    CHECK(refused("a{2000}", "repeat count"));
    CHECK(refused("a{3,2}", "range that ends before"));
    CHECK(refused("a{2}+", "repeat of a repeat"));
    CHECK(refused("*a", "repeat of nothing"));
    CHECK(refused("(a", "'(' without ')'"));
    CHECK(refused("a)", "')' without '('"));
    CHECK(refused("[a", "'[' without ']'"));
    CHECK(refused("a\\", "'\\' at the end"));
    CHECK(refused("", "length"));
    CHECK(refused(std::string(20000, 'a'), "length"));
    CHECK(refused("a*", "can match nothing"));
    CHECK(refused("(?=a)", "can match nothing"));
    CHECK(refused(std::string(100, '(') + "a" + std::string(100, ')'), "nested too deeply"));
}

TEST_CASE("what is understood is understood as written") {
    const auto matches = [](const std::string& regex, std::string_view text) {
        return split_by(regex, SplitBehavior::isolated, text);
    };
    CHECK(matches("(?:ab|c)+", "xababcx") == Pieces{"x", "ababc", "x"});
    CHECK(matches("[^\\s.]+", "a b.c") == Pieces{"a", " ", "b", ".", "c"});
    CHECK(matches("[+\\-.\\]]", "a+b-c.d]") == Pieces{"a", "+", "b", "-", "c", ".", "d", "]"});
    CHECK(matches("[a-c-]", "xa-") == Pieces{"x", "a", "-"});
    CHECK(matches("\\P{L}", "a1") == Pieces{"a", "1"});
    CHECK(matches("\\p{^L}+", "a12b") == Pieces{"a", "12", "b"});
    CHECK(matches(".+", "ab\ncd") == Pieces{"ab", "\n", "cd"});
    CHECK(matches("a{2,3}?", "aaaa") == Pieces{"aa", "aa"});
    CHECK(matches("(?<=b)a", "aba") == Pieces{"ab", "a"});
    CHECK(matches("(?i:K)", "k\xE2\x84\xAA") == Pieces{"k", "\xE2\x84\xAA"});  // U+212A
    CHECK(matches("\\d", "1\xD9\xA1\xC2\xB2") ==
          Pieces{"1", "\xD9\xA1", "\xC2\xB2"});  // U+0661 yes, U+00B2 no: same cut
    CHECK(matches("\\n|\\r|\\t|\\f", "a\tb\fc") == Pieces{"a", "\t", "b", "\f", "c"});
}

TEST_CASE("classes have the sizes of Unicode 16") {
    size_t letters = 0, numbers = 0, spaces = 0, punctuation = 0, marks = 0, symbols = 0, upper = 0;
    const ByteSet l = property("L"), n = property("N"), s = property("space"), p = property("P"), m = property("M"),
                  sy = property("S"), lu = property("Lu");
    for (uint32_t cp = 0; cp <= 0x10FFFF; ++cp) {
        const uint8_t byte = class_byte(cp);
        letters += l[byte];
        numbers += n[byte];
        spaces += s[byte];
        punctuation += p[byte];
        marks += m[byte];
        symbols += sy[byte];
        upper += lu[byte];
        if (is_unicode_space(cp) != s[byte]) FAIL("code point " << cp);
    }
    CHECK(letters == 141028);
    CHECK(numbers == 1911);
    CHECK(spaces == 25);
    CHECK(punctuation == 855);
    CHECK(marks == 2501);
    CHECK(symbols == 8514);
    CHECK(upper == 1858);
    CHECK(property("L")[class_byte(0x31350)]);  // an ideograph of Unicode 15
    CHECK_FALSE(is_unicode_space(0x180E));      // was a space once
    CHECK_FALSE(is_unicode_space(0x1C));        // is one for Python, not for Unicode
    CHECK(is_unicode_space(0x85));
    CHECK(property("S")[class_byte(kInvalidCodePoint)]);
    CHECK(is_word_char('_'));
    CHECK(is_word_char(0x24B6));
    CHECK_FALSE(is_word_char(0x20AC));
}

TEST_CASE("an unknown name is not in the table and every name in it works") {
    CHECK(find_pretokenizer("falcon_e") == nullptr);
    CHECK(find_pretokenizer("") == nullptr);
    const std::string known = known_pretokenizers();
    for (const char* name :
         {"llama-bpe", "llama3", "llama-v3", "falcon3", "gpt-2", "falcon", "default", "qwen2", "dbrx"}) {
        INFO(name);
        CHECK(known.find(name) != std::string::npos);
        const PretokenizerRow* row = find_pretokenizer(name);
        REQUIRE(row != nullptr);
        const std::string text = "A sentence, with 1234 words\n and 'quotes'";
        std::string joined;
        for (const std::string& piece : split(stages_of(*row), text)) joined += piece;
        CHECK(joined == text);
        CHECK(find_pretokenizer(stages_of(*row)) != nullptr);
    }
    CHECK(find_pretokenizer("llama3")->ignore_merges);
    CHECK(find_pretokenizer("llama3")->add_bos);
    CHECK_FALSE(find_pretokenizer("gpt-2")->ignore_merges);
}
