// Top-n-sigma, dynamic temperature, XTC and mirostat against plain references in long double with the C library, written
// from the papers and from bitnet.h, and by hand.
#include "src/sampler/adaptive_steps.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <vector>

#include "src/sampler/rng.h"

using namespace bitnet;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kLn2 = 0.69314718f;
using Tokens = std::vector<bitnet_token>;

std::vector<float> random_logits(size_t n, uint64_t seed, double width = 8) {
    Pcg32 rng(seed);
    std::vector<float> logits(n);
    for (float& logit : logits) logit = static_cast<float>((rng.next_unit() - 0.5) * 2 * width);
    return logits;
}

std::vector<Candidate> weighed(const std::vector<float>& logits, float temperature = 1, size_t k = 0) {
    std::vector<Candidate> candidates;
    collect_candidates(logits.data(), logits.size(), k, candidates);
    weigh(temperature, candidates);
    return candidates;
}

Tokens sorted_tokens(const std::vector<Candidate>& candidates) {
    Tokens tokens;
    for (const Candidate& candidate : candidates) tokens.push_back(candidate.token);
    std::sort(tokens.begin(), tokens.end());
    return tokens;
}

std::vector<long double> reference_softmax(const std::vector<float>& logits, long double temperature) {
    const long double best = *std::max_element(logits.begin(), logits.end());
    std::vector<long double> p;
    long double total = 0;
    for (const float logit : logits) {
        p.push_back(std::exp((static_cast<long double>(logit) - best) / temperature));
        total += p.back();
    }
    for (long double& value : p) value /= total;
    return p;
}

// Ids of the largest values first.
Tokens best_first(const std::vector<float>& values) {
    Tokens order(values.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<bitnet_token>(i);
    std::stable_sort(order.begin(), order.end(), [&](bitnet_token a, bitnet_token b) {
        return values[static_cast<size_t>(a)] > values[static_cast<size_t>(b)];
    });
    return order;
}

}  // namespace

TEST_CASE("top-n-sigma keeps the logits within n standard deviations of the best") {
    // Mean 0, deviation 2: from the best, 3, down to 3 - 2 n.
    const std::vector<float> logits = {3,  -1, 1,
                                       -3, 1,  -1};  // squares 9 1 1 9 1 1 = 22, deviation sqrt(22 / 6) = 1.915
    const auto kept = [&](float n_sigma) {
        std::vector<float> out = logits;
        forbid_below_sigmas(n_sigma, out.data(), out.size());
        Tokens tokens;
        for (size_t i = 0; i < out.size(); ++i) {
            if (out[i] == -kInf) continue;
            CHECK(out[i] == logits[i]);
            tokens.push_back(static_cast<bitnet_token>(i));
        }
        return tokens;
    };
    CHECK(kept(0.01f) == Tokens{0});
    CHECK(kept(1.04f) == Tokens{0});
    CHECK(kept(1.05f) == Tokens{0, 2, 4});
    CHECK(kept(2.08f) == Tokens{0, 2, 4});
    CHECK(kept(2.09f) == Tokens{0, 1, 2, 4, 5});
    CHECK(kept(3.14f) == Tokens{0, 1, 2, 3, 4, 5});
    CHECK(kept(FLT_MAX) == Tokens{0, 1, 2, 3, 4, 5});
}

TEST_CASE("top-n-sigma passes over forbidden logits and never forbids the best") {
    std::vector<float> out = {-kInf, 5, -kInf, 4};
    forbid_below_sigmas(1.5f, out.data(), out.size());  // deviation 0.5 of the two
    CHECK(out == std::vector<float>{-kInf, 5, -kInf, -kInf});
    std::vector<float> equal(5, 2.5f);
    forbid_below_sigmas(1e-30f, equal.data(), equal.size());
    CHECK(equal == std::vector<float>(5, 2.5f));
    std::vector<float> extremes = {FLT_MAX, -FLT_MAX, FLT_MAX};
    forbid_below_sigmas(0.5f, extremes.data(), extremes.size());
    CHECK(extremes == std::vector<float>{FLT_MAX, -kInf, FLT_MAX});
    std::vector<float> none(3, -kInf);
    forbid_below_sigmas(1, none.data(), none.size());
    CHECK(none == std::vector<float>(3, -kInf));
}

TEST_CASE("dynamic temperature follows the normalised entropy") {
    for (const float exponent : {0.5f, 1.0f, 2.5f}) {
        for (uint64_t seed = 0; seed < 10; ++seed) {
            const std::vector<float> logits = random_logits(3 + 40 * seed, seed, 0.5 + static_cast<double>(seed));
            long double entropy = 0;
            for (const long double p : reference_softmax(logits, 1)) entropy -= p * std::log(p);
            const long double share = entropy / std::log(static_cast<long double>(logits.size()));
            for (const float range : {0.25f, 0.75f, 2.0f}) {
                const double low = std::max(0.0, 0.75 - static_cast<double>(range));
                const double high = 0.75 + static_cast<double>(range);
                const double expected =
                    low + (high - low) * static_cast<double>(std::pow(share, static_cast<long double>(exponent)));
                std::vector<Candidate> candidates = weighed(logits, 0.1f);  // earlier weights do not count
                CHECK(dynamic_temperature({0.75f, range, exponent}, candidates) ==
                      doctest::Approx(expected).epsilon(1e-5));
            }
        }
    }
}

TEST_CASE("dynamic temperature reaches its ends and stays a positive finite number") {
    std::vector<Candidate> even = weighed(std::vector<float>(16, 1.0f));
    CHECK(dynamic_temperature({1, 0.5f, 1}, even) == doctest::Approx(1.5));
    std::vector<Candidate> sure = weighed({500, 0, 0});
    CHECK(dynamic_temperature({1, 0.5f, 1}, sure) == 0.5f);
    CHECK(dynamic_temperature({1, 3, 1}, sure) == FLT_MIN);
    std::vector<Candidate> single = weighed({7});
    CHECK(dynamic_temperature({1, 0.5f, 1}, single) == 0.5f);
    CHECK(dynamic_temperature({FLT_MAX, FLT_MAX, 1}, even) == FLT_MAX);
    CHECK(dynamic_temperature({FLT_TRUE_MIN, FLT_TRUE_MIN, FLT_MAX}, even) >= FLT_MIN);
    std::vector<Candidate> extreme = weighed({FLT_MAX, -FLT_MAX, FLT_MAX});
    const float temperature = dynamic_temperature({1, 1, FLT_TRUE_MIN}, extreme);
    CHECK(temperature >= FLT_MIN);
    CHECK(temperature <= 2);
}

TEST_CASE("XTC leaves out all but the least likely of those that reach the threshold") {
    // Probabilities 1/2, 1/4, 1/8, 1/16, 1/16 in mixed order.
    const std::vector<float> logits = {1 * kLn2, 4 * kLn2, 1 * kLn2, 3 * kLn2, 2 * kLn2};
    const auto kept = [&](float threshold, size_t k) {
        std::vector<Candidate> candidates = weighed(logits, 1, k);
        exclude_top_choices(threshold, candidates);
        return sorted_tokens(candidates);
    };
    for (const size_t k : {0, 5}) {  // rising ids, and best first
        CHECK(kept(0.51f, k) == Tokens{0, 1, 2, 3, 4});
        CHECK(kept(0.4f, k) == Tokens{0, 1, 2, 3, 4});  // only one reaches it
        CHECK(kept(0.2f, k) == Tokens{0, 2, 3, 4});
        CHECK(kept(0.1f, k) == Tokens{0, 2, 4});
        CHECK(kept(0.05f, k) == Tokens{2});  // of the two least likely the higher id ranks behind
        CHECK(kept(0, k) == Tokens{2});
        CHECK(kept(1, k) == Tokens{0, 1, 2, 3, 4});
    }
    std::vector<Candidate> single = weighed({3});
    exclude_top_choices(0, single);
    CHECK(sorted_tokens(single) == Tokens{0});
}

TEST_CASE("mirostat 2 keeps what is not more surprising than mu, draws, and moves mu by the error") {
    for (uint64_t seed = 0; seed < 20; ++seed) {
        const float tau = 0.5f + 0.25f * static_cast<float>(seed), eta = 0.2f;
        Mirostat mirostat({2, tau, eta});
        double mu = 2 * static_cast<double>(tau);
        Pcg32 rng(seed);
        for (int step = 0; step < 30; ++step) {
            const std::vector<float> logits = random_logits(200, 1000 * seed + static_cast<uint64_t>(step), 4);
            const std::vector<long double> p = reference_softmax(logits, 0.8L);
            Tokens expected;
            long double mass = 0;
            bool clear = true;  // nothing lies so near to mu that rounding decides
            for (const bitnet_token token : best_first(logits)) {
                const long double surprise = -std::log2(p[static_cast<size_t>(token)]);
                clear = clear && std::fabs(surprise - mu) > 1e-5L;
                if (surprise > mu && !expected.empty()) break;
                expected.push_back(token);
                mass += p[static_cast<size_t>(token)];
            }
            std::vector<Candidate> candidates = weighed(logits, 0.8f);
            mirostat.keep(0.8f, candidates);
            std::sort(expected.begin(), expected.end());
            if (clear) REQUIRE(sorted_tokens(candidates) == expected);
            const bitnet_token token = draw(candidates, rng.next_unit());
            mirostat.observe(token, candidates);
            mu -= static_cast<double>(eta) *
                  (static_cast<double>(-std::log2(p[static_cast<size_t>(token)] / mass)) - static_cast<double>(tau));
            if (!clear) break;
            CHECK(mirostat.mu() == doctest::Approx(mu).epsilon(1e-5));
        }
    }
}

TEST_CASE("mirostat 1 keeps the k best, k from Zipf's law fitted to the 100 best") {
    for (uint64_t seed = 0; seed < 20; ++seed) {
        // Zipf-like logits, shuffled: -s log(rank) and noise.
        Pcg32 rng(seed);
        const size_t n = 50 + 100 * static_cast<size_t>(seed);
        std::vector<float> logits(n);
        for (size_t i = 0; i < n; ++i)
            logits[i] =
                static_cast<float>(-(0.5 + 0.1 * static_cast<double>(seed)) * std::log(static_cast<double>(i + 1)) +
                                   0.1 * rng.next_unit());
        for (size_t i = n; i-- > 1;) std::swap(logits[i], logits[rng.next_u32() % (i + 1)]);
        const Tokens order = best_first(logits);
        const std::vector<long double> p = reference_softmax(logits, 1.25L);
        long double products = 0, squares = 0;
        for (size_t i = 0; i + 1 < std::min<size_t>(n, 100); ++i) {
            const long double t = std::log(static_cast<long double>(i + 2) / static_cast<long double>(i + 1));
            const long double b = std::log(p[static_cast<size_t>(order[i])] / p[static_cast<size_t>(order[i + 1])]);
            products += t * b;
            squares += t * t;
        }
        const long double s = products / squares, e = s - 1, mu = 6;
        const long double k = std::pow(e * std::pow(2.0L, mu) / (1 - std::pow(static_cast<long double>(n), -e)), 1 / s);
        const auto whole = static_cast<size_t>(std::min(std::max(k, 1.0L), static_cast<long double>(n)));
        std::vector<Candidate> candidates = weighed(logits, 1.25f);
        Mirostat({1, 3, 0.1f}).keep(1.25f, candidates);
        CAPTURE(seed);
        if (std::fabs(k - std::round(k)) < 1e-4L) continue;
        REQUIRE(candidates.size() == whole);
        for (size_t i = 0; i < whole; ++i) CHECK(candidates[i].token == order[i]);
    }
}

TEST_CASE("mirostat always keeps the best token, whatever the logits and parameters hold") {
    const std::vector<std::vector<float>> rows = {{1},
                                                  {2, 2},
                                                  {0, FLT_MAX},
                                                  {FLT_MAX, -FLT_MAX, FLT_MAX},
                                                  {-FLT_MAX, -FLT_MAX},
                                                  std::vector<float>(300, 1.0f),
                                                  random_logits(1000, 4)};
    for (const int32_t algorithm : {1, 2}) {
        for (const float tau : {0.0f, FLT_TRUE_MIN, 3.0f, FLT_MAX}) {
            for (const float eta : {0.0f, 0.1f, FLT_MAX}) {
                for (const float temperature : {FLT_TRUE_MIN, 1.0f, FLT_MAX}) {
                    Mirostat mirostat({algorithm, tau, eta});
                    for (const std::vector<float>& row : rows) {
                        for (int step = 0; step < 5; ++step) {
                            std::vector<Candidate> candidates = weighed(row, temperature);
                            mirostat.keep(temperature, candidates);
                            REQUIRE(!candidates.empty());
                            const Tokens tokens = sorted_tokens(candidates);
                            CHECK(std::find(tokens.begin(), tokens.end(), best_first(row)[0]) != tokens.end());
                            mirostat.observe(draw(candidates, 0.999), candidates);
                            CHECK(std::isfinite(mirostat.mu()));
                        }
                    }
                }
            }
        }
    }
}

TEST_CASE("mirostat brings the surprise of a text to its target") {
    for (const int32_t algorithm : {1, 2}) {
        for (const float tau : {2.0f, 4.0f}) {
            Mirostat mirostat({algorithm, tau, 0.1f});
            Pcg32 rng(77);
            double surprise = 0;
            constexpr int kSteps = 3000;
            for (int step = 0; step < kSteps; ++step) {
                std::vector<Candidate> candidates = weighed(random_logits(500, static_cast<uint64_t>(step), 3));
                const double before = mirostat.mu();
                mirostat.keep(1, candidates);
                mirostat.observe(draw(candidates, rng.next_unit()), candidates);
                surprise += static_cast<double>(tau) + (before - mirostat.mu()) / static_cast<double>(0.1f);
            }
            CHECK(surprise / kSteps == doctest::Approx(static_cast<double>(tau)).epsilon(0.02));
            const double mu = mirostat.mu();
            CHECK(mu != 2 * static_cast<double>(tau));
            mirostat.reset();
            CHECK(mirostat.mu() == 2 * static_cast<double>(tau));
        }
    }
}
