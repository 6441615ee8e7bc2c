// Everything here is linear in the candidates, except that mirostat's first algorithm sorts those it keeps.
#include "src/sampler/adaptive_steps.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "src/sampler/natural_math.h"

namespace bitnet {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kSmallestTemperature = std::numeric_limits<float>::min();
constexpr float kLargestTemperature = std::numeric_limits<float>::max();
// The best tokens that mirostat's first algorithm fits Zipf's law to, as in the paper.
constexpr size_t kZipfTokens = 100;

// Brings the k best to the front in their order and drops the others. Needs 1 <= k <= size.
void keep_best(size_t k, std::vector<Candidate>& candidates) {
    const auto end = candidates.begin() + static_cast<ptrdiff_t>(k);
    if (k < candidates.size()) std::nth_element(candidates.begin(), end, candidates.end(), ranks_before);
    std::sort(candidates.begin(), end, ranks_before);
    candidates.resize(k);
}

// Entropy in nats of weights that are exp(logit - best logit), without the logarithms of single weights.
double entropy(const std::vector<Candidate>& candidates) noexcept {
    float best = candidates.front().logit;
    for (const Candidate& candidate : candidates) best = std::max(best, candidate.logit);
    double total = 0, weighted = 0;
    for (const Candidate& candidate : candidates) {
        total += candidate.p;
        // A weight of 0 adds nothing, also where the difference is huge.
        if (candidate.p > 0)
            weighted +=
                static_cast<double>(candidate.p) * (static_cast<double>(candidate.logit) - static_cast<double>(best));
    }
    return natural_log(total) - weighted / total;
}

// The exponent of the law p(rank) ~ rank^-s, fitted to the candidates, which come best first: the slope of
// log(p_i / p_(i+1)) over log((i+1) / i).
double zipf_exponent(float temperature, std::span<const Candidate> candidates) noexcept {
    double products = 0, squares = 0;
    for (size_t i = 0; i + 1 < candidates.size(); ++i) {
        const double t = natural_log(static_cast<double>(i + 2) / static_cast<double>(i + 1));
        const double b = (static_cast<double>(candidates[i].logit) - static_cast<double>(candidates[i + 1].logit)) /
                         static_cast<double>(temperature);
        products += t * b;
        squares += t * t;
    }
    return products / squares;
}

// How many of n tokens distributed by Zipf's law hold a surprise of mu bits: ((e 2^mu) / (1 - n^-e))^(1/s), e = s - 1.
// By logarithms, so that no step of it overflows.
size_t zipf_rank(double s, double mu, size_t n) noexcept {
    const double log_n = natural_log(static_cast<double>(n));
    const double e = s - 1;
    // e / (1 - n^-e) tends to 1 / log n as e tends to 0.
    const double e_log_n = e * log_n;
    const bool near_zero = e_log_n > -1e-6 && e_log_n < 1e-6;
    const double factor = near_zero ? 1 / log_n : e / (1 - natural_exp(-e_log_n));
    const double log_k_times_s = natural_log(factor) + mu * kLn2;
    if (log_k_times_s <= 0) return 1;
    if (log_k_times_s >= s * log_n) return n;
    return std::clamp<size_t>(static_cast<size_t>(natural_exp(log_k_times_s / s)), 1, n);
}

}  // namespace

void forbid_below_sigmas(float n_sigma, float* logits, size_t n) noexcept {
    double sum = 0;
    float best = -kInfinity;
    size_t count = 0;
    for (size_t i = 0; i < n; ++i) {
        if (logits[i] == -kInfinity) continue;
        sum += logits[i];
        best = std::max(best, logits[i]);
        ++count;
    }
    if (count == 0) return;
    const double mean = sum / static_cast<double>(count);
    double squares = 0;
    for (size_t i = 0; i < n; ++i) {
        if (logits[i] == -kInfinity) continue;
        const double difference = static_cast<double>(logits[i]) - mean;
        squares += difference * difference;
    }
    const double sigma = std::sqrt(squares / static_cast<double>(count));
    const double least = static_cast<double>(best) - static_cast<double>(n_sigma) * sigma;
    for (size_t i = 0; i < n; ++i)
        if (static_cast<double>(logits[i]) < least) logits[i] = -kInfinity;
}

float dynamic_temperature(const DynamicTemperature& params, std::vector<Candidate>& candidates) noexcept {
    const double middle = params.middle, range = params.range;
    const double low = std::max(middle - range, 0.0);
    const double high = middle + range;
    double share = 0;
    if (candidates.size() > 1) {
        weigh(1, candidates);
        share = entropy(candidates) / natural_log(static_cast<double>(candidates.size()));
    }
    // Rounding can leave the entropy a little outside of its bounds, and the logarithm needs a normal number.
    share = std::min(share, 1.0);
    const double power = share < std::numeric_limits<double>::min()
                             ? 0
                             : natural_exp(static_cast<double>(params.exponent) * natural_log(share));
    const double temperature = low + (high - low) * power;
    return static_cast<float>(
        std::clamp<double>(temperature, double{kSmallestTemperature}, double{kLargestTemperature}));
}

void exclude_top_choices(float threshold, std::vector<Candidate>& candidates) noexcept {
    const double least = static_cast<double>(threshold) * total_weight(candidates);
    const Candidate* last = nullptr;  // of those that reach the threshold, the one that ranks behind the others
    for (const Candidate& candidate : candidates)
        if (candidate.p >= least && (last == nullptr || ranks_before(*last, candidate))) last = &candidate;
    if (last == nullptr) return;
    const bitnet_token kept = last->token;
    std::erase_if(candidates,
                  [&](const Candidate& candidate) { return candidate.p >= least && candidate.token != kept; });
}

void Mirostat::keep(float temperature, std::vector<Candidate>& candidates) const {
    const size_t n = candidates.size();
    if (n == 1) return;
    if (config_.algorithm == 1) {
        const std::span<const Candidate> best(candidates.data(), std::min(kZipfTokens, n));
        std::partial_sort(candidates.begin(), candidates.begin() + static_cast<ptrdiff_t>(best.size()),
                          candidates.end(), ranks_before);
        const double s = zipf_exponent(temperature, best);
        keep_best(zipf_rank(s, mu_, n), candidates);
        return;
    }
    // -log2(p / total) <= mu
    const double least = total_weight(candidates) * natural_exp(-mu_ * kLn2);
    const Candidate best = *std::min_element(candidates.begin(), candidates.end(), ranks_before);
    std::erase_if(candidates,
                  [&](const Candidate& candidate) { return !(candidate.p >= least) && candidate.token != best.token; });
}

void Mirostat::observe(bitnet_token token, const std::vector<Candidate>& candidates) noexcept {
    const auto drawn = std::find_if(candidates.begin(), candidates.end(),
                                    [token](const Candidate& candidate) { return candidate.token == token; });
    if (drawn == candidates.end()) return;
    const double surprise = (natural_log(total_weight(candidates)) - natural_log(static_cast<double>(drawn->p))) / kLn2;
    mu_ -= static_cast<double>(config_.eta) * (surprise - static_cast<double>(config_.tau));
}

}  // namespace bitnet
