// Sums run in double, in the order of ids. A single accumulator is the order; the exponentials dominate the time anyway.
#include "src/sampler/logits_math.h"

#include <algorithm>
#include <limits>

#include "src/sampler/natural_math.h"
#include "src/sampler/sampler_steps.h"

namespace bitnet {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// exp(logit - best) of a logit as the model gave it.
double weight(float logit, double best) noexcept { return natural_exp(static_cast<double>(sanitized(logit)) - best); }

double sum_of_weights(const float* logits, size_t n, double best) noexcept {
    double sum = 0;
    for (size_t i = 0; i < n; ++i) sum += weight(logits[i], best);
    return sum;
}

double largest(const float* logits, int64_t best) noexcept { return sanitized(logits[best]); }

// The logprob field holds the logit while the best are being found.
bool is_better(const bitnet_token_logprob& a, const bitnet_token_logprob& b) noexcept {
    return a.logprob != b.logprob ? a.logprob > b.logprob : a.token < b.token;
}

}  // namespace

bitnet_token find_best(const float* logits, size_t n) noexcept {
    return static_cast<bitnet_token>(std::max<int64_t>(find_greedy(logits, n), 0));
}

void softmax_logits(const float* logits, size_t n, float* out) noexcept {
    const int64_t best_id = find_greedy(logits, n);
    if (best_id < 0) {
        std::fill_n(out, n, 0.0f);
        out[0] = 1;
        return;
    }
    const double best = largest(logits, best_id);
    const double sum = sum_of_weights(logits, n, best);
    for (size_t i = 0; i < n; ++i) out[i] = static_cast<float>(weight(logits[i], best) / sum);
}

LogSoftmax::LogSoftmax(const float* logits, size_t n) noexcept : logits_(logits), n_(n) {
    const int64_t best_id = find_greedy(logits, n);
    none_finite_ = best_id < 0;
    if (none_finite_) return;
    best_ = largest(logits, best_id);
    log_sum_ = natural_log(sum_of_weights(logits, n, best_));
}

float LogSoftmax::logprob(bitnet_token token) const noexcept {
    if (none_finite_) return token == 0 ? 0 : -kInfinity;
    return of_logit(sanitized(logits_[token]));
}

float LogSoftmax::of_logit(float logit) const noexcept {
    if (logit == -kInfinity) return -kInfinity;
    const double logprob = (static_cast<double>(logit) - best_) - log_sum_;
    return static_cast<float>(std::max<double>(logprob, std::numeric_limits<float>::lowest()));
}

void LogSoftmax::top(bitnet_token_logprob* out, size_t n_top) const noexcept {
    if (n_top == 0) return;
    // A heap of the best so far with the worst of them in front. Ids rise, so an equal logit never displaces.
    size_t size = 0;
    for (size_t i = 0; i < n_; ++i) {
        const float logit = sanitized(logits_[i]);
        if (size == n_top) {
            if (!(logit > out[0].logprob)) continue;
            std::pop_heap(out, out + size, is_better);
            --size;
        }
        out[size++] = {static_cast<bitnet_token>(i), logit};
        std::push_heap(out, out + size, is_better);
    }
    std::sort_heap(out, out + size, is_better);
    for (size_t i = 0; i < size; ++i) out[i].logprob = none_finite_ ? logprob(out[i].token) : of_logit(out[i].logprob);
}

}  // namespace bitnet
