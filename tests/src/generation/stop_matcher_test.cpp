// Stop sequences in text that comes in pieces: against a search over the whole text, for every way to cut it.
#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "src/base/error.h"
#include "src/generation/stop_matcher.h"

namespace {

using bitnet::StopMatcher;

struct Outcome {
    std::string shown;
    int found = -1;
    bool operator==(const Outcome&) const = default;
};

// The plain way: at the first byte where some stop sequence ends, the longest one counts.
Outcome search(const std::string& text, const std::vector<std::string>& stops) {
    for (size_t end = 1; end <= text.size(); ++end) {
        Outcome outcome;
        size_t longest = 0;
        for (size_t i = 0; i < stops.size(); ++i) {
            const size_t n = stops[i].size();
            if (n > longest && n <= end && text.compare(end - n, n, stops[i]) == 0) {
                longest = n;
                outcome = {text.substr(0, end - n), static_cast<int>(i)};
            }
        }
        if (longest != 0) return outcome;
    }
    return {text, -1};
}

// Feeds the pieces; checks after each that nothing was shown that a later stop sequence could take back.
Outcome feed(const std::vector<std::string>& pieces, const std::vector<std::string>& stops) {
    StopMatcher matcher(stops);
    std::string shown;
    for (const std::string& piece : pieces) {
        if (matcher.feed(piece, shown)) return {shown, matcher.found()};
    }
    matcher.flush(shown);
    return {shown, matcher.found()};
}

std::vector<std::string> bytes_of(const std::string& text) {
    std::vector<std::string> pieces;
    for (const char c : text) pieces.emplace_back(1, c);
    return pieces;
}

bitnet_status status_of(std::vector<std::string> stops) {
    try {
        StopMatcher matcher(std::move(stops));
    } catch (const bitnet::Error& error) {
        return error.status();
    }
    return BITNET_OK;
}

}  // namespace

TEST_CASE("random texts, stops and cuts give what a search over the whole text gives") {
    std::mt19937 rng(7);
    const auto random_text = [&](size_t most) {
        std::string text;
        for (size_t n = 1 + rng() % most; n > 0; --n) text += static_cast<char>('a' + rng() % 2);
        return text;
    };
    for (int round = 0; round < 20000; ++round) {
        const std::string text = random_text(30);
        std::vector<std::string> stops;
        for (size_t n = rng() % 4; n > 0; --n) stops.push_back(random_text(6));
        std::vector<std::string> pieces;
        for (size_t at = 0; at < text.size();) {
            const size_t n = 1 + rng() % 5;
            pieces.push_back(text.substr(at, n));
            at += n;
        }
        CAPTURE(text);
        CHECK(feed(pieces, stops) == search(text, stops));
    }
}

TEST_CASE("what may become a stop sequence is not shown, and shown as soon as it cannot") {
    StopMatcher matcher({"END OF", "\n\n"});
    std::string out;
    CHECK_FALSE(matcher.feed("one E", out));
    CHECK(out == "one ");
    CHECK_FALSE(matcher.feed("ND ", out));
    CHECK(out == "one ");
    CHECK_FALSE(matcher.feed("END", out));
    CHECK(out == "one END ");
    CHECK_FALSE(matcher.feed("\n", out));
    CHECK(out == "one END END");
    CHECK(matcher.feed("\nmore", out));
    CHECK(out == "one END END");
    CHECK(matcher.found() == 1);
}

TEST_CASE("characters are shown whole, and what never completes is shown at the end") {
    const std::string dragon = "\xf0\x9f\x90\x89";
    StopMatcher matcher({"x"});
    std::string out;
    for (size_t i = 0; i < 3; ++i) {
        CHECK_FALSE(matcher.feed(dragon.substr(i, 1), out));
        CHECK(out.empty());
    }
    CHECK_FALSE(matcher.feed(dragon.substr(3), out));
    CHECK(out == dragon);
    CHECK_FALSE(matcher.feed(dragon.substr(0, 2), out));
    matcher.flush(out);
    CHECK(out == dragon + dragon.substr(0, 2));
}

TEST_CASE("a stop sequence may begin inside a character's bytes held back, and end at the very first byte") {
    CHECK(feed(bytes_of("\xc3\xa9t\xc3\xa9!"), {"t\xc3\xa9"}) == Outcome{"\xc3\xa9", 0});
    CHECK(feed({"stop"}, {"stop"}) == Outcome{"", 0});
    CHECK(feed(bytes_of("aaab"), {"aab"}) == Outcome{"a", 0});
    CHECK(feed(bytes_of("xabab"), {"abc", "bab"}) == Outcome{"xa", 1});
    CHECK(feed({"abc"}, {"c", "bc", "abc"}) == Outcome{"", 2});
    CHECK(feed({"abc"}, {}) == Outcome{"abc", -1});
}

TEST_CASE("stop sequences that cannot be are refused") {
    CHECK(status_of({""}) == BITNET_E_CONFIG);
    CHECK(status_of({"a", ""}) == BITNET_E_CONFIG);
    CHECK(status_of({std::string(1024, 'a')}) == BITNET_OK);
    CHECK(status_of({std::string(1025, 'a')}) == BITNET_E_LIMIT);
    CHECK(status_of(std::vector<std::string>(64, "a")) == BITNET_OK);
    CHECK(status_of(std::vector<std::string>(65, "a")) == BITNET_E_LIMIT);
}

TEST_CASE("a megabyte of near misses is read in linear time") {
    // 64 stop sequences of 1024 bytes over a text that nearly is each of them: a search per position would take hours.
    std::vector<std::string> stops;
    for (int i = 0; i < 64; ++i) stops.push_back(std::string(1023, 'a') + static_cast<char>('b' + i % 20));
    const std::string text(1 << 20, 'a');
    const Outcome outcome = feed({text}, stops);
    CHECK(outcome.shown.size() == text.size());
}
