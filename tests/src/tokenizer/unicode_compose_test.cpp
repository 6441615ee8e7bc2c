// The composed form, against Python's unicodedata (the expected texts below are its answers) and against its own laws.
#include "src/tokenizer/unicode_compose.h"

#include <doctest/doctest.h>

#include "src/base/sha256.h"
#include "src/base/utf8.h"
#include "tests/src/tokenizer/tokenizer_fixtures.h"

using bitnet::unicode_compose;

TEST_CASE("characters are composed, marks sorted, Hangul built, exclusions kept apart") {
    const std::pair<const char*, const char*> cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"e\xCC\x81", "\xC3\xA9"},                                 // e + acute
        {"\xC3\xA9", "\xC3\xA9"},                                  // stays
        {"a\xCC\xA3\xCC\x82", "\xE1\xBA\xAD"},                     // dot below, circumflex
        {"a\xCC\x82\xCC\xA3", "\xE1\xBA\xAD"},                     // in the other order
        {"\xE1\xBA\xAD", "\xE1\xBA\xAD"},                          //
        {"\xE2\x84\xAB", "\xC3\x85"},                              // Angstrom sign
        {"\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB", "\xED\x95\x9C"},  // Hangul from its parts
        {"\xED\x95\x98\xE1\x86\xAB", "\xED\x95\x9C"},              // and from a syllable
        {"\xE0\xA5\x98", "\xE0\xA4\x95\xE0\xA4\xBC"},              // excluded from composition
        {"\xF0\x9D\x85\x9E", "\xF0\x9D\x85\x97\xF0\x9D\x85\xA5"},  // a musical symbol, excluded too
        {"\xCC\x81"
         "e",
         "\xCC\x81"
         "e"},                                      // a mark with nothing before it
        {"e\xFF\xCC\x81", "e\xFF\xCC\x81"},         // a byte that is no character parts them
        {"a\xCC\x96\xCC\x81", "\xC3\xA1\xCC\x96"},  // a lower class is no barrier
        {"a\xCC\x8A\xCC\x81", "\xC7\xBB"},          // one after the other
        {"a\xCC\x81\xCC\x8A", "\xC3\xA1\xCC\x8A"},  // a mark of the same class is one
    };
    for (const auto& [given, expected] : cases) {
        const auto& text = given;  // clang 14 cannot capture the name of a binding
        CAPTURE(text);
        CHECK(unicode_compose(text) == expected);
        CHECK(unicode_compose(expected) == expected);
    }
}

// expected: python3 -c "import hashlib, unicodedata2 as u; print(hashlib.sha256(b''.join(u.normalize('NFC', chr(c) +
// m).encode() for c in range(0x30000) if not 0xD800 <= c < 0xE000 for m in ('', '\u0301', '\u0323\u0302'))).hexdigest())"
TEST_CASE("every character alone and with marks after it is composed as Python composes it") {
    std::string all;
    for (uint32_t c = 0; c < 0x30000; ++c) {
        if (c >= 0xD800 && c < 0xE000) continue;
        for (const char* marks : {"", "\xCC\x81", "\xCC\xA3\xCC\x82"}) {
            std::string text;
            bitnet::utf8_append(text, c);
            all += unicode_compose(text + marks);
        }
    }
    CHECK(bitnet::to_hex(bitnet::sha256_of(all)) == "f662d94b611e475d1015d7f9d07f8388c3507b6bfd528e93a5a166d189559d70");
}

TEST_CASE("any bytes are composed once and for all, in bounded time") {
    for (uint64_t seed = 1; seed <= 300; ++seed) {
        const std::string text =
            test::random_text(seed, 64, seed % 2 == 0 ? "" : "e\xCC\x81\xA3\x82\xE1\x84\x92\x85\xA1");
        const std::string once = unicode_compose(text);
        CHECK(unicode_compose(once) == once);
    }
    std::string marks;
    for (int i = 0; i < 200000; ++i) marks += i % 2 == 0 ? "\xCC\x81" : "\xCC\xA3";
    CHECK(unicode_compose("e" + marks).size() < marks.size() + 4);
}
