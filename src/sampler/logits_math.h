// What can be said of logits without a sampler: softmax and log-probabilities of the model's own distribution. NaN and
// infinities count as in sanitized(); where no logit is above -infinity, token 0 has all the probability, as it would be
// picked.
#pragma once

#include <cstddef>

#include "bitnet.h"

namespace bitnet {

// The lowest id among the largest logits. n >= 1, here and below.
bitnet_token find_best(const float* logits, size_t n) noexcept;

// out may be the logits.
void softmax_logits(const float* logits, size_t n, float* out) noexcept;

// Makes logprobs out of logits: the sum over the vocabulary is taken once.
class LogSoftmax {
public:
    LogSoftmax(const float* logits, size_t n) noexcept;

    // token must be below n. Finite for every token whose logit is.
    float logprob(bitnet_token token) const noexcept;
    // The n_top most likely tokens, best first, the lowest id among equals; n_top <= n. Does not allocate.
    void top(bitnet_token_logprob* out, size_t n_top) const noexcept;

private:
    float of_logit(float logit) const noexcept;

    const float* logits_;
    size_t n_;
    bool none_finite_;
    double best_ = 0;     // the largest logit
    double log_sum_ = 0;  // log of the sum of exp(logit - best)
};

}  // namespace bitnet
