// XTC, DRY, dynamic temperature, top-n-sigma and mirostat inside the sampler: where they run, what they take from the
// generator, that they are off by default, and that a seed repeats them.
#include <doctest/doctest.h>

#include <cfloat>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "src/base/error.h"
#include "src/sampler/sampler.h"

using namespace bitnet;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kLn2 = 0.69314718f;
using Tokens = std::vector<bitnet_token>;
using Change = std::function<void(SamplerConfig&)>;

SamplerConfig plain(float temperature = 1, uint64_t seed = 7) {
    SamplerConfig config;
    config.temperature = temperature;
    config.top_k = 0;
    config.top_p = 1;
    config.has_seed = true;
    config.seed = seed;
    return config;
}

Sampler with(const Change& change, float temperature = 1) {
    SamplerConfig config = plain(temperature);
    change(config);
    return Sampler(config);
}

bitnet_token pick(Sampler& sampler, const std::vector<float>& logits) {
    return sampler.sample(logits.data(), logits.size());
}

std::vector<float> probabilities(Sampler& sampler, const std::vector<float>& logits) {
    std::vector<float> out(logits.size());
    sampler.probabilities(logits.data(), logits.size(), out.data());
    return out;
}

std::vector<float> row(int i, size_t n = 120) {
    Pcg32 rng(static_cast<uint64_t>(i) + 1);
    std::vector<float> logits(n);
    for (float& logit : logits) logit = static_cast<float>(rng.next_unit() * 6);
    return logits;
}

Tokens text(Sampler& sampler, int n) {
    Tokens tokens;
    for (int i = 0; i < n; ++i) tokens.push_back(pick(sampler, row(i)));
    return tokens;
}

// Every new step switched on.
const std::vector<Change> kSteps = {
    [](SamplerConfig& c) { c.xtc_probability = 0.5f; },
    [](SamplerConfig& c) { c.dry.multiplier = 0.8f, c.dry.allowed_length = 1; },
    [](SamplerConfig& c) { c.dynatemp_range = 0.5f; },
    [](SamplerConfig& c) { c.top_n_sigma = 1; },
    [](SamplerConfig& c) { c.mirostat.algorithm = 1; },
    [](SamplerConfig& c) { c.mirostat.algorithm = 2; },
    [](SamplerConfig& c) {
        c.xtc_probability = 0.3f, c.dry.multiplier = 1, c.dynatemp_range = 0.2f, c.top_n_sigma = 2, c.top_k = 30;
        c.top_p = 0.95f, c.min_p = 0.01f, c.typical_p = 0.9f, c.repetition_penalty = 1.1f;
    },
};

std::string refused_name(const Change& change) {
    SamplerConfig config = plain();
    change(config);
    try {
        Sampler sampler(config);
    } catch (const Error& error) {
        CHECK(error.status() == BITNET_E_CONFIG);
        CHECK(error.message().find(error.subject()) != std::string::npos);
        return error.subject();
    }
    return "";
}

}  // namespace

TEST_CASE("by default every new step is off, and its other parameters then change nothing") {
    Sampler before = with([](SamplerConfig&) {});
    Sampler idle = with([](SamplerConfig& c) {
        c.xtc_threshold = 0, c.dry.base = 3, c.dry.allowed_length = 1, c.dry.last_n = 5, c.dry.breakers = {1, 2};
        c.dynatemp_exponent = 9, c.mirostat.tau = 0.1f, c.mirostat.eta = 0.9f;
    });
    CHECK(text(before, 60) == text(idle, 60));
    const SamplerConfig config;
    CHECK(config.xtc_probability == 0);
    CHECK(config.dry.multiplier == 0);
    CHECK(config.dynatemp_range == 0);
    CHECK(config.top_n_sigma == 0);
    CHECK(config.mirostat.algorithm == 0);
}

TEST_CASE("each new step changes the text, a seed repeats it, and a reset begins it again") {
    Sampler off = with([](SamplerConfig&) {});
    const Tokens without = text(off, 60);
    for (size_t i = 0; i < kSteps.size(); ++i) {
        CAPTURE(i);
        Sampler sampler = with(kSteps[i]), again = with(kSteps[i]);
        const Tokens first = text(sampler, 60);
        CHECK(first != without);
        CHECK(text(again, 60) == first);
        CHECK(text(sampler, 60) != first);  // DRY's window and mu go on; the generator does anyway
        sampler.reset();
        CHECK(text(sampler, 60) == first);
    }
}

TEST_CASE("greedy ignores the new filters but not DRY") {
    Sampler filtered = with(
        [](SamplerConfig& c) {
            c.xtc_probability = 1, c.xtc_threshold = 0, c.dynatemp_range = 5, c.top_n_sigma = 0.01f,
            c.mirostat.algorithm = 2;
        },
        0);
    for (int i = 0; i < 20; ++i) CHECK(pick(filtered, {1, 5, 5, 2}) == 1);
    Sampler dry = with([](SamplerConfig& c) { c.dry.multiplier = 10; }, 0);
    const std::vector<float> logits = {0, 3, 2, 1};
    // 1 1 1: "1 1" went on with 1 once, so another 1 loses 10. Then 2, and nothing is repeated.
    CHECK(Tokens{pick(dry, logits), pick(dry, logits), pick(dry, logits), pick(dry, logits), pick(dry, logits)} ==
          Tokens{1, 1, 1, 2, 1});
}

TEST_CASE("DRY runs after bias and penalties and hears of accepted tokens") {
    Sampler sampler = with([](SamplerConfig& c) {
        c.dry.multiplier = 1, c.presence_penalty = 0.5f, c.logit_bias = {{3, 2.0f}};
    });
    for (const bitnet_token token : {1, 2, 3, 0, 1, 2}) sampler.accept(token);
    const std::vector<float> p = probabilities(sampler, {0, 0, 0, 0, 0});
    CHECK(p[3] / p[4] == doctest::Approx(std::exp(2.0 - 0.5 - 1)));
    CHECK(p[0] / p[4] == doctest::Approx(std::exp(-0.5)));
}

TEST_CASE("XTC takes one draw before that of the token, and probabilities() knows what it will say") {
    // With certainty: the better of two equally probable tokens never comes.
    Sampler always = with([](SamplerConfig& c) { c.xtc_probability = 1; });
    Sampler half = with([](SamplerConfig& c) { c.xtc_probability = 0.5f; });
    Pcg32 rng(7);
    int n_excluded = 0;
    const std::vector<float> logits = {2 * kLn2, kLn2, -20};
    for (int i = 0; i < 400; ++i) {
        CHECK(pick(always, logits) == 1);
        const bool excluded = rng.next_unit() < 0.5;
        const double u = rng.next_unit();
        n_excluded += excluded ? 1 : 0;
        const std::vector<float> p = probabilities(half, logits);
        CHECK((p[0] == 0) == excluded);
        CHECK(pick(half, logits) == (excluded || u >= 2.0 / 3 ? 1 : 0));
    }
    CHECK(n_excluded > 150);
    CHECK(n_excluded < 250);
}

TEST_CASE("XTC sees the probabilities that the filters before it left") {
    // 1/2, 1/4, 1/8, 1/8; of the two best alone 2/3 and 1/3.
    const std::vector<float> logits = {3 * kLn2, 2 * kLn2, kLn2, kLn2};
    Sampler all = with([](SamplerConfig& c) { c.xtc_probability = 1, c.xtc_threshold = 0.3f; });
    CHECK(probabilities(all, logits)[0] > 0);
    Sampler two = with([](SamplerConfig& c) { c.xtc_probability = 1, c.xtc_threshold = 0.3f, c.top_k = 2; });
    CHECK(probabilities(two, logits) == std::vector<float>{0, 1, 0, 0});
}

TEST_CASE("top-n-sigma runs before top-k, and dynamic temperature looks at what top-k left") {
    const std::vector<float> logits = {4, 3.5f, 3, -9, -9};
    Sampler sigma = with([](SamplerConfig& c) { c.top_n_sigma = 0.1f, c.top_k = 2; });  // deviation 6.1
    CHECK(probabilities(sigma, logits)[1] > 0);
    Sampler narrow = with([](SamplerConfig& c) { c.top_n_sigma = 0.05f, c.top_k = 2; });
    CHECK(probabilities(narrow, logits) == std::vector<float>{1, 0, 0, 0, 0});
    Sampler one = with([](SamplerConfig& c) { c.dynatemp_range = 0.5f, c.top_k = 2; });
    const std::vector<float> p = probabilities(one, {2, 2, 0, 0, 0});
    CHECK(p[0] == 0.5f);
    // Two of an even distribution: full entropy, temperature 1.5.
    Sampler even = with([](SamplerConfig& c) { c.dynatemp_range = 0.5f; });
    const std::vector<float> q = probabilities(even, std::vector<float>(4, 3.0f));
    CHECK(q == std::vector<float>(4, 0.25f));
}

TEST_CASE("mirostat takes the place of the other filters") {
    for (const int32_t algorithm : {1, 2}) {
        Sampler alone = with([=](SamplerConfig& c) { c.mirostat.algorithm = algorithm; });
        Sampler beside = with([=](SamplerConfig& c) {
            c.mirostat.algorithm = algorithm;
            c.top_k = 1, c.top_p = 0, c.typical_p = 0, c.min_p = 1, c.top_n_sigma = 0.01f, c.xtc_probability = 1;
        });
        CHECK(text(alone, 60) == text(beside, 60));
    }
}

TEST_CASE("probabilities() shows mirostat's present choice and does not move it") {
    Sampler asked = with([](SamplerConfig& c) { c.mirostat.algorithm = 2; });
    Sampler silent = with([](SamplerConfig& c) { c.mirostat.algorithm = 2; });
    for (int i = 0; i < 40; ++i) {
        const std::vector<float> p = probabilities(asked, row(i));
        const bitnet_token token = pick(asked, row(i));
        CHECK(p[static_cast<size_t>(token)] > 0);
        CHECK(pick(silent, row(i)) == token);
    }
}

TEST_CASE("NaN, infinities and empty rows are as safe as with the older steps, and cost the same draws") {
    const std::vector<std::vector<float>> rows = {
        {kNan, kNan}, {-kInf}, {kInf, kNan, 1}, {kInf, kInf, -kInf}, {FLT_MAX, -FLT_MAX}, {kNan, 2, kNan}, {0}};
    for (size_t i = 0; i < kSteps.size(); ++i) {
        CAPTURE(i);
        Sampler sampler = with(kSteps[i]);
        for (int round = 0; round < 20; ++round) {
            for (const std::vector<float>& logits : rows) {
                const bitnet_token token = pick(sampler, logits);
                REQUIRE(token >= 0);
                REQUIRE(static_cast<size_t>(token) < logits.size());
                bool some_finite = false;
                for (const float logit : logits) some_finite = some_finite || logit > -kInf;
                CHECK((!some_finite || logits[static_cast<size_t>(token)] > -kInf));
                double sum = 0;
                for (const float p : probabilities(sampler, logits)) sum += static_cast<double>(p);
                CHECK(sum == doctest::Approx(1));
            }
        }
    }
    // Whatever the logits hold, a sample takes the same draws.
    for (const Change& change : {kSteps[0], kSteps[3]}) {
        Sampler straight = with(change), detour = with(change);
        (void)pick(straight, row(0));
        (void)pick(detour, {kNan, kNan});
        CHECK(text(straight, 20) == text(detour, 20));
    }
}

TEST_CASE("the new parameters are refused by name outside of their ranges") {
    for (const float bad : {kNan, kInf, -kInf, -0.001f}) {
        CAPTURE(bad);
        CHECK(refused_name([=](SamplerConfig& c) { c.xtc_probability = bad; }) == "xtc_probability");
        CHECK(refused_name([=](SamplerConfig& c) { c.xtc_threshold = bad; }) == "xtc_threshold");
        CHECK(refused_name([=](SamplerConfig& c) { c.dry.multiplier = bad; }) == "dry_multiplier");
        CHECK(refused_name([=](SamplerConfig& c) { c.dry.base = bad; }) == "dry_base");
        CHECK(refused_name([=](SamplerConfig& c) { c.dynatemp_range = bad; }) == "dynatemp_range");
        CHECK(refused_name([=](SamplerConfig& c) { c.dynatemp_exponent = bad; }) == "dynatemp_exponent");
        CHECK(refused_name([=](SamplerConfig& c) { c.top_n_sigma = bad; }) == "top_n_sigma");
        CHECK(refused_name([=](SamplerConfig& c) { c.mirostat.tau = bad; }) == "mirostat_tau");
        CHECK(refused_name([=](SamplerConfig& c) { c.mirostat.eta = bad; }) == "mirostat_eta");
    }
    CHECK(refused_name([](SamplerConfig& c) { c.xtc_probability = 1.001f; }) == "xtc_probability");
    CHECK(refused_name([](SamplerConfig& c) { c.xtc_threshold = 1.001f; }) == "xtc_threshold");
    CHECK(refused_name([](SamplerConfig& c) { c.dry.base = 0.999f; }) == "dry_base");
    CHECK(refused_name([](SamplerConfig& c) { c.dry.allowed_length = 0; }) == "dry_allowed_length");
    CHECK(refused_name([](SamplerConfig& c) { c.dry.last_n = -1; }) == "dry_penalty_last_n");
    CHECK(refused_name([](SamplerConfig& c) { c.dry.last_n = (1 << 20) + 1; }) == "dry_penalty_last_n");
    CHECK(refused_name([](SamplerConfig& c) { c.dry.breakers = {4, -1}; }) == "dry_breakers[1]");
    CHECK(refused_name([](SamplerConfig& c) { c.dynatemp_exponent = 0; }) == "dynatemp_exponent");
    for (const int32_t bad : {-1, 3, 2147483647})
        CHECK(refused_name([=](SamplerConfig& c) { c.mirostat.algorithm = bad; }) == "mirostat");
    CHECK(refused_name([](SamplerConfig& c) {
              c.xtc_probability = c.xtc_threshold = 1, c.dry.multiplier = c.dry.base = FLT_MAX, c.dry.last_n = 1 << 20;
              c.dry.allowed_length = 2147483647, c.dynatemp_range = c.dynatemp_exponent = c.top_n_sigma = FLT_MAX;
              c.mirostat = {1, FLT_MAX, FLT_MAX};
          }) == "");
}

TEST_CASE("with the newer steps, too, a seed gives the same tokens for ever") {
    // The lists come from a separate program (double precision, Python). Changing them breaks every seed people saved.
    const std::vector<bitnet_token> filtered = {53, 8,  74, 10, 91, 29, 55, 86, 15, 41, 15, 93, 27, 60, 29, 36,
                                                67, 29, 74, 93, 86, 10, 74, 1,  27, 34, 98, 74, 34, 46, 1,  67,
                                                96, 6,  10, 10, 41, 48, 36, 74, 36, 15, 27, 72, 98, 41, 46, 29};
    const std::vector<bitnet_token> first = {74, 93, 93, 93, 48, 55, 67, 36, 93, 48, 74, 55, 93, 36, 10, 29,
                                             74, 29, 48, 74, 29, 74, 74, 10, 10, 48, 74, 29, 10, 55, 29, 36,
                                             36, 74, 67, 55, 93, 36, 22, 55, 55, 29, 10, 36, 3,  55, 67, 29};
    const std::vector<bitnet_token> second = {60, 67, 67, 74, 86, 29, 93, 29, 55, 74, 55, 29, 67, 10, 36, 48,
                                              36, 55, 74, 55, 55, 55, 36, 29, 29, 74, 48, 55, 36, 29, 55, 3,
                                              10, 36, 93, 29, 55, 10, 93, 29, 29, 48, 36, 10, 74, 29, 93, 74};
    std::vector<float> logits(100);
    for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>((i * 37 + 11) % 64) * 0.125f;
    const auto drawn = [&](const Change& change) {
        SamplerConfig config = plain(1, 42);
        change(config);
        Sampler sampler(config);
        Tokens tokens;
        for (int i = 0; i < 48; ++i) tokens.push_back(pick(sampler, logits));
        return tokens;
    };
    CHECK(drawn([](SamplerConfig& c) {
              c.dry = {0.75f, 1.5f, 1, 30, {5}};
              c.top_n_sigma = 1.5f, c.top_k = 40, c.dynatemp_range = 0.5f, c.dynatemp_exponent = 1.25f;
              c.top_p = 0.953125f, c.min_p = 0.0625f, c.xtc_probability = 0.5f, c.xtc_threshold = 0.0625f;
          }) == filtered);
    CHECK(drawn([](SamplerConfig& c) { c.temperature = 1.5f, c.mirostat = {1, 3, 0.25f}; }) == first);
    CHECK(drawn([](SamplerConfig& c) { c.temperature = 1.5f, c.mirostat = {2, 3, 0.25f}; }) == second);
}
