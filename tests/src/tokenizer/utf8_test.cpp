// UTF-8: what counts as a character, and where a stream may be cut.
#include "src/base/utf8.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace bitnet;

namespace {

// An independent decoder: by trying every code point's own encoding.
std::vector<uint32_t> characters(std::string_view text) {
    std::vector<uint32_t> out;
    while (!text.empty()) {
        const Utf8Char c = utf8_decode(text);
        out.push_back(c.code_point);
        text.remove_prefix(c.n_bytes);
    }
    return out;
}

constexpr uint32_t kBad = kInvalidCodePoint;

}  // namespace

TEST_CASE("every code point is written and read back, and no prefix of it is complete") {
    for (uint32_t cp = 0; cp <= 0x10FFFF; ++cp) {
        if (cp >= 0xD800 && cp < 0xE000) continue;
        std::string text;
        utf8_append(text, cp);
        const Utf8Char c = utf8_decode(text);
        bool ok = c.code_point == cp && c.n_bytes == text.size() && utf8_complete_prefix(text) == text.size();
        ok = ok && utf8_previous(text, text.size()) == 0;
        for (size_t n = 1; n < text.size(); ++n)
            ok = ok && utf8_complete_prefix(std::string_view(text).substr(0, n)) == 0;
        if (!ok) FAIL("code point " << cp);
    }
}

TEST_CASE("bytes that are no character stand alone") {
    struct Case {
        const char* text;
        std::vector<uint32_t> expected;
    };
    const Case cases[] = {
        {"\x80", {kBad}},
        {"a\xFF"
         "b",
         {'a', kBad, 'b'}},
        {"\xC0\x80", {kBad, kBad}},            // overlong NUL
        {"\xC1\xBF", {kBad, kBad}},            // overlong
        {"\xE0\x9F\xBF", {kBad, kBad, kBad}},  // overlong
        {"\xED\xA0\x80", {kBad, kBad, kBad}},  // surrogate
        {"\xF0\x8F\xBF\xBF", {kBad, kBad, kBad, kBad}},
        {"\xF4\x90\x80\x80", {kBad, kBad, kBad, kBad}},  // above U+10FFFF
        {"\xF5\x80\x80\x80", {kBad, kBad, kBad, kBad}},
        {"\xE2\x82", {kBad, kBad}},  // cut off
        {"\xE2\x82\x41", {kBad, kBad, 'A'}},
        {"\xE2\xE2\x82\xAC", {kBad, 0x20AC}},
        {"\xF0\x9F\x98\x80\x80", {0x1F600, kBad}},
    };
    for (const Case& c : cases) {
        INFO(c.text);
        CHECK(characters(c.text) == c.expected);
        const bool has_bad = std::find(c.expected.begin(), c.expected.end(), kBad) != c.expected.end();
        CHECK(utf8_is_valid(c.text) == !has_bad);
    }
}

TEST_CASE("going back from the end finds the same characters as going forward") {
    const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\x80\xE2\x82z\xFF\xC3";
    std::vector<size_t> forward;
    for (size_t at = 0; at < text.size(); at += utf8_decode(std::string_view(text).substr(at)).n_bytes)
        forward.push_back(at);
    std::vector<size_t> backward;
    for (size_t end = text.size(); end > 0; end = backward.front())
        backward.insert(backward.begin(), utf8_previous(text, end));
    CHECK(forward == backward);
}

TEST_CASE("the complete prefix waits for unfinished characters only") {
    CHECK(utf8_complete_prefix("") == 0);
    CHECK(utf8_complete_prefix("abc") == 3);
    CHECK(utf8_complete_prefix("abc\xC3") == 3);
    CHECK(utf8_complete_prefix("abc\xE2\x82") == 3);
    CHECK(utf8_complete_prefix("abc\xF0\x9F\x98") == 3);
    CHECK(utf8_complete_prefix("abc\xF0\x9F\x98\x80") == 7);
    CHECK(utf8_complete_prefix("\x80\x80\x80") == 3);  // never becomes a character
    CHECK(utf8_complete_prefix("\xE0\x80") == 2);      // not the beginning of one
    CHECK(utf8_complete_prefix("\xED\xA0") == 2);      // a surrogate
    CHECK(utf8_complete_prefix("\xF4\x90") == 2);
    CHECK(utf8_complete_prefix("\xC1") == 1);
    CHECK(utf8_complete_prefix("\xF5\x80\x80") == 3);
    CHECK(utf8_complete_prefix("\xE2\x82\xAC\xE2") == 3);
}

TEST_CASE("a text cut anywhere and put together by complete prefixes is the text") {
    const std::string text =
        "Gr\xC3\xBC\xC3\x9F"
        "e, \xE4\xB8\x96\xE7\x95\x8C \xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB \xFF\xC3(";
    for (size_t step = 1; step <= 5; ++step) {
        std::string waiting;
        std::string shown;
        for (size_t at = 0; at < text.size(); at += step) {
            waiting += text.substr(at, step);
            const size_t n = utf8_complete_prefix(waiting);
            CHECK(waiting.size() - n <= 3);
            shown += waiting.substr(0, n);
            waiting.erase(0, n);
        }
        CHECK(shown + waiting == text);
    }
}
