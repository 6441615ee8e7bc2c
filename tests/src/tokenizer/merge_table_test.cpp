// The merging itself: every path gives what the plain definition gives.
#include "src/tokenizer/merge_table.h"

#include <doctest/doctest.h>

#include <random>

#include "src/base/error.h"

using namespace bitnet;

namespace {

using Symbols = std::vector<uint32_t>;

// The definition: as long as any pair merges, merge the leftmost of those with the lowest rank.
Symbols merged_by_definition(const MergeTable& table, Symbols symbols) {
    while (true) {
        uint32_t best = kNoRank;
        size_t where = 0;
        for (size_t i = 0; i + 1 < symbols.size(); ++i) {
            const uint32_t rank = table.find(symbols[i], symbols[i + 1]).rank;
            if (rank < best) {
                best = rank;
                where = i;
            }
        }
        if (best == kNoRank) return symbols;
        symbols[where] = table.find(symbols[where], symbols[where + 1]).result;
        symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(where) + 1);
    }
}

Symbols merged(const MergeTable& table, Symbols symbols, MergeTable::Scratch& scratch) {
    table.merge(symbols, scratch);
    return symbols;
}

}  // namespace

TEST_CASE("merging random tables and sequences of any length equals the definition") {
    std::mt19937 random(7);
    MergeTable::Scratch scratch;
    for (int round = 0; round < 300; ++round) {
        const uint32_t n_symbols = 2 + random() % 12;
        MergeTable table;
        const size_t n_pairs = random() % 60;
        table.reserve(n_pairs);
        for (size_t i = 0; i < n_pairs; ++i) {
            // Few different ranks, so that there are many ties.
            table.insert(random() % n_symbols, random() % n_symbols, random() % 10, random() % n_symbols);
        }
        for (const size_t n : {0, 1, 2, 3, 10, 47, 48, 49, 50, 200}) {
            Symbols symbols(n);
            for (uint32_t& symbol : symbols) symbol = random() % 20 == 0 ? kNoSymbol : random() % n_symbols;
            if (merged(table, symbols, scratch) != merged_by_definition(table, symbols)) {
                FAIL("round " << round << ", length " << n);
            }
        }
    }
}

TEST_CASE("of equal ranks the leftmost merges first, in short and in long sequences") {
    MergeTable table;
    table.reserve(1);
    table.insert(1, 1, 0, 2);
    MergeTable::Scratch scratch;
    for (const size_t n : {3, 5, 101}) {
        Symbols expected(n / 2, 2);
        expected.push_back(1);
        CHECK(merged(table, Symbols(n, 1), scratch) == expected);
    }
}

TEST_CASE("a pair is inserted once and symbols that are none never merge") {
    MergeTable table;
    table.reserve(2);
    CHECK(table.insert(3, 4, 5, 6));
    CHECK_FALSE(table.insert(3, 4, 1, 7));
    CHECK(table.find(3, 4).rank == 5);
    CHECK(table.find(3, 4).result == 6);
    CHECK(table.find(4, 3).rank == kNoRank);
    CHECK(table.find(kNoSymbol, kNoSymbol).rank == kNoRank);
    CHECK(MergeTable().find(1, 2).rank == kNoRank);
}

TEST_CASE("the origin of a tracked symbol is the pair it was found in") {
    MergeTable table;
    table.reserve(2);
    table.insert(1, 2, 0, 3);
    table.insert(3, 1, 1, 4);
    table.track_origin(4);
    CHECK(table.tracks_origins());
    MergeTable::Scratch scratch;
    CHECK(merged(table, {1, 2, 1}, scratch) == Symbols{4});
    REQUIRE(scratch.origins.count(4) == 1);
    CHECK(scratch.origins[4] == std::pair<uint32_t, uint32_t>(3, 1));
    CHECK(scratch.origins.count(3) == 0);
    merged(table, {1}, scratch);
    CHECK(scratch.origins.empty());
}

TEST_CASE("a table used beyond its reserve says so instead of filling up") {
    MergeTable table;
    table.reserve(1);
    CHECK_THROWS_AS(for (uint32_t i = 0; i < 100; ++i) table.insert(i, i, i, i), Error);
}
