// Steps that look at the whole shape of the distribution, or at how the text went so far: top-n-sigma, dynamic temperature,
// XTC and mirostat. The rules of sampler_steps.h hold here, too; bitnet.h has the formulas and where they come from.
#pragma once

#include <cstddef>
#include <vector>

#include "bitnet.h"
#include "src/sampler/sampler_steps.h"

namespace bitnet {

// Forbids the logits below the largest one minus n_sigma standard deviations of the finite ones. Sanitized logits.
void forbid_below_sigmas(float n_sigma, float* logits, size_t n) noexcept;

struct DynamicTemperature {
    float middle = 1;    // > 0
    float range = 0;     // > 0
    float exponent = 1;  // > 0
};
// The temperature for these candidates, at least the smallest normal float. Overwrites the weights; needs a candidate.
float dynamic_temperature(const DynamicTemperature& params, std::vector<Candidate>& candidates) noexcept;

// XTC once its chance has come: of the candidates whose probability reaches the threshold only the last one stays.
void exclude_top_choices(float threshold, std::vector<Candidate>& candidates) noexcept;

struct MirostatConfig {
    int32_t algorithm = 0;  // 0: off; 1, 2
    float tau = 5;
    float eta = 0.1f;
};

// Holds the surprise of a text at a target by choosing how many candidates each draw sees.
class Mirostat {
public:
    explicit Mirostat(const MirostatConfig& config) noexcept : config_(config) { reset(); }

    bool on() const noexcept { return config_.algorithm != 0; }
    double mu() const noexcept { return mu_; }
    void reset() noexcept { mu_ = 2 * static_cast<double>(config_.tau); }

    // Keeps the candidates that the next draw may take; weights are at the temperature given. The best one always stays.
    void keep(float temperature, std::vector<Candidate>& candidates) const;
    // Learns from the token drawn among the candidates that were kept.
    void observe(bitnet_token token, const std::vector<Candidate>& candidates) noexcept;

private:
    MirostatConfig config_;
    double mu_ = 0;  // the largest surprise allowed, in bits
};

}  // namespace bitnet
