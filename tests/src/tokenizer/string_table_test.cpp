// The table of strings with an index.
#include "src/tokenizer/string_table.h"

#include <doctest/doctest.h>

#include <map>
#include <string>

#include "tests/src/tokenizer/tokenizer_fixtures.h"

using namespace bitnet;

TEST_CASE("strings are kept by number, found by text, and the first of equal ones counts") {
    StringTable table;
    std::map<std::string, uint32_t> expected;
    for (uint32_t i = 0; i < 5000; ++i) {  // the index grows many times
        const std::string text = test::random_text(i % 3000 + 1, i % 23);
        table.add(text);
        CHECK(table[i] == text);
        const bool is_new = expected.try_emplace(text, i).second;
        if (table.index(i) != is_new) FAIL("string " << i);
    }
    CHECK(table.size() == 5000);
    for (const auto& [text, i] : expected) {
        if (table.find(text) != i) FAIL("string " << i);
    }
    CHECK(table.find("not there at all, ever, whatever") == StringTable::kNotFound);
    CHECK(StringTable().find("") == StringTable::kNotFound);
}

TEST_CASE("strings that are added but not indexed are not found") {
    StringTable table;
    table.add("a");
    table.add("b");
    table.add(std::string_view("\0x", 2));
    table.reserve_index(2);
    CHECK(table.index(1));
    CHECK(table.index(2));
    CHECK(table.find("a") == StringTable::kNotFound);
    CHECK(table.find("b") == 1);
    CHECK(table.find(std::string_view("\0x", 2)) == 2);
    CHECK(table.bytes_used() > 0);
}

TEST_CASE("the hash tells apart texts that differ in length or in one bit") {
    CHECK(hash_bytes("") != hash_bytes(std::string_view("\0", 1)));
    CHECK(hash_bytes(std::string_view("\0", 1)) != hash_bytes(std::string_view("\0\0", 2)));
    const std::string text = "twenty bytes of text";
    for (size_t i = 0; i < text.size(); ++i) {
        std::string other = text;
        other[i] = static_cast<char>(other[i] ^ 1);
        CHECK(hash_bytes(other) != hash_bytes(text));
    }
}
