// Picks tokens from logits. Knows no model and no context; the C interface's bitnet_sampler is one of these.
// One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "bitnet.h"
#include "src/base/logit_row.h"
#include "src/sampler/adaptive_steps.h"
#include "src/sampler/dry_history.h"
#include "src/sampler/rng.h"
#include "src/sampler/sampler_steps.h"
#include "src/sampler/token_filter.h"
#include "src/sampler/token_history.h"

namespace bitnet {

// bitnet_sampler_params with its arrays copied; the defaults are those of the C interface.
struct SamplerConfig {
    float temperature = 0.7f;
    int32_t top_k = 50;
    float top_p = 0.9f;
    float min_p = 0;
    float typical_p = 1;
    float repetition_penalty = 1;
    float frequency_penalty = 0;
    float presence_penalty = 0;
    int32_t penalty_last_n = 64;
    bool has_seed = false;
    uint64_t seed = 0;
    std::vector<bitnet_logit_bias> logit_bias;
    float xtc_probability = 0;
    float xtc_threshold = 0.1f;
    DryConfig dry;
    float dynatemp_range = 0;
    float dynatemp_exponent = 1;
    float top_n_sigma = 0;
    MirostatConfig mirostat;
};

// Throws BITNET_E_CONFIG naming the first parameter that is NaN or out of range, its value and the range.
void check_sampler_config(const SamplerConfig& config);
// Throws BITNET_E_ARGUMENT unless there is at least one logit and an id for each.
void check_logits(const LogitRow& row);

class Sampler {
public:
    // Throws BITNET_E_CONFIG as above. Without a seed, choose_seed finds one.
    explicit Sampler(SamplerConfig config);

    // Picks a token and accepts it. Throws BITNET_E_ARGUMENT for no logits; after a failure the sampler is as before.
    // A sampler that is not greedy advances its generator by exactly one draw each time, two with XTC, whatever the
    // logits hold.
    bitnet_token sample(const float* logits, size_t n_vocab) { return sample(LogitRow(logits, n_vocab)); }
    // A row of some tokens only is for a sampler that needs_only_top(), and holds what that names.
    bitnet_token sample(const LogitRow& row);
    // Counts a token for the penalties and DRY. Throws BITNET_E_TOKEN for a negative id.
    void accept(bitnet_token token);
    // Whether sample() picks the same where only the *k largest logits and those of *also are given and the others are
    // -infinity: whatever it does to the logits of *also. May allocate for *also.
    bool needs_only_top(size_t* k, std::vector<bitnet_token>* also) const;
    // Whether what sample() does depends on the logits it saw before.
    bool learns_from_logits() const noexcept { return mirostat_.on() && !greedy(); }
    // Goes on as if sample() had just drawn this token: for replaying a text without its logits, where it does not learn
    // from them.
    void follow(bitnet_token token);
    void reset() noexcept;
    // From now on only tokens that the filter allows are picked; null takes it away.
    void set_filter(std::unique_ptr<TokenFilter> filter) noexcept { filter_ = std::move(filter); }
    uint64_t seed() const noexcept { return config_.seed; }
    // What the next sample() would draw from: n_vocab floats that sum to 1.
    void probabilities(const float* logits, size_t n_vocab, float* out_probabilities);

private:
    bool greedy() const noexcept { return config_.temperature <= 0; }
    bool xtc_on() const noexcept { return config_.xtc_probability > 0 && !mirostat_.on(); }
    // Whether this sample leaves the top choices out; takes XTC's draw, if it is on.
    bool draw_exclusion(Pcg32& rng) const noexcept;
    // The row's logits after bias, penalties and DRY, sanitized, in adjusted_.
    void adjust(const LogitRow& row);
    int64_t pick_greedy(const LogitRow& row);
    // Fills candidates_; false when no logit is finite.
    bool filter(const LogitRow& row, bool exclude_top);
    // Temperature in use for candidates_, whose weights it may overwrite.
    float temperature_in_use() noexcept;
    bitnet_token lowest_allowed(size_t n_vocab) const noexcept;
    // The row with -infinity where the filter forbids a token; the row itself without one.
    LogitRow filtered(const LogitRow& row);

    SamplerConfig config_;
    bool penalized_;                       // some penalty is on; otherwise no history is kept
    std::vector<bitnet_token> forbidden_;  // tokens with a bias of -infinity, rising, without repeats
    Pcg32 rng_;
    TokenHistory history_;
    DryHistory dry_;
    Mirostat mirostat_;
    std::unique_ptr<TokenFilter> filter_;
    std::span<const uint64_t> allowed_;  // the filter's last answer
    std::vector<float> filtered_;        // buffers kept between calls
    std::vector<float> adjusted_;
    std::vector<Candidate> candidates_;
    std::vector<Typicality> typicality_;
};

}  // namespace bitnet
