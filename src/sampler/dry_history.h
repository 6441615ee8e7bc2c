// DRY ("don't repeat yourself", p-e-w 2024): weakens tokens that would go on with a repetition of what was accepted before,
// the more the longer the repetition already is. Holds the window of tokens it looks into; time and memory are linear in
// that window and in the vocabulary.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bitnet.h"

namespace bitnet {

struct DryConfig {
    float multiplier = 0;  // 0: off
    float base = 1.75f;    // >= 1
    int32_t allowed_length = 2;
    int32_t last_n = 1024;
    std::vector<bitnet_token> breakers;
};

class DryHistory {
public:
    static constexpr int32_t kMostTokens = 1 << 20;

    // Where it is off, nothing is kept and nothing done.
    explicit DryHistory(DryConfig config);

    // Makes room for one more token, so that the next add() cannot fail.
    void reserve_one();
    // Needs a reserve_one() before it.
    void add(bitnet_token token) noexcept;
    void clear() noexcept;

    bool empty() const noexcept { return ring_.empty(); }
    // Subtracts multiplier * base^(n - allowed_length) from each token that would make a repetition longer, n being the
    // longest one it goes on with. Sanitized logits; finite ones stay finite.
    void apply(float* logits, size_t n_vocab);

private:
    bool is_breaker(bitnet_token token) const noexcept;
    // Writes the window into reversed_, the newest token first.
    void reverse_window();
    // How many of the newest tokens a repetition may hold: those after the last breaker.
    size_t unbroken_length() const noexcept;
    // repeats_[i] = how many tokens from reversed_[i] on equal those from reversed_[0] on (the Z function), for i >= 1.
    void find_repeats();

    DryConfig config_;                // breakers rising, without repeats
    size_t last_n_;                   // 0 where it is off
    std::vector<bitnet_token> ring_;  // grows up to last_n_ tokens; oldest_ is the next to leave
    size_t oldest_ = 0;
    std::vector<bitnet_token> reversed_;  // buffers kept between calls
    std::vector<uint32_t> repeats_;
    std::vector<uint32_t> longest_;  // per token of the vocabulary; all 0 between calls
};

}  // namespace bitnet
