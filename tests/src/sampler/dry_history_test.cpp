// DRY against the plain method: for every place of the window, compare backwards token by token.
#include "src/sampler/dry_history.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "src/sampler/rng.h"

using namespace bitnet;

namespace {

using Tokens = std::vector<bitnet_token>;
constexpr float kInf = std::numeric_limits<float>::infinity();

DryConfig dry(float multiplier, Tokens breakers = {}) {
    DryConfig config;
    config.multiplier = multiplier;
    config.breakers = std::move(breakers);
    return config;
}

DryHistory filled(const DryConfig& config, const Tokens& tokens) {
    DryHistory history(config);
    for (const bitnet_token token : tokens) {
        history.reserve_one();
        history.add(token);
    }
    return history;
}

std::vector<float> applied(const DryConfig& config, const Tokens& tokens, std::vector<float> logits) {
    DryHistory history = filled(config, tokens);
    history.apply(logits.data(), logits.size());
    return logits;
}

// The definition of bitnet.h in quadratic time: token -> length of the longest repetition it would go on with.
std::map<bitnet_token, int> longest_repetitions(const DryConfig& config, Tokens tokens) {
    const auto is_breaker = [&](bitnet_token token) {
        return std::find(config.breakers.begin(), config.breakers.end(), token) != config.breakers.end();
    };
    const auto last_n = static_cast<size_t>(config.last_n);
    if (tokens.size() > last_n) tokens.erase(tokens.begin(), tokens.end() - config.last_n);
    std::map<bitnet_token, int> longest;
    const int n = static_cast<int>(tokens.size());
    for (int end = 0; end + 1 < n; ++end) {
        int length = 0;
        while (end - length >= 0 &&
               tokens[static_cast<size_t>(end - length)] == tokens[static_cast<size_t>(n - 1 - length)] &&
               !is_breaker(tokens[static_cast<size_t>(n - 1 - length)]))
            ++length;
        const bitnet_token next = tokens[static_cast<size_t>(end + 1)];
        if (length < config.allowed_length || is_breaker(next)) continue;
        longest[next] = std::max(longest[next], length);
    }
    return longest;
}

}  // namespace

TEST_CASE("DRY weakens the token that would go on with a repetition, by the repetition's length") {
    // 1 2 3 4 ... 1 2 3: token 4 would make it four. multiplier * base^(3 - 2).
    const std::vector<float> out = applied(dry(0.5f), {1, 2, 3, 4, 9, 1, 2, 3}, std::vector<float>(10, 2.0f));
    for (size_t i = 0; i < out.size(); ++i) {
        CAPTURE(i);
        CHECK(out[i] == (i == 4 ? 2.0f - 0.5f * 1.75f : 2.0f));
    }
    // A repetition of allowed_length already counts, with the multiplier alone; a shorter one does not.
    CHECK(applied(dry(0.5f), {1, 2, 4, 9, 1, 2}, std::vector<float>(10, 2.0f))[4] == 1.5f);
    CHECK(applied(dry(0.5f), {2, 4, 9, 2}, std::vector<float>(10, 2.0f)) == std::vector<float>(10, 2.0f));
    DryConfig strict = dry(0.5f);
    strict.allowed_length = 1;
    CHECK(applied(strict, {2, 4, 9, 2}, std::vector<float>(10, 2.0f))[4] == 1.5f);
}

TEST_CASE("DRY takes the longest of several repetitions of a token, and overlapping ones count") {
    // After "2 3" once 4, after "1 2 3" once 4, too: the longer one counts.
    CHECK(applied(dry(1), {7, 2, 3, 4, 1, 2, 3, 4, 8, 1, 2, 3}, std::vector<float>(10, 0.0f))[4] == -1.75f);
    // 5 5 5 5 holds "5 5 5" twice, one over the other.
    CHECK(applied(dry(1), {5, 5, 5, 5}, std::vector<float>(10, 0.0f))[5] == -1.75f);
}

TEST_CASE("a breaker ends a repetition and is never weakened itself") {
    const std::vector<float> zeros(10, 0.0f);
    CHECK(applied(dry(1, {1}), {1, 2, 3, 4, 9, 1, 2, 3}, zeros)[4] == -1.0f);  // only "2 3" is left
    CHECK(applied(dry(1, {3}), {1, 2, 3, 4, 9, 1, 2, 3}, zeros) == zeros);     // nothing after the breaker
    CHECK(applied(dry(1, {4}), {1, 2, 3, 4, 9, 1, 2, 3}, zeros) == zeros);
    CHECK(applied(dry(1, {9, 9, 0}), {1, 2, 3, 4, 9, 1, 2, 3}, zeros)[4] == -1.75f);
}

TEST_CASE("DRY equals the plain quadratic method on random texts, with any window and breakers") {
    Pcg32 rng(5);
    for (int round = 0; round < 400; ++round) {
        DryConfig config = dry(0.25f + static_cast<float>(rng.next_unit()));
        config.base = 1 + static_cast<float>(rng.next_unit());
        config.allowed_length = 1 + static_cast<int32_t>(rng.next_u32() % 4);
        config.last_n = static_cast<int32_t>(rng.next_u32() % 70);
        const uint32_t n_kinds = 2 + rng.next_u32() % 4;  // few kinds of tokens: many repetitions
        if (round % 3 == 0) config.breakers = {static_cast<bitnet_token>(rng.next_u32() % n_kinds)};
        Tokens tokens(rng.next_u32() % 100);
        for (bitnet_token& token : tokens) token = static_cast<bitnet_token>(rng.next_u32() % n_kinds);
        std::vector<float> logits(n_kinds);
        for (float& logit : logits) logit = static_cast<float>(rng.next_unit() * 8 - 4);
        const std::vector<float> out = applied(config, tokens, logits);
        const std::map<bitnet_token, int> longest = longest_repetitions(config, tokens);
        for (size_t i = 0; i < logits.size(); ++i) {
            const auto found = longest.find(static_cast<bitnet_token>(i));
            double expected = static_cast<double>(logits[i]);
            if (found != longest.end())
                expected -= static_cast<double>(config.multiplier) *
                            std::pow(static_cast<double>(config.base), found->second - config.allowed_length);
            CAPTURE(round);
            CHECK(out[i] == doctest::Approx(expected).epsilon(1e-6));
        }
    }
}

TEST_CASE("one history that is asked after every token gives what a fresh one gives") {
    Pcg32 rng(6);
    DryConfig config = dry(1, {3});
    config.last_n = 40;
    DryHistory history(config);
    Tokens tokens;
    for (int i = 0; i < 300; ++i) {
        const std::vector<float> logits = {1, 2, 3, 4};
        std::vector<float> out = logits;
        history.apply(out.data(), out.size());
        CHECK(out == applied(config, tokens, logits));
        tokens.push_back(static_cast<bitnet_token>(rng.next_u32() % 4));
        history.reserve_one();
        history.add(tokens.back());
    }
    history.clear();
    CHECK(history.empty());
    std::vector<float> out = {1, 2, 3, 4};
    history.apply(out.data(), out.size());
    CHECK(out == std::vector<float>{1, 2, 3, 4});
}

TEST_CASE("DRY keeps finite logits finite, forbidden ones forbidden, and tokens outside the vocabulary out") {
    DryConfig config = dry(FLT_MAX);
    config.base = FLT_MAX;
    const Tokens repeated(600, 1);
    CHECK(applied(config, repeated, {FLT_MAX, FLT_MAX, 0})[1] == -FLT_MAX);
    CHECK(applied(config, repeated, {0, -kInf})[1] == -kInf);
    CHECK(applied(config, repeated, {5}) == std::vector<float>{5});
    config.multiplier = FLT_TRUE_MIN;
    config.base = 1;
    CHECK(applied(config, repeated, {0, 7})[1] == 7);
}

TEST_CASE("DRY that is off, or has no window, keeps nothing") {
    DryConfig no_window = dry(1);
    no_window.last_n = 0;
    for (const DryConfig& config : {dry(0), no_window}) {
        CHECK(filled(config, {1, 1, 1, 1, 1}).empty());
        CHECK(applied(config, {1, 1, 1, 1, 1}, {0, 0}) == std::vector<float>{0, 0});
    }
}

TEST_CASE("the worst text for comparing takes linear time") {
    // One million equal tokens: a quadratic method would take hours.
    DryConfig config = dry(1);
    config.last_n = DryHistory::kMostTokens;
    CHECK(applied(config, Tokens(DryHistory::kMostTokens + 5, 0), {0, 0})[0] == -FLT_MAX);
}
