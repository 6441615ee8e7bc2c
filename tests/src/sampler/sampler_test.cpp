// The sampler as a whole: order of the steps, the rules for NaN and ties, seeds, the distribution of its draws.
#include "src/sampler/sampler.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <vector>

#include "src/base/error.h"

using bitnet::Error;
using bitnet::Sampler;
using bitnet::SamplerConfig;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

SamplerConfig plain(float temperature, uint64_t seed) {
    SamplerConfig config;
    config.temperature = temperature;
    config.top_k = 0;
    config.top_p = 1;
    config.has_seed = true;
    config.seed = seed;
    return config;
}

bitnet_token pick(Sampler& sampler, const std::vector<float>& logits) {
    return sampler.sample(logits.data(), logits.size());
}

std::vector<float> probabilities(Sampler& sampler, const std::vector<float>& logits) {
    std::vector<float> p(logits.size(), -1.0f);
    sampler.probabilities(logits.data(), logits.size(), p.data());
    return p;
}

double sum(const std::vector<float>& values) {
    double total = 0;
    for (const float value : values) total += value;
    return total;
}

std::vector<float> wavy_logits(size_t n) {
    std::vector<float> logits(n);
    for (size_t i = 0; i < n; ++i) logits[i] = static_cast<float>((i * 37 + 11) % 64) * 0.125f;
    return logits;
}

}  // namespace

TEST_CASE("temperature 0 or less is greedy, with ties to the lowest id") {
    for (const float temperature : {0.0f, -0.0f, -1.0f, -FLT_MAX}) {
        Sampler sampler(plain(temperature, 1));
        CHECK(pick(sampler, {1, 5, 5, 2}) == 1);
        CHECK(pick(sampler, {kNan, 1, kInf, kInf}) == 2);
        CHECK(pick(sampler, {-7}) == 0);
        CHECK(probabilities(sampler, {1, 5, 5, 2}) == std::vector<float>{0, 1, 0, 0});
    }
}

TEST_CASE("when no logit is finite the lowest id that is not forbidden is taken") {
    for (const float temperature : {0.0f, 1.0f}) {
        CAPTURE(temperature);
        for (const float logit : {-kInf, kNan}) {
            SamplerConfig config = plain(temperature, 1);
            const std::vector<float> logits(5, logit);
            Sampler free_choice(config);
            CHECK(pick(free_choice, logits) == 0);
            CHECK(probabilities(free_choice, logits) == std::vector<float>{1, 0, 0, 0, 0});
            config.logit_bias = {{1, -kInf}, {0, -kInf}, {0, -kInf}, {3, -kInf}};
            Sampler limited(config);
            CHECK(pick(limited, logits) == 2);
            CHECK(probabilities(limited, logits) == std::vector<float>{0, 0, 1, 0, 0});
            config.logit_bias = {{0, -kInf}, {1, -kInf}, {2, -kInf}, {3, -kInf}, {4, -kInf}};
            Sampler none(config);
            CHECK(pick(none, logits) == 0);
            CHECK(pick(none, {1, 2, 3, 4, 5}) == 0);
        }
    }
}

TEST_CASE("forbidden tokens are never drawn and biased ones win") {
    SamplerConfig config = plain(1, 3);
    config.logit_bias = {{2, -kInf}, {0, 50}};
    Sampler sampler(config);
    for (int i = 0; i < 200; ++i) CHECK(pick(sampler, {0, 0, 40, 0}) == 0);
    config.temperature = 0;
    Sampler greedy(config);
    CHECK(pick(greedy, {-40, 3, 90, 5}) == 0);
}

TEST_CASE("a vocabulary of one token and a single finite logit leave no choice") {
    Sampler sampler(plain(1, 5));
    CHECK(pick(sampler, {0.25f}) == 0);
    CHECK(pick(sampler, {kNan}) == 0);
    for (int i = 0; i < 50; ++i) CHECK(pick(sampler, {kNan, -kInf, -FLT_MAX, -kInf}) == 2);
    SamplerConfig defaults;
    defaults.has_seed = true;
    defaults.typical_p = 0.5f;
    defaults.min_p = 0.5f;
    Sampler filtered(defaults);
    CHECK(pick(filtered, {-3}) == 0);
}

TEST_CASE("a seed gives the same 64 tokens for ever") {
    // The list comes from a separate program (double precision, Python). Changing it breaks every seed people saved.
    SamplerConfig config;
    config.has_seed = true;
    config.seed = 42;
    config.temperature = 1.25f;
    config.top_k = 40;
    config.top_p = 0.95f;
    config.min_p = 0.01f;
    config.repetition_penalty = 1.1f;
    config.frequency_penalty = 0.05f;
    config.presence_penalty = 0.1f;
    const std::vector<float> logits = wavy_logits(100);
    Sampler sampler(config);
    std::vector<bitnet_token> tokens;
    for (int i = 0; i < 64; ++i) tokens.push_back(pick(sampler, logits));
    const std::vector<bitnet_token> golden = {60, 98, 8,  72, 39, 10, 58, 74, 15, 1,  10, 48, 53, 55, 22, 79,
                                              41, 27, 27, 48, 41, 91, 55, 67, 3,  98, 48, 22, 10, 86, 22, 36,
                                              93, 3,  51, 10, 65, 36, 70, 74, 93, 22, 48, 36, 77, 74, 1,  91,
                                              86, 8,  46, 79, 93, 84, 79, 74, 60, 79, 93, 27, 79, 46, 20, 48};
    CHECK(tokens == golden);
    sampler.reset();
    for (const bitnet_token token : golden) CHECK(pick(sampler, logits) == token);
    Sampler again(config);
    for (const bitnet_token token : golden) CHECK(pick(again, logits) == token);
    CHECK(again.seed() == 42);
}

TEST_CASE("plain draws with a seed are pinned too") {
    // Logits log2-spaced so that p = 1/2, 1/4, 1/8, 1/8: the tokens follow from the published PCG32 output by hand.
    // 0xa15c... / 2^32 = 0.63, 0xba1d... = 0.73, 0xbfa4... = 0.75 minus a little, ...
    const float ln2 = 0.69314718f;
    Sampler sampler(plain(1, 42));
    const std::vector<float> logits = {3 * ln2, 2 * ln2, ln2, ln2};
    CHECK(pick(sampler, logits) == 1);  // u = 0.630
    CHECK(pick(sampler, logits) == 1);  // u = 0.727
    CHECK(pick(sampler, logits) == 1);  // u = 0.7486
}

TEST_CASE("every sample of a sampler that is not greedy takes one draw, whatever the logits hold") {
    const std::vector<float> logits = wavy_logits(50);
    Sampler straight(plain(1, 9));
    Sampler detour(plain(1, 9));
    (void)pick(straight, logits);
    (void)pick(detour, {kNan, kNan});
    (void)probabilities(detour, logits);
    for (int i = 0; i < 20; ++i) CHECK(pick(straight, logits) == pick(detour, logits));
}

TEST_CASE("draws have the distribution that probabilities() states") {
    const float temperatures[] = {0.5f, 1.0f, 2.0f};
    for (const float temperature : temperatures) {
        for (const bool filtered : {false, true}) {
            CAPTURE(temperature);
            CAPTURE(filtered);
            SamplerConfig config = plain(temperature, 1234);
            if (filtered) {
                config.top_k = 12;
                config.top_p = 0.97f;
                config.min_p = 0.005f;
            }
            Sampler sampler(config);
            const std::vector<float> logits = {2, 1, 0, -1, 1.5f, 0.5f, -0.5f, 3, 2.5f, -2, 0.25f, 1.75f, -3, 0, 1, 2};
            const std::vector<float> p = probabilities(sampler, logits);
            CHECK(std::fabs(sum(p) - 1) < 1e-6);
            constexpr int kDraws = 40000;
            std::vector<int> counts(logits.size());
            for (int i = 0; i < kDraws; ++i) ++counts[static_cast<size_t>(pick(sampler, logits))];
            double chi_square = 0;
            int cells = 0;
            for (size_t i = 0; i < logits.size(); ++i) {
                if (p[i] == 0) CHECK(counts[i] == 0);
                const double expected = kDraws * static_cast<double>(p[i]);
                if (expected < 5) continue;
                chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
                ++cells;
            }
            CHECK(cells >= 5);
            CHECK(chi_square < 37.7);  // p = 0.001 at 15 degrees of freedom, the most there can be
        }
    }
}

TEST_CASE("filters work in the promised order: top-p sees what top-k left, min-p what top-p left") {
    const float ln2 = 0.69314718f;
    const std::vector<float> logits = {0, 3 * ln2, ln2, 2 * ln2};  // weights 1, 8, 2, 4
    SamplerConfig config = plain(1, 1);
    config.top_k = 2;      // 8, 4
    config.top_p = 0.66f;  // 8/12 reaches it; of all four 8/15 would not
    Sampler first(config);
    CHECK(probabilities(first, logits) == std::vector<float>{0, 1, 0, 0});
    config.top_p = 0.67f;
    Sampler second(config);
    const std::vector<float> two = probabilities(second, logits);
    CHECK(two[0] == 0);
    CHECK(two[2] == 0);
    CHECK(two[1] == doctest::Approx(2.0 / 3));
    CHECK(two[3] == doctest::Approx(1.0 / 3));
    config.min_p = 0.51f;
    Sampler third(config);
    CHECK(probabilities(third, logits) == std::vector<float>{0, 1, 0, 0});
}

TEST_CASE("temperature comes after bias and penalties") {
    SamplerConfig config = plain(2, 1);
    config.logit_bias = {{1, 2}};
    config.presence_penalty = 1;
    Sampler sampler(config);
    sampler.accept(0);
    const std::vector<float> p = probabilities(sampler, {1, 0});
    // (1 - 1) / 2 against (0 + 2) / 2: a difference of 1.
    CHECK(p[1] / p[0] == doctest::Approx(std::exp(1.0)));
}

TEST_CASE("penalties follow the window: what leaves it is forgiven") {
    SamplerConfig config = plain(0, 1);
    config.repetition_penalty = 4;
    config.penalty_last_n = 2;
    Sampler sampler(config);
    const std::vector<float> logits = {8, 7, 6, 5};
    const std::vector<bitnet_token> expected = {0, 1, 2, 0, 1, 2};  // the two before are always weakened
    for (const bitnet_token token : expected) CHECK(pick(sampler, logits) == token);
    sampler.reset();
    for (const bitnet_token token : expected) CHECK(pick(sampler, logits) == token);
}

TEST_CASE("accepted tokens of a prompt are penalised, and a window of 0 or -1 means none or all") {
    const std::vector<float> logits = {8, 7.5f, 1};
    for (const int32_t last_n : {0, 1, 2, 3, -1}) {
        CAPTURE(last_n);
        SamplerConfig config = plain(0, 1);
        config.presence_penalty = 1;
        config.penalty_last_n = last_n;
        Sampler sampler(config);
        for (const bitnet_token token : {0, 2, 2}) sampler.accept(token);
        CHECK(pick(sampler, logits) == (last_n == 3 || last_n == -1 ? 1 : 0));
    }
}

TEST_CASE("frequency counts every occurrence") {
    SamplerConfig config = plain(0, 1);
    config.frequency_penalty = 0.5f;
    Sampler sampler(config);
    const std::vector<float> logits = {3, 2};
    // 3, 2.5, 2 (tie: lowest id), then 1.5 against 2.
    const std::vector<bitnet_token> expected = {0, 0, 0, 1, 0};
    for (const bitnet_token token : expected) CHECK(pick(sampler, logits) == token);
}

TEST_CASE("extreme temperatures: nearly 0 is greedy, huge is even") {
    const std::vector<float> logits = {1, 1.5f, -2, 1.25f};
    Sampler cold(plain(1e-6f, 2));
    for (int i = 0; i < 100; ++i) CHECK(pick(cold, logits) == 1);
    Sampler hot(plain(1e6f, 2));
    for (const float p : probabilities(hot, logits)) CHECK(p == doctest::Approx(0.25).epsilon(1e-5));
    Sampler coldest(plain(1e-45f, 2));
    CHECK(probabilities(coldest, {kInf, 5, kInf}) == std::vector<float>{0.5f, 0, 0.5f});
}

TEST_CASE("top_k beyond the vocabulary changes only the order of candidates, not their probabilities") {
    const std::vector<float> logits = wavy_logits(30);
    SamplerConfig config = plain(1, 1);
    Sampler off(config);
    config.top_k = 1000000;
    Sampler beyond(config);
    const std::vector<float> a = probabilities(off, logits);
    const std::vector<float> b = probabilities(beyond, logits);
    for (size_t i = 0; i < logits.size(); ++i) CHECK(a[i] == doctest::Approx(b[i]).epsilon(1e-6));
    config.top_k = 1;
    Sampler one(config);
    Sampler greedy(plain(0, 1));
    for (int i = 0; i < 5; ++i) CHECK(pick(one, logits) == pick(greedy, logits));
}

TEST_CASE("probabilities may be written over the logits and sum to 1 for a large vocabulary") {
    std::vector<float> logits(128256);
    bitnet::Pcg32 rng(3);
    for (float& logit : logits) logit = static_cast<float>(rng.next_unit() * 20 - 10);
    for (const float top_p : {1.0f, 0.9f}) {
        for (const float typical_p : {1.0f, 0.8f}) {
            SamplerConfig config = plain(1, 1);
            config.top_p = top_p;
            config.typical_p = typical_p;
            Sampler sampler(config);
            std::vector<float> p = logits;
            sampler.probabilities(p.data(), p.size(), p.data());
            CHECK(std::fabs(sum(p) - 1) < 1e-5);
            CHECK(p == probabilities(sampler, logits));
        }
    }
}

TEST_CASE("a vocabulary that changes its size between calls is no problem") {
    SamplerConfig config = plain(0, 1);
    config.repetition_penalty = 2;
    Sampler sampler(config);
    sampler.accept(999);
    CHECK(pick(sampler, {1, 2, 3}) == 2);
    CHECK(pick(sampler, {1, 9}) == 1);
    CHECK(pick(sampler, std::vector<float>(1000, 1.0f)) == 0);
}

TEST_CASE("impossible calls are refused and change nothing") {
    Sampler sampler(plain(1, 4));
    Sampler untouched(plain(1, 4));
    const std::vector<float> logits = wavy_logits(40);
    const auto status_of = [](auto&& call) {
        try {
            call();
        } catch (const Error& error) {
            return error.status();
        }
        return BITNET_OK;
    };
    float out = 7;
    CHECK(status_of([&] { sampler.sample(logits.data(), 0); }) == BITNET_E_ARGUMENT);
    CHECK(status_of([&] { sampler.sample(nullptr, 3); }) == BITNET_E_ARGUMENT);
    CHECK(status_of([&] { sampler.sample(logits.data(), size_t{1} << 31); }) == BITNET_E_ARGUMENT);
    CHECK(status_of([&] { sampler.probabilities(logits.data(), 0, &out); }) == BITNET_E_ARGUMENT);
    CHECK(status_of([&] { sampler.probabilities(logits.data(), 1, nullptr); }) == BITNET_E_ARGUMENT);
    CHECK(status_of([&] { sampler.accept(-1); }) == BITNET_E_TOKEN);
    CHECK(out == 7);
    for (int i = 0; i < 10; ++i) CHECK(pick(sampler, logits) == pick(untouched, logits));
}

TEST_CASE("a row of the best tokens and those that penalties and biases touch draws what all logits draw") {
    const std::vector<float> all = [] {
        std::vector<float> logits = wavy_logits(500);
        logits[3] = kNan, logits[7] = kInf, logits[90] = FLT_MAX, logits[491] = -kInf;
        return logits;
    }();
    for (const float temperature : {0.0f, 0.8f}) {
        for (const int32_t top_k : {1, 6, 40}) {
            SamplerConfig config = plain(temperature, 17);
            config.top_k = top_k;
            config.repetition_penalty = 1.4f;
            config.logit_bias = {{90, -kInf}, {12, 4.0f}, {499, 9.0f}, {700, 1.0f}};
            Sampler whole(config), some(config);
            for (int step = 0; step < 40; ++step) {
                size_t k = 0;
                std::vector<bitnet_token> also;
                REQUIRE(some.needs_only_top(&k, &also));
                std::vector<bitnet::Candidate> best;
                std::vector<float> sanitized(all.size());
                bitnet::sanitize_logits(all.data(), all.size(), sanitized.data());
                bitnet::collect_candidates(sanitized.data(), sanitized.size(), k + also.size(), best);
                std::vector<bitnet_token> tokens = also;
                for (const bitnet::Candidate& one : best) tokens.push_back(one.token);
                std::erase_if(tokens,
                              [&](bitnet_token token) { return token >= static_cast<bitnet_token>(all.size()); });
                std::sort(tokens.begin(), tokens.end());
                tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
                std::vector<float> logits;
                for (const bitnet_token token : tokens) logits.push_back(all[static_cast<size_t>(token)]);
                const bitnet::LogitRow row(logits.data(), tokens.data(), tokens.size(), all.size());
                CHECK(some.sample(row) == pick(whole, all));
            }
        }
    }
    Sampler nobody(plain(0, 1));  // no token of the vocabulary has a logit
    const bitnet_token none = 0;
    CHECK(nobody.sample(bitnet::LogitRow(nullptr, &none, 0, 9)) == 0);
}
