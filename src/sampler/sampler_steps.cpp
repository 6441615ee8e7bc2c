// The steps themselves. Vocabularies of 128k tokens pass through here once per token, so selection is partial wherever
// a full sort is not needed.
#include "src/sampler/sampler_steps.h"

#include <algorithm>
#include <limits>

#include "kernels/vec_kernels.h"
#include "src/sampler/natural_math.h"

namespace bitnet {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kLargest = std::numeric_limits<float>::max();
// Best candidates sorted at first when it is unknown how many a mass needs; each further round takes four times more.
constexpr size_t kFirstRun = 128;

// A finite logit must not become forbidden, or infinite, by rounding.
float clamp_finite(float x) noexcept { return std::clamp(x, -kLargest, kLargest); }

float scaled_logit(float logit, float best, float temperature) noexcept { return (logit - best) / temperature; }

float best_logit(const std::vector<Candidate>& candidates) noexcept {
    float best = candidates.front().logit;
    for (const Candidate& candidate : candidates) best = std::max(best, candidate.logit);
    return best;
}

// How many leading items reach the wanted mass, all of them if rounding keeps the sum below it. Sorts the items by
// `before` only as far as needed: with a total order the sorted part does not depend on how nth_element left the rest.
template <typename Item, typename Before, typename Mass>
size_t count_for_mass(std::vector<Item>& items, bool sorted, double wanted, Before before, Mass mass) {
    double sum = 0;
    size_t run = sorted ? items.size() : kFirstRun;
    for (size_t begin = 0; begin < items.size(); run *= 4) {
        const size_t end = begin + std::min(run, items.size() - begin);
        if (!sorted) {
            const auto first = items.begin() + static_cast<ptrdiff_t>(begin);
            const auto last = items.begin() + static_cast<ptrdiff_t>(end);
            if (end < items.size()) std::nth_element(first, last, items.end(), before);
            std::sort(first, last, before);
        }
        for (; begin < end; ++begin) {
            sum += mass(items[begin]);
            if (sum >= wanted) return begin + 1;
        }
    }
    return items.size();
}

}  // namespace

float sanitized(float logit) noexcept {
    if (logit != logit) return -kInfinity;
    return logit < kLargest ? logit : kLargest;
}

void sanitize_logits(const float* logits, size_t n, float* out) noexcept {
    for (size_t i = 0; i < n; ++i) out[i] = sanitized(logits[i]);
}

void apply_bias(const std::vector<bitnet_logit_bias>& biases, const LogitRow& row, float* logits) noexcept {
    for (const bitnet_logit_bias& entry : biases) {
        const size_t at = row.find(entry.token);
        if (at == row.n) continue;
        if (entry.bias == -kInfinity)
            logits[at] = -kInfinity;
        else if (logits[at] != -kInfinity)
            logits[at] = clamp_finite(logits[at] + entry.bias);
    }
}

void apply_penalties(const Penalties& penalties, const std::vector<TokenCount>& counts, const LogitRow& row,
                     float* logits) noexcept {
    for (const TokenCount& entry : counts) {
        const size_t at = row.find(entry.token);
        if (at == row.n || logits[at] == -kInfinity) continue;
        float logit = logits[at];
        logit = logit > 0 ? logit / penalties.repetition : logit * penalties.repetition;
        logit = clamp_finite(logit);
        logit = clamp_finite(logit - clamp_finite(penalties.frequency * static_cast<float>(entry.count)));
        logits[at] = clamp_finite(logit - penalties.presence);
    }
}

int64_t find_greedy(const float* logits, size_t n) noexcept {
    // The maximum first, in lanes a compiler can keep in vector registers (a comparison with NaN is false, so NaN
    // never enters), then the first place that has it.
    constexpr size_t kLanes = 16;
    float lanes[kLanes];
    for (float& lane : lanes) lane = -kInfinity;
    size_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (size_t j = 0; j < kLanes; ++j) lanes[j] = logits[i + j] > lanes[j] ? logits[i + j] : lanes[j];
    for (; i < n; ++i) lanes[0] = logits[i] > lanes[0] ? logits[i] : lanes[0];
    float best = -kInfinity;
    for (const float lane : lanes) best = lane > best ? lane : best;
    if (best == -kInfinity) return -1;
    best = std::min(best, kLargest);
    for (i = 0; !(logits[i] >= best);) ++i;
    return static_cast<int64_t>(i);
}

void collect_candidates(const float* logits, size_t n, size_t k, std::vector<Candidate>& out) {
    out.clear();
    if (k == 0 || k >= n) {
        out.reserve(n);
        for (size_t i = 0; i < n; ++i)
            if (logits[i] != -kInfinity) out.push_back({static_cast<bitnet_token>(i), logits[i], 0});
        if (k != 0) std::sort(out.begin(), out.end(), ranks_before);
        return;
    }
    // A heap of the k best so far with the worst of them in front. An equal logit with a higher id never displaces.
    out.reserve(k);
    for (size_t i = 0; i < n; ++i) {
        if (logits[i] == -kInfinity) continue;
        if (out.size() == k) {
            if (!(logits[i] > out.front().logit)) continue;
            std::pop_heap(out.begin(), out.end(), ranks_before);
            out.pop_back();
        }
        out.push_back({static_cast<bitnet_token>(i), logits[i], 0});
        std::push_heap(out.begin(), out.end(), ranks_before);
    }
    std::sort_heap(out.begin(), out.end(), ranks_before);
}

void weigh(float temperature, std::vector<Candidate>& candidates) noexcept {
    // (best - best) / temperature is 0 for every temperature, so the best weight is 1 and the sum never vanishes.
    const float best = best_logit(candidates);
    for (Candidate& candidate : candidates)
        candidate.p = kern::exp_f32(scaled_logit(candidate.logit, best, temperature));
}

void keep_typical(float typical_p, float temperature, std::vector<Candidate>& candidates,
                  std::vector<Typicality>& scratch) {
    const float best = best_logit(candidates);
    const double total = total_weight(candidates);
    const double log_total = natural_log(total);
    // -log(probability) is log_total - x with x the scaled logit; its mean under p is the entropy. A weight of 0 adds
    // nothing, also where x is -infinity.
    double weighted = 0;
    for (const Candidate& candidate : candidates)
        if (candidate.p > 0)
            weighted += static_cast<double>(candidate.p) * scaled_logit(candidate.logit, best, temperature);
    const double entropy = log_total - weighted / total;

    scratch.clear();
    scratch.reserve(candidates.capacity());  // not size: a later call may have more of them, and must not allocate
    for (size_t i = 0; i < candidates.size(); ++i) {
        const double surprise = log_total - scaled_logit(candidates[i].logit, best, temperature);
        const double distance = surprise > entropy ? surprise - entropy : entropy - surprise;
        scratch.push_back({distance, static_cast<uint32_t>(i)});
    }
    const auto before = [&](const Typicality& a, const Typicality& b) {
        return a.distance != b.distance ? a.distance < b.distance
                                        : ranks_before(candidates[a.index], candidates[b.index]);
    };
    const size_t kept = count_for_mass(scratch, false, static_cast<double>(typical_p) * total, before,
                                       [&](const Typicality& item) { return candidates[item.index].p; });
    std::sort(scratch.begin(), scratch.begin() + static_cast<ptrdiff_t>(kept),
              [](const Typicality& a, const Typicality& b) { return a.index < b.index; });
    // Indices rise, so entry i is never overwritten before it is read.
    for (size_t i = 0; i < kept; ++i) candidates[i] = candidates[scratch[i].index];
    candidates.resize(kept);
}

void keep_top_p(float top_p, bool sorted, std::vector<Candidate>& candidates) {
    const double wanted = static_cast<double>(top_p) * total_weight(candidates);
    const size_t kept = count_for_mass(candidates, sorted, wanted, ranks_before,
                                       [](const Candidate& candidate) { return candidate.p; });
    candidates.resize(kept);
}

void keep_min_p(float min_p, std::vector<Candidate>& candidates) noexcept {
    float best = 0;
    for (const Candidate& candidate : candidates) best = std::max(best, candidate.p);
    const double least = static_cast<double>(min_p) * best;
    std::erase_if(candidates, [least](const Candidate& candidate) { return candidate.p < least; });
}

double total_weight(const std::vector<Candidate>& candidates) noexcept {
    double sum = 0;
    for (const Candidate& candidate : candidates) sum += candidate.p;
    return sum;
}

bitnet_token draw(const std::vector<Candidate>& candidates, double u) noexcept {
    const double target = u * total_weight(candidates);
    double sum = 0;
    bitnet_token last = candidates.front().token;
    for (const Candidate& candidate : candidates) {
        sum += candidate.p;
        if (target < sum) return candidate.token;
        if (candidate.p > 0) last = candidate.token;
    }
    return last;  // u * total rounded up to the total itself
}

}  // namespace bitnet
