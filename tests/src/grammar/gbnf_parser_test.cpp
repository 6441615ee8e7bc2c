// What is a grammar and what is not, and what each notation matches.
#include <doctest/doctest.h>

#include "src/grammar/gbnf_parser.h"
#include "tests/src/grammar/grammar_fixture.h"

using namespace bitnet;

TEST_CASE("each notation of GBNF matches what llama.cpp documents") {
    struct Row {
        const char* grammar;
        std::vector<std::string> fits, fits_not;
    };
    const Row rows[] = {
        {"root ::= \"ab\"", {"ab"}, {"", "a", "abb", "b"}},
        {"root ::= \"a\" | \"b\" |", {"a", "b", ""}, {"ab", "c"}},
        {"root ::= [a-cx]+", {"a", "cab", "x"}, {"", "d", "w"}},
        {"root ::= [^a-c\\n]",
         {"d", "\xC3\xA9", "\xF0\x9F\x98\x80"},
         {"a", "\n", "dd", "\xC3", "\x80", "\xED\xA0\x80"}},
        {"root ::= .", {"a", "\n", "\xE2\x82\xAC"}, {"", "\xFF", "\xC0\x80", "\xF4\x90\x80\x80"}},
        {"root ::= (\"a\" | \"b\" \"c\")* \"d\"?", {"", "d", "abca", "bcd"}, {"b", "ac", "dd"}},
        {"root ::= \"a\"{2}", {"aa"}, {"a", "aaa"}},
        {"root ::= \"ab\"{1,}", {"ab", "abab"}, {"", "abb"}},
        {"root ::= \"a\"{ 1 , 3 }", {"a", "aa", "aaa"}, {"", "aaaa"}},
        {"root ::= \"a\"{0} \"b\"", {"b"}, {"ab"}},
        {"root ::= \"\\n\\t\\r\\\\\\\"\\x41\\u00e9\\U0001F600\"", {"\n\t\r\\\"A\xC3\xA9\xF0\x9F\x98\x80"}, {"nt"}},
        {"root ::= [\\[\\]\\-\\^\\\\-]+", {"[]-^\\"}, {"a"}},
        {"root ::= [a-]", {"a", "-"}, {"b"}},
        {"root ::= [\xC3\xA9-\xE2\x82\xAC]",
         {"\xC3\xA9", "\xE2\x82\xAC", "\xE0\xA0\x80"},
         {"\xC3\xA8", "\xE2\x82\xAD"}},
        {"# first\nroot ::= # here\n  a-1 b_2 # end\n\na-1 ::= \"a\"\nb_2 ::= \"b\"\n  | \"c\"", {"ab", "ac"}, {"a"}},
        {"root ::= (\n \"a\"\n |\n \"b\"\n)", {"a", "b"}, {""}},
        {"root::=\"a\"root|\"b\"", {"b", "aab"}, {"a", "ba"}},
    };
    for (const Row& row : rows) {
        CAPTURE(row.grammar);
        const auto grammar = test::gbnf(row.grammar);
        for (const std::string& text : row.fits) {
            CAPTURE(text);
            CHECK(test::accepts(grammar, text));
        }
        for (const std::string& text : row.fits_not) {
            CAPTURE(text);
            CHECK_FALSE(test::accepts(grammar, text));
        }
    }
}

TEST_CASE("what is no grammar is refused with its place and the way out") {
    const struct {
        const char* grammar;
        const char* message;
    } rows[] = {
        {"", "line 1, column 1: there is no rule"},
        {"root = \"a\"", "line 1, column 6: '::=' is expected"},
        {"root ::= \"a\"\nother ::= \"b", "line 2, column 13: the literal does not end"},
        {"root ::= [a-", "the class does not end"},
        {"root ::= []", "no character is in this class"},
        {"root ::= [z-a]", "line 1, column 11: the range ends before it begins"},
        {"root ::= (\"a\"", "')' is expected, but there is the end; the group began in line 1, column 10"},
        {"root ::= \"a\")", "the rule should end here, but there is ')'"},
        {"root ::= *", "'*' repeats nothing"},
        {"root ::= \"a\"{2,1}", "the second count is below the first"},
        {"root ::= \"a\"{,2}", "a count is expected, but there is ','"},
        {"root ::= \"a\"{2", "'}' is expected"},
        {"root ::= \"\\q\"", "line 1, column 11: unknown escape"},
        {"root ::= \"\\xZ0\"", "this escape needs 2 hexadecimal digits"},
        {"root ::= \"\\uD800\"", "the escape names no character"},
        {"root ::= \"\\U00110000\"", "the escape names no character"},
        {"root ::= \"\xFF\"", "a byte that is not UTF-8"},
        {"root ::= \xC3\xA9", "the rule should end here, but there is '\xC3\xA9'"},
        {"root ::= <think>", "tokens in <> are not supported"},
        {"root ::= item\n\nitems ::= \"a\"", "line 1, column 10: the rule item is not defined"},
        {"root ::= \"a\"\nroot ::= \"b\"", "line 2, column 1: the rule root is defined twice"},
        {"main ::= \"a\"", "the grammar has no rule \"root\""},
        {"root ::= root \"a\" | \"b\"", "rule root begins with itself (root -> root)"},
        {"root ::= a\na ::= b\nb ::= \"x\"? c* root | \"y\"\nc ::= \"c\"",
         "begins with itself (root -> a -> b -> root)"},
        {"root ::= (root)* \"a\"", "rule root begins with itself"},
        {"root ::= \"a\" b\nb ::= \"b\" b", "can never end"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.grammar);
        const std::string error = test::error_of([&] { test::gbnf(row.grammar); });
        CAPTURE(error);
        CHECK(error.starts_with("BITNET_E_CONFIG: "));
        CHECK(error.find(row.message) != std::string::npos);
        CHECK(error.find('\n') == std::string::npos);
    }
}

TEST_CASE("rules that the root does not need may be anything, and the root may have another name") {
    const auto tokenizer = test::byte_tokenizer();
    const auto grammar = std::make_shared<const Grammar>(tokenizer, "a ::= \"x\"\nb ::= b | c\nc ::= \"y\" c", "a");
    CHECK(test::accepts(grammar, "x"));
}

TEST_CASE("grammars that are too large or too deep are refused before they cost anything") {
    std::string deep = "root ::= ", many, choices = "root ::= \"a\"";
    for (int i = 0; i < 5000; ++i) deep += "(";
    for (int i = 0; i < 20000; ++i) many += "r" + std::to_string(i) + " ::= \"a\"\n";
    std::string stars = "root ::= \"a\"";
    for (int i = 0; i < 100000; ++i) stars += "*";
    const struct {
        std::string grammar;
        const char* message;
    } rows[] = {
        {deep, "nested more than 128 deep"},
        {many, "more than 16384 rules"},
        {stars, "nested too deep"},
        {"root ::= \"a\"{65536}", "at most 65535 repetitions"},
        {"root ::= \"a\"{99999999999999999999}", "at most 65535 repetitions"},
        {"root ::= ((\"a\"{1000}){1000}){1000}", "more than 200000 states"},
        {"root ::= (((\"\"{60000}){60000}){60000}){60000}", "more than 200000 states"},
        {"root ::= ((((\"\")?{60000}){60000}){60000})*", "more than 200000 states"},
        {std::string((size_t{1} << 20) + 1, ' '), "at most 1048576 are read"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.grammar.substr(0, 60));
        const std::string error = test::error_of([&] { test::gbnf(row.grammar); });
        CAPTURE(error);
        CHECK(error.starts_with("BITNET_E_SECURITY_INPUT: "));
        CHECK(error.find(row.message) != std::string::npos);
    }
    // Just within: a long chain of rules and calls.
    std::string chain = "root ::= r0\n";
    for (int i = 0; i < 16000; ++i) chain += "r" + std::to_string(i) + " ::= r" + std::to_string(i + 1) + "\n";
    chain += "r16000 ::= \"x\"";
    CHECK(test::accepts(test::gbnf(chain), "x"));
}
