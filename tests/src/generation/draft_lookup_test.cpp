// Guessing how a text goes on: the longest match decides, a near match repeats itself, and no text makes it slow or large.
#include <doctest/doctest.h>

#include <array>
#include <random>
#include <vector>

#include "src/generation/draft_lookup.h"

using bitnet::DraftLength;
using bitnet::DraftLookup;

namespace {

std::vector<bitnet_token> guess(const std::vector<bitnet_token>& text, size_t n) {
    DraftLookup lookup(text.size());
    for (const bitnet_token token : text) lookup.add(token);
    std::vector<bitnet_token> out(n);
    out.resize(lookup.guess(out));
    return out;
}

}  // namespace

TEST_CASE("a guess goes on as the text did where it last ended alike") {
    using Tokens = std::vector<bitnet_token>;
    CHECK(guess({1, 2, 3, 4, 5, 1, 2}, 3) == Tokens{3, 4, 5});
    CHECK(guess({1, 2, 3, 9, 1, 2, 4, 9, 1, 2}, 2) == Tokens{4, 9});           // the later of two
    CHECK(guess({7, 1, 2, 3, 9, 8, 1, 2, 4, 9, 7, 1, 2}, 2) == Tokens{3, 9});  // the longer match before the later one
    CHECK(guess({1, 2, 3, 1, 2}, 7) == Tokens{3, 1, 2, 3, 1, 2, 3});           // goes round
    CHECK(guess({5, 5, 5}, 4) == Tokens{5, 5, 5, 5});
    CHECK(guess({1, 2, 3, 4, 2}, 3).empty());  // one token alike is too few
    CHECK(guess({1, 2, 3, 4}, 3).empty());
    CHECK(guess({1}, 3).empty());
    CHECK(guess({}, 3).empty());
}

TEST_CASE("a lookup is never given more than it has room for") {
    DraftLookup lookup(4);
    for (int i = 0; i < 100; ++i) lookup.add(i % 2);
    CHECK(lookup.size() == 4);
    std::array<bitnet_token, 2> out{};
    CHECK(lookup.guess(out) == 2);
    CHECK(out == std::array<bitnet_token, 2>{0, 1});
}

TEST_CASE("what a lookup guesses always followed what it matched, however many tokens share a slot") {
    std::mt19937 random(1);
    for (const uint32_t n_kinds : {1u, 2u, 50u, 100000u}) {
        const size_t n = 200000;
        DraftLookup lookup(n);
        std::vector<bitnet_token> text;
        for (size_t i = 0; i < n; ++i) {
            text.push_back(static_cast<bitnet_token>(random() % n_kinds));
            lookup.add(text.back());
            if (i % 1000 != 999) continue;
            std::array<bitnet_token, 1> out{};
            if (lookup.guess(out) == 0) continue;
            bool found = false;
            for (size_t at = 2; at < text.size() && !found; ++at) {
                found = text[at] == out[0] && text[at - 1] == text[i] && text[at - 2] == text[i - 1];
            }
            CHECK(found);
        }
    }
}

TEST_CASE("guesses grow while they are right and pause while they are wrong") {
    DraftLength length(16);
    int32_t n = length.next();
    for (int i = 0; i < 4; ++i) length.learn(n, n), n = length.next();
    CHECK(n == 16);
    length.learn(16, 5);
    CHECK(length.next() == 6);
    int n_passes = 0, n_tried = 0;
    for (; n_passes < 100; ++n_passes) {
        const int32_t now = length.next();
        CHECK(now <= 6);
        if (now == 0) continue;
        ++n_tried;
        length.learn(now, 0);
    }
    CHECK(n_tried < 20);
    CHECK(n_tried > 5);
    CHECK(DraftLength(2).next() == 2);
}
