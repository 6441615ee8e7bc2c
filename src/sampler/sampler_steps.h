// The steps of sampling, one function each; sampler.cpp calls them in the order that bitnet.h promises. Every sum is a
// double taken in candidate order, every comparison breaks ties by the lower id, and exp and log are our own: the same
// logits and the same seed pick the same token on every machine.
//
// Candidates stand in one of two orders: rising ids (as collected without top-k), or best first by the total order of
// ranks_before (after top-k or top-p). Typical and min-p keep the order they find. The draw walks that order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bitnet.h"
#include "src/base/logit_row.h"
#include "src/sampler/token_history.h"

namespace bitnet {

struct Candidate {
    bitnet_token token;
    float logit;  // after bias and penalties, before temperature; always finite
    float p;      // weight: the probability times a factor that all candidates share (the best logit has weight 1)
};

// Logit descending, then id ascending. No two candidates are equal, so partial sorts give one result everywhere.
inline bool ranks_before(const Candidate& a, const Candidate& b) noexcept {
    return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

// What a logit counts as: NaN is -infinity, +infinity the largest finite float (it wins, and ties with others of its
// kind go to the lowest id, without making inf - inf later).
float sanitized(float logit) noexcept;
void sanitize_logits(const float* logits, size_t n, float* out) noexcept;

// Adds each bias to its token's place of logits, in the order given; tokens that have none in the row are passed over. A
// finite logit and a finite bias stay finite: only a bias of -infinity forbids.
void apply_bias(const std::vector<bitnet_logit_bias>& biases, const LogitRow& row, float* logits) noexcept;

struct Penalties {
    float repetition = 1;  // > 0; logits above 0 are divided by it, others multiplied
    float frequency = 0;   // subtracted once per occurrence
    float presence = 0;    // subtracted once
};
void apply_penalties(const Penalties& penalties, const std::vector<TokenCount>& counts, const LogitRow& row,
                     float* logits) noexcept;

// The lowest id among the largest logits, with NaN and infinities as in sanitized(); -1 when no logit is above
// -infinity. Takes raw or sanitized logits.
int64_t find_greedy(const float* logits, size_t n) noexcept;

// The k best of n sanitized logits, best first; k = 0: all, in rising ids. Logits of -infinity are left out. Running
// before the temperature gives the same set as after it, without the ties that dividing could make.
void collect_candidates(const float* logits, size_t n, size_t k, std::vector<Candidate>& out);

// p = exp((logit - best logit) / temperature). Needs a candidate; temperature > 0.
void weigh(float temperature, std::vector<Candidate>& candidates) noexcept;

// Place of a candidate in the order of the typical step.
struct Typicality {
    double distance;  // | -log(probability) - entropy |
    uint32_t index;   // into the candidates
};
// Keeps the smallest set of candidates closest to the entropy whose mass reaches typical_p (C. Meister et al. 2022).
void keep_typical(float typical_p, float temperature, std::vector<Candidate>& candidates,
                  std::vector<Typicality>& scratch);
// Keeps the smallest set of best candidates whose mass reaches top_p of what is there. sorted: best come first already.
void keep_top_p(float top_p, bool sorted, std::vector<Candidate>& candidates);
// Keeps candidates whose probability is at least min_p times the best one's.
void keep_min_p(float min_p, std::vector<Candidate>& candidates) noexcept;

double total_weight(const std::vector<Candidate>& candidates) noexcept;
// The candidate that u in [0, 1) falls on; one of weight 0 is never taken. Needs a candidate with p > 0.
bitnet_token draw(const std::vector<Candidate>& candidates, double u) noexcept;

}  // namespace bitnet
