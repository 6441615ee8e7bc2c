// Guesses how a text goes on: the way it went on at the last place that ends alike (prompt lookup decoding, Saxena 2023).
// Knows no model. A guess never decides anything, so the tables may forget: they are bounded, and what a token costs does not
// depend on the text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bitnet.h"

namespace bitnet {

class DraftLookup {
public:
    static constexpr size_t kShortest = 2, kLongest = 8;  // tokens that must be alike; longer matches come first

    // n_most: tokens that it will ever be given. Takes all its memory here.
    explicit DraftLookup(size_t n_most);
    // The text has one more token; beyond n_most it is not seen.
    void add(bitnet_token token) noexcept;
    size_t size() const noexcept { return tokens_.size(); }
    // Fills out from the front and returns how many tokens it holds: all, or none where nothing ends alike.
    size_t guess(std::span<bitnet_token> out) const noexcept;

private:
    static constexpr size_t kLengths = kLongest - kShortest + 1;
    static constexpr size_t kMostSlots = size_t{1} << 16;

    size_t slot(size_t length, uint64_t hash) const noexcept;
    bool alike(size_t a, size_t b, size_t length) const noexcept;

    std::vector<bitnet_token> tokens_;
    // Per length: where the token lies that followed the last place with this hash; 0: none.
    std::array<std::vector<uint32_t>, kLengths> follower_;
    size_t mask_ = 0;
    size_t n_most_ = 0;
};

// How many tokens are worth guessing, from how the guesses before went: a pass over some tokens costs little more than over
// one, over many it does.
class DraftLength {
public:
    explicit DraftLength(int32_t most) noexcept : most_(most), length_(most < kFirst ? most : kFirst) {}
    // For the next pass, where there is something to guess; 0: none this time.
    int32_t next() noexcept;
    // A pass over that many guesses found so many right.
    void learn(int32_t n_guessed, int32_t n_right) noexcept;

private:
    static constexpr int32_t kFirst = 3;
    static constexpr int32_t kLongestPause = 8;  // passes

    int32_t most_;
    int32_t length_;
    int32_t n_wrong_ = 0;  // guesses in a row of which nothing was right
    int32_t pause_ = 0;
};

}  // namespace bitnet
