// Each step alone, against an expectation computed another way: by hand, or in long double with the C library.
#include "src/sampler/sampler_steps.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "src/sampler/rng.h"

using namespace bitnet;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Logits between -8 and 8 in steps of 1/4: plenty of ties.
std::vector<float> tied_logits(size_t n, uint64_t seed) {
    Pcg32 rng(seed);
    std::vector<float> logits(n);
    for (float& logit : logits) logit = static_cast<float>(static_cast<int>(rng.next_u32() % 65) - 32) * 0.25f;
    return logits;
}

std::vector<bitnet_token> tokens_of(const std::vector<Candidate>& candidates) {
    std::vector<bitnet_token> tokens;
    for (const Candidate& candidate : candidates) tokens.push_back(candidate.token);
    return tokens;
}

// Ids sorted the slow way: stable sort by logit keeps ties in id order.
std::vector<bitnet_token> best_first(const std::vector<float>& logits, size_t k) {
    std::vector<bitnet_token> ids;
    for (size_t i = 0; i < logits.size(); ++i)
        if (logits[i] != -kInf) ids.push_back(static_cast<bitnet_token>(i));
    std::stable_sort(ids.begin(), ids.end(), [&](bitnet_token a, bitnet_token b) {
        return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
    });
    if (k < ids.size()) ids.resize(k);
    return ids;
}

std::vector<Candidate> weighed(const std::vector<float>& logits, size_t k, float temperature) {
    std::vector<Candidate> candidates;
    collect_candidates(logits.data(), logits.size(), k, candidates);
    weigh(temperature, candidates);
    return candidates;
}

// Softmax in long double.
std::vector<long double> reference_softmax(const std::vector<Candidate>& candidates, long double temperature) {
    long double best = -1e30L, total = 0;
    for (const Candidate& c : candidates) best = std::max(best, static_cast<long double>(c.logit));
    std::vector<long double> p;
    for (const Candidate& c : candidates) {
        p.push_back(std::exp((static_cast<long double>(c.logit) - best) / temperature));
        total += p.back();
    }
    for (long double& value : p) value /= total;
    return p;
}

}  // namespace

TEST_CASE("NaN counts as -infinity and +infinity as the largest float") {
    CHECK(sanitized(kNan) == -kInf);
    CHECK(sanitized(-kNan) == -kInf);
    CHECK(sanitized(kInf) == FLT_MAX);
    CHECK(sanitized(-kInf) == -kInf);
    CHECK(sanitized(FLT_MAX) == FLT_MAX);
    CHECK(sanitized(-FLT_MAX) == -FLT_MAX);
    CHECK(sanitized(1.5f) == 1.5f);
}

TEST_CASE("greedy takes the lowest id among the largest logits, wherever they lie") {
    for (const size_t n : {1, 2, 15, 16, 17, 31, 33, 100, 512, 1000}) {
        CAPTURE(n);
        for (uint64_t seed = 0; seed < 20; ++seed) {
            const std::vector<float> logits = tied_logits(n, seed);
            const auto expected = std::max_element(logits.begin(), logits.end()) - logits.begin();
            CHECK(find_greedy(logits.data(), n) == expected);
        }
        // The maximum at every place, alone and repeated at the end.
        for (size_t at = 0; at < n; ++at) {
            std::vector<float> logits(n, -3.0f);
            logits[at] = 2;
            logits[n - 1] = 2;
            CHECK(find_greedy(logits.data(), n) == static_cast<int64_t>(at));
        }
    }
}

TEST_CASE("greedy passes over NaN, treats +infinity as the largest float and reports that nothing is finite") {
    const std::vector<float> with_nan = {kNan, -5.0f, kNan, -4.0f, kNan};
    CHECK(find_greedy(with_nan.data(), with_nan.size()) == 3);
    const std::vector<float> infinities = {1.0f, FLT_MAX, kInf, kInf};
    CHECK(find_greedy(infinities.data(), infinities.size()) == 1);
    const std::vector<float> infinity_last = {1.0f, kNan, 3e38f, kInf};
    CHECK(find_greedy(infinity_last.data(), infinity_last.size()) == 3);
    const std::vector<float> lowest = {-kInf, -FLT_MAX, -kInf};
    CHECK(find_greedy(lowest.data(), lowest.size()) == 1);
    const std::vector<float> nothing = {-kInf, kNan, -kInf};
    CHECK(find_greedy(nothing.data(), nothing.size()) == -1);
    const std::vector<float> zeros = {-0.0f, 0.0f};
    CHECK(find_greedy(zeros.data(), zeros.size()) == 0);
}

TEST_CASE("bias adds up, forbids with -infinity, and never makes a finite logit infinite") {
    std::vector<float> logits = {1, 2, 3, FLT_MAX, -kInf, 6};
    apply_bias({{0, 0.5f}, {0, 0.25f}, {1, -kInf}, {3, FLT_MAX}, {4, 100}, {5, -kInf}, {5, 7}, {6, 9}, {-1, 9}},
               LogitRow(logits.data(), logits.size()), logits.data());
    CHECK(logits == std::vector<float>{1.75f, -kInf, 3, FLT_MAX, -kInf, -kInf});
}

TEST_CASE("penalties divide or multiply once, then subtract per occurrence and once") {
    std::vector<float> logits = {3, -3, 0, 8, -kInf, 5};
    const Penalties penalties{1.5f, 0.25f, 0.5f};
    apply_penalties(penalties, {{0, 2}, {1, 1}, {2, 4}, {4, 1}, {17, 3}}, LogitRow(logits.data(), logits.size()),
                    logits.data());
    CHECK(logits == std::vector<float>{3 / 1.5f - 0.5f - 0.5f, -4.5f - 0.25f - 0.5f, -1.0f - 0.5f, 8, -kInf, 5});
}

TEST_CASE("penalties keep finite logits finite") {
    std::vector<float> logits = {FLT_MAX, -FLT_MAX, 0};
    apply_penalties({1e-38f, 0, 0}, {{0, 1}}, LogitRow(logits.data(), logits.size()), logits.data());
    CHECK(logits[0] == FLT_MAX);
    apply_penalties({1e38f, FLT_MAX, FLT_MAX}, {{1, 9}, {2, 9}}, LogitRow(logits.data(), logits.size()), logits.data());
    CHECK(logits[1] == -FLT_MAX);
    CHECK(logits[2] == -FLT_MAX);
    apply_penalties({1, -FLT_MAX, -FLT_MAX}, {{0, 9}}, LogitRow(logits.data(), logits.size()), logits.data());
    CHECK(logits[0] == FLT_MAX);
}

TEST_CASE("top-k gives the k best in order, ties to the lowest id, for every k") {
    for (uint64_t seed = 0; seed < 10; ++seed) {
        std::vector<float> logits = tied_logits(200, seed);
        logits[17] = -kInf;
        logits[18] = -kInf;
        for (const size_t k : {1, 2, 5, 50, 197, 198, 199, 200, 201, 100000}) {
            CAPTURE(k);
            std::vector<Candidate> candidates;
            collect_candidates(logits.data(), logits.size(), k, candidates);
            CHECK(tokens_of(candidates) == best_first(logits, k));
        }
    }
    // Rising and falling logits are the extremes for the heap.
    std::vector<float> rising(300), falling(300);
    for (size_t i = 0; i < 300; ++i) rising[i] = falling[299 - i] = static_cast<float>(i);
    std::vector<Candidate> candidates;
    collect_candidates(rising.data(), 300, 7, candidates);
    CHECK(tokens_of(candidates) == std::vector<bitnet_token>{299, 298, 297, 296, 295, 294, 293});
    collect_candidates(falling.data(), 300, 7, candidates);
    CHECK(tokens_of(candidates) == std::vector<bitnet_token>{0, 1, 2, 3, 4, 5, 6});
}

TEST_CASE("without top-k all finite candidates come in the order of their ids") {
    const std::vector<float> logits = {1, -kInf, 3, 2};
    std::vector<Candidate> candidates;
    collect_candidates(logits.data(), logits.size(), 0, candidates);
    CHECK(tokens_of(candidates) == std::vector<bitnet_token>{0, 2, 3});
}

TEST_CASE("weights over their sum are the softmax at that temperature") {
    for (const float temperature : {0.1f, 0.7f, 1.0f, 3.0f, 1e6f}) {
        CAPTURE(temperature);
        const std::vector<Candidate> candidates = weighed(tied_logits(400, 3), 0, temperature);
        const std::vector<long double> expected = reference_softmax(candidates, temperature);
        const double total = total_weight(candidates);
        for (size_t i = 0; i < candidates.size(); ++i)
            CHECK(std::fabs(candidates[i].p / total - static_cast<double>(expected[i])) <=
                  1e-6 * static_cast<double>(expected[i]) + 1e-37);
    }
}

TEST_CASE("weights of extreme logits and temperatures are numbers, and the best has weight 1") {
    for (const float temperature : {1e-45f, 1e-6f, 1.0f, 1e6f, FLT_MAX}) {
        CAPTURE(temperature);
        const std::vector<Candidate> candidates = weighed({FLT_MAX, 1, -1, -FLT_MAX, FLT_MAX}, 0, temperature);
        for (const Candidate& candidate : candidates) {
            CHECK(candidate.p >= 0);
            CHECK(candidate.p <= 1);
        }
        CHECK(candidates[0].p == 1);
        CHECK(candidates[4].p == 1);
        CHECK(candidates[3].p <= candidates[1].p);
    }
}

TEST_CASE("top-p keeps the smallest set of best candidates that reaches the mass, sorted before or not") {
    for (uint64_t seed = 0; seed < 5; ++seed) {
        const std::vector<float> logits = tied_logits(3000, seed);
        for (const float top_p : {0.0f, 0.01f, 0.3f, 0.5f, 0.9f, 0.999f, 0.99999994f}) {
            CAPTURE(top_p);
            std::vector<Candidate> unsorted = weighed(logits, 0, 2);
            std::vector<Candidate> sorted = weighed(logits, 3000, 2);
            keep_top_p(top_p, false, unsorted);
            keep_top_p(top_p, true, sorted);
            CHECK(tokens_of(unsorted) == tokens_of(sorted));

            const std::vector<Candidate> all = weighed(logits, 3000, 2);
            const std::vector<long double> p = reference_softmax(all, 2);
            long double below = 0;  // mass without the last one kept
            for (size_t i = 0; i + 1 < sorted.size(); ++i) below += p[i];
            REQUIRE(!sorted.empty());
            CHECK(below <= static_cast<long double>(top_p) + 1e-6L);
            CHECK(below + p[sorted.size() - 1] >= static_cast<long double>(top_p) - 1e-6L);
            CHECK(tokens_of(sorted) == best_first(logits, sorted.size()));
        }
    }
}

TEST_CASE("top-p on hand-made probabilities") {
    // Weights 8, 4, 2, 1, 1 of 16: exact in floats.
    const std::vector<Candidate> start = {{0, 1, 1}, {1, 4, 8}, {2, 2, 2}, {3, 1, 1}, {4, 3, 4}};
    const auto kept = [&](float top_p) {
        std::vector<Candidate> candidates = start;
        keep_top_p(top_p, false, candidates);
        return tokens_of(candidates);
    };
    CHECK(kept(0) == std::vector<bitnet_token>{1});
    CHECK(kept(0.5f) == std::vector<bitnet_token>{1});
    CHECK(kept(0.50001f) == std::vector<bitnet_token>{1, 4});
    CHECK(kept(0.75f) == std::vector<bitnet_token>{1, 4});
    CHECK(kept(0.876f) == std::vector<bitnet_token>{1, 4, 2, 0});
    CHECK(kept(0.95f) == std::vector<bitnet_token>{1, 4, 2, 0, 3});
}

TEST_CASE("min-p keeps what is at least that share of the best, in the order it found") {
    std::vector<Candidate> candidates = {{0, 0, 0.5f}, {1, 0, 0.24f}, {2, 0, 1.0f}, {3, 0, 0.25f}};
    keep_min_p(0.25f, candidates);
    CHECK(tokens_of(candidates) == std::vector<bitnet_token>{0, 2, 3});
    keep_min_p(1, candidates);
    CHECK(tokens_of(candidates) == std::vector<bitnet_token>{2});
}

TEST_CASE("typical keeps the candidates closest to the entropy") {
    for (uint64_t seed = 0; seed < 5; ++seed) {
        const std::vector<float> logits = tied_logits(500, seed);
        for (const float temperature : {0.5f, 1.0f, 2.0f}) {
            const std::vector<Candidate> all = weighed(logits, 0, temperature);
            const std::vector<long double> p = reference_softmax(all, temperature);
            long double entropy = 0;
            for (const long double value : p) entropy -= value * std::log(value);
            for (const float typical_p : {0.0f, 0.2f, 0.6f, 0.95f}) {
                CAPTURE(typical_p);
                std::vector<Candidate> kept = all;
                std::vector<Typicality> scratch;
                keep_typical(typical_p, temperature, kept, scratch);
                REQUIRE(!kept.empty());
                // Every kept candidate is at least as close as every dropped one, and the mass is just enough.
                long double farthest_kept = 0, nearest_dropped = 1e30L, mass = 0, smallest_of_farthest = 2;
                size_t next = 0;
                for (size_t i = 0; i < all.size(); ++i) {
                    const long double distance = std::fabs(-std::log(p[i]) - entropy);
                    if (next < kept.size() && kept[next].token == all[i].token) {
                        ++next;
                        mass += p[i];
                        if (distance > farthest_kept) {
                            farthest_kept = distance;
                            smallest_of_farthest = p[i];
                        }
                    } else {
                        nearest_dropped = std::min(nearest_dropped, distance);
                    }
                }
                CHECK(next == kept.size());  // the order was kept
                CHECK(farthest_kept <= nearest_dropped + 1e-5L);
                CHECK(mass >= typical_p - 1e-6L);
                CHECK(mass - smallest_of_farthest <= typical_p + 1e-6L);
            }
        }
    }
}

TEST_CASE("typical leaves out a certain favourite when the rest is closer to the entropy") {
    // p = 0.5, then 50 x 0.01: entropy 0.5 ln 2 + 0.5 ln 100 = 2.65; surprises 0.69 and 4.61 lie 1.96 and 1.96 away:
    // moved to p = 0.55 and 0.009 the many are nearer.
    std::vector<float> logits(51, std::log(0.009f));
    logits[0] = std::log(0.55f);
    std::vector<Candidate> candidates = weighed(logits, 0, 1);
    std::vector<Typicality> scratch;
    keep_typical(0.1f, 1, candidates, scratch);
    const double entropy = -0.55 * std::log(0.55) - 0.45 * std::log(0.009);
    const bool many_nearer = std::fabs(-std::log(0.009) - entropy) < std::fabs(-std::log(0.55) - entropy);
    CHECK(many_nearer == (candidates[0].token != 0));
}

TEST_CASE("typical survives weights of zero and infinite distances") {
    for (const float temperature : {1e-45f, 1e-6f, 1e6f}) {
        CAPTURE(temperature);
        std::vector<Candidate> candidates = weighed({FLT_MAX, 0, -FLT_MAX, FLT_MAX}, 0, temperature);
        std::vector<Typicality> scratch;
        keep_typical(0.9f, temperature, candidates, scratch);
        CHECK(tokens_of(candidates) == std::vector<bitnet_token>{0, 3});
    }
}

TEST_CASE("a draw falls on the candidate whose share holds u, never on one of weight zero") {
    const std::vector<Candidate> candidates = {{9, 0, 0}, {5, 0, 1}, {7, 0, 0}, {2, 0, 2}, {3, 0, 1}, {8, 0, 0}};
    CHECK(draw(candidates, 0) == 5);
    CHECK(draw(candidates, 0.2499999) == 5);
    CHECK(draw(candidates, 0.25) == 2);
    CHECK(draw(candidates, 0.7499999) == 2);
    CHECK(draw(candidates, 0.75) == 3);
    CHECK(draw(candidates, 1 - 0x1p-53) == 3);
    CHECK(draw(candidates, 1) == 3);  // the walk past the end takes the last with a weight
}

TEST_CASE("a draw reaches the last candidate even when rounding makes u * total the total") {
    // 0.1f * 3 in double has more bits than u leaves room for.
    const std::vector<Candidate> candidates = {{0, 0, 0.1f}, {1, 0, 0.1f}, {2, 0, 0.1f}, {3, 0, 0}};
    CHECK(draw(candidates, 1 - 0x1p-53) == 2);
}
