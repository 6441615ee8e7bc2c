// Softmax and log-probabilities against the C library in long double, and by hand where that is possible.
#include "src/sampler/logits_math.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "src/sampler/rng.h"

using namespace bitnet;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> random_logits(size_t n, uint64_t seed) {
    Pcg32 rng(seed);
    std::vector<float> logits(n);
    for (float& logit : logits) logit = static_cast<float>(static_cast<int>(rng.next_u32() % 400) - 200) * 0.0625f;
    return logits;
}

std::vector<long double> reference_logprobs(const std::vector<float>& logits) {
    long double best = -std::numeric_limits<long double>::infinity(), sum = 0;
    for (const float logit : logits) best = std::max(best, static_cast<long double>(logit));
    for (const float logit : logits) sum += std::exp(static_cast<long double>(logit) - best);
    std::vector<long double> out;
    for (const float logit : logits) out.push_back(static_cast<long double>(logit) - best - std::log(sum));
    return out;
}

std::vector<float> softmax(std::vector<float> logits) {
    softmax_logits(logits.data(), logits.size(), logits.data());
    return logits;
}

std::vector<bitnet_token_logprob> top(const std::vector<float>& logits, size_t n_top) {
    std::vector<bitnet_token_logprob> out(n_top);
    LogSoftmax(logits.data(), logits.size()).top(out.data(), n_top);
    return out;
}

float logprob(const std::vector<float>& logits, bitnet_token token) {
    return LogSoftmax(logits.data(), logits.size()).logprob(token);
}

}  // namespace

TEST_CASE("log-probabilities and softmax are those of the C library in long double") {
    for (const size_t n : {1, 2, 7, 300, 5000}) {
        const std::vector<float> logits = random_logits(n, n);
        const std::vector<long double> expected = reference_logprobs(logits);
        const std::vector<float> p = softmax(logits);
        for (size_t i = 0; i < n; ++i) {
            const auto value = static_cast<double>(expected[i]);
            CHECK(logprob(logits, static_cast<bitnet_token>(i)) == static_cast<float>(value));
            CHECK(static_cast<double>(p[i]) == doctest::Approx(std::exp(value)).epsilon(1e-7));
        }
        CHECK(std::accumulate(p.begin(), p.end(), 0.0) == doctest::Approx(1).epsilon(1e-6));
    }
}

TEST_CASE("the best tokens come in order, ties to the lowest id, for every count") {
    const std::vector<float> logits = random_logits(1000, 3);  // 400 values: many ties
    std::vector<bitnet_token> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](bitnet_token a, bitnet_token b) {
        return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
    });
    for (const size_t n_top : {0, 1, 2, 5, 20, 999, 1000}) {
        const std::vector<bitnet_token_logprob> best = top(logits, n_top);
        for (size_t i = 0; i < n_top; ++i) {
            CHECK(best[i].token == order[i]);
            CHECK(best[i].logprob == logprob(logits, order[i]));
        }
    }
}

TEST_CASE("NaN is impossible, +infinity the largest float, and finite logits have finite log-probabilities") {
    const std::vector<float> mixed = {1, kNan, -kInf, 1};
    CHECK(softmax(mixed) == std::vector<float>{0.5f, 0, 0, 0.5f});
    CHECK(logprob(mixed, 1) == -kInf);
    CHECK(logprob(mixed, 2) == -kInf);
    CHECK(logprob(mixed, 0) == static_cast<float>(-0.69314718055994531));
    const std::vector<bitnet_token_logprob> best = top(mixed, 4);
    CHECK(best[0].token == 0);
    CHECK(best[1].token == 3);
    CHECK(best[2].token == 1);  // impossible ones last, by id
    CHECK(best[3].token == 2);
    CHECK(best[3].logprob == -kInf);
    const std::vector<float> huge = {kInf, FLT_MAX, -FLT_MAX, 0};
    CHECK(softmax(huge) == std::vector<float>{0.5f, 0.5f, 0, 0});
    CHECK(logprob(huge, 2) == -FLT_MAX);
    CHECK(logprob(huge, 3) == -FLT_MAX);
    CHECK(find_best(huge.data(), huge.size()) == 0);
}

TEST_CASE("where no logit is above -infinity token 0 has all the probability") {
    for (const float logit : {kNan, -kInf}) {
        const std::vector<float> none(3, logit);
        CHECK(softmax(none) == std::vector<float>{1, 0, 0});
        CHECK(logprob(none, 0) == 0);
        CHECK(logprob(none, 2) == -kInf);
        CHECK(find_best(none.data(), 3) == 0);
        const std::vector<bitnet_token_logprob> best = top(none, 2);
        CHECK(best[0].token == 0);
        CHECK(best[0].logprob == 0);
        CHECK(best[1].token == 1);
        CHECK(best[1].logprob == -kInf);
    }
}
