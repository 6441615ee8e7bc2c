// The order of the steps, and the checks around them.
#include "src/sampler/sampler.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "src/base/error.h"
#include "src/sampler/seed_source.h"

namespace bitnet {
namespace {

// Shortest text that reads back as the same number, without the locale.
template <typename Number>
std::string to_text(Number value) {
    char buffer[64];
    const auto result = std::to_chars(buffer, buffer + sizeof buffer, value);
    return std::string(buffer, result.ptr);
}

void require(bool valid, const char* name, const std::string& value, const char* range) {
    if (valid) return;
    throw Error(BITNET_E_CONFIG, std::string("sampler parameter ") + name + " is " + value + "; it must be " + range)
        .with_subject(name);
}

void require_unit(float value, const char* name, const char* range) {
    require(value >= 0 && value <= 1, name, to_text(value), range);
}

void require_finite_from(float value, float least, const char* name, const char* range) {
    require(std::isfinite(value) && value >= least, name, to_text(value), range);
}

void check_repetition_steps(const SamplerConfig& config) {
    require_unit(config.xtc_probability, "xtc_probability", "between 0 (off) and 1");
    require_unit(config.xtc_threshold, "xtc_threshold", "between 0 and 1");
    require_finite_from(config.dry.multiplier, 0, "dry_multiplier", "a finite number, 0 (off) or more");
    require_finite_from(config.dry.base, 1, "dry_base", "a finite number, 1 or more");
    require(config.dry.allowed_length >= 1, "dry_allowed_length", to_text(config.dry.allowed_length), "1 or more");
    require(config.dry.last_n >= 0 && config.dry.last_n <= DryHistory::kMostTokens, "dry_penalty_last_n",
            to_text(config.dry.last_n), "between 0 (none) and 1048576");
    for (size_t i = 0; i < config.dry.breakers.size(); ++i) {
        const std::string name = "dry_breakers[" + to_text(i) + "]";
        require(config.dry.breakers[i] >= 0, name.c_str(), to_text(config.dry.breakers[i]), "a token id, 0 or more");
    }
}

void check_adaptive_steps(const SamplerConfig& config) {
    require_finite_from(config.dynatemp_range, 0, "dynatemp_range", "a finite number, 0 (off) or more");
    require(std::isfinite(config.dynatemp_exponent) && config.dynatemp_exponent > 0, "dynatemp_exponent",
            to_text(config.dynatemp_exponent), "a finite number above 0");
    require_finite_from(config.top_n_sigma, 0, "top_n_sigma", "a finite number, 0 (off) or more");
    const MirostatConfig& mirostat = config.mirostat;
    require(mirostat.algorithm >= 0 && mirostat.algorithm <= 2, "mirostat", to_text(mirostat.algorithm),
            "0 (off), 1 or 2");
    require_finite_from(mirostat.tau, 0, "mirostat_tau", "a finite number, 0 or more");
    require_finite_from(mirostat.eta, 0, "mirostat_eta", "a finite number, 0 or more");
}

}  // namespace

void check_logits(const LogitRow& row) {
    const size_t n_vocab = row.n_vocab;
    if (row.logits == nullptr && row.tokens == nullptr)
        throw Error(BITNET_E_ARGUMENT, "the logits are NULL; pass n_vocab floats");
    if (n_vocab == 0)
        throw Error(BITNET_E_ARGUMENT, "n_vocab is 0; a token can only be picked from at least one logit");
    if (n_vocab > static_cast<size_t>(std::numeric_limits<bitnet_token>::max()))
        throw Error(BITNET_E_ARGUMENT, "n_vocab is " + to_text(n_vocab) +
                                           "; token ids end at 2147483647, so pass at most that many logits");
}

void check_sampler_config(const SamplerConfig& config) {
    require(std::isfinite(config.temperature), "temperature", to_text(config.temperature),
            "a finite number (0 or less picks the best token)");
    require(config.top_k >= 0, "top_k", to_text(config.top_k), "0 (off) or more");
    require_unit(config.top_p, "top_p", "between 0 and 1 (off)");
    require_unit(config.min_p, "min_p", "between 0 (off) and 1");
    require_unit(config.typical_p, "typical_p", "between 0 and 1 (off)");
    require(std::isfinite(config.repetition_penalty) && config.repetition_penalty > 0, "repetition_penalty",
            to_text(config.repetition_penalty), "a finite number above 0 (1 is off)");
    require(std::isfinite(config.frequency_penalty), "frequency_penalty", to_text(config.frequency_penalty),
            "a finite number (0 is off)");
    require(std::isfinite(config.presence_penalty), "presence_penalty", to_text(config.presence_penalty),
            "a finite number (0 is off)");
    require(config.penalty_last_n >= -1, "penalty_last_n", to_text(config.penalty_last_n),
            "-1 (all tokens), 0 (none) or a count");
    for (size_t i = 0; i < config.logit_bias.size(); ++i) {
        const bitnet_logit_bias& entry = config.logit_bias[i];
        const std::string name = "logit_bias[" + to_text(i) + "]";
        require(entry.token >= 0, (name + ".token").c_str(), to_text(entry.token), "0 or more");
        require(entry.bias < std::numeric_limits<float>::infinity(), (name + ".bias").c_str(), to_text(entry.bias),
                "a finite number, or -infinity to forbid the token");
    }
    check_repetition_steps(config);
    check_adaptive_steps(config);
}

Sampler::Sampler(SamplerConfig config)
    : config_((check_sampler_config(config), std::move(config))),
      penalized_(config_.repetition_penalty != 1 || config_.frequency_penalty != 0 || config_.presence_penalty != 0),
      rng_(config_.has_seed ? config_.seed : config_.seed = choose_seed(environment())),
      history_(penalized_ ? config_.penalty_last_n : 0), dry_(config_.dry), mirostat_(config_.mirostat) {
    for (const bitnet_logit_bias& entry : config_.logit_bias)
        if (entry.bias == -std::numeric_limits<float>::infinity()) forbidden_.push_back(entry.token);
    std::sort(forbidden_.begin(), forbidden_.end());
    forbidden_.erase(std::unique(forbidden_.begin(), forbidden_.end()), forbidden_.end());
}

bitnet_token Sampler::sample(const LogitRow& given) {
    check_logits(given);
    // Everything that may fail comes first: after it, generator and history move together.
    history_.reserve_one();
    dry_.reserve_one();
    const LogitRow row = filtered(given);
    bitnet_token token;
    Pcg32 rng = rng_;
    bool learns = false;
    if (greedy()) {
        const int64_t best = pick_greedy(row);
        token = best >= 0 ? static_cast<bitnet_token>(best) : lowest_allowed(row.n_vocab);
    } else {
        const bool exclude_top = draw_exclusion(rng);
        const bool some_finite = filter(row, exclude_top);
        const double u = rng.next_unit();
        token = some_finite ? draw(candidates_, u) : lowest_allowed(row.n_vocab);
        learns = some_finite && mirostat_.on();
    }
    if (filter_ != nullptr) filter_->accept(token);
    rng_ = rng;
    if (learns) mirostat_.observe(token, candidates_);
    history_.add(token);
    dry_.add(token);
    return token;
}

bool Sampler::needs_only_top(size_t* k, std::vector<bitnet_token>* also) const {
    if (filter_ != nullptr || !dry_.empty()) return false;  // which tokens they change is known only in the end
    if (!greedy() && (config_.top_k <= 0 || config_.top_n_sigma > 0 || mirostat_.on())) return false;
    *k = greedy() ? 1 : static_cast<size_t>(config_.top_k);
    also->clear();
    for (const bitnet_logit_bias& entry : config_.logit_bias) also->push_back(entry.token);
    for (const TokenCount& entry : history_.counts()) also->push_back(entry.token);
    return true;
}

void Sampler::accept(bitnet_token token) {
    if (token < 0) throw Error(BITNET_E_TOKEN, "token " + to_text(token) + " cannot be accepted; ids start at 0");
    history_.reserve_one();
    dry_.reserve_one();
    if (filter_ != nullptr) filter_->accept(token);
    history_.add(token);
    dry_.add(token);
}

void Sampler::follow(bitnet_token token) {
    accept(token);
    if (greedy()) return;
    draw_exclusion(rng_);
    rng_.next_unit();
}

void Sampler::reset() noexcept {
    if (filter_ != nullptr) filter_->reset();
    history_.clear();
    dry_.clear();
    mirostat_.reset();
    rng_ = Pcg32(config_.seed);
}

void Sampler::probabilities(const float* logits, size_t n_vocab, float* out_probabilities) {
    check_logits({logits, n_vocab});
    if (out_probabilities == nullptr)
        throw Error(BITNET_E_ARGUMENT, "out_probabilities is NULL; pass room for n_vocab floats");
    const LogitRow row = filtered(LogitRow(logits, n_vocab));
    // The choice is made before anything is written: out_probabilities may be the logits themselves.
    Pcg32 rng = rng_;  // a copy: the sample that comes next takes the same draws
    const int64_t best = greedy() ? pick_greedy(row) : (filter(row, draw_exclusion(rng)) ? 0 : -1);
    std::fill_n(out_probabilities, n_vocab, 0.0f);
    if (best < 0) {
        out_probabilities[lowest_allowed(n_vocab)] = 1;
    } else if (greedy()) {
        out_probabilities[best] = 1;
    } else {
        const double total = total_weight(candidates_);
        for (const Candidate& candidate : candidates_)
            out_probabilities[candidate.token] = static_cast<float>(candidate.p / total);
    }
}

void Sampler::adjust(const LogitRow& row) {
    adjusted_.resize(row.n);
    sanitize_logits(row.logits, row.n, adjusted_.data());
    apply_bias(config_.logit_bias, row, adjusted_.data());
    const Penalties penalties{config_.repetition_penalty, config_.frequency_penalty, config_.presence_penalty};
    apply_penalties(penalties, history_.counts(), row, adjusted_.data());
    dry_.apply(adjusted_.data(), row.n);
}

bool Sampler::draw_exclusion(Pcg32& rng) const noexcept {
    return xtc_on() && rng.next_unit() < static_cast<double>(config_.xtc_probability);
}

int64_t Sampler::pick_greedy(const LogitRow& row) {
    const float* logits = row.logits;
    if (!config_.logit_bias.empty() || !history_.counts().empty() || !dry_.empty()) {
        adjust(row);
        logits = adjusted_.data();
    }
    const int64_t best = find_greedy(logits, row.n);
    return best >= 0 ? row.token(static_cast<size_t>(best)) : best;
}

bool Sampler::filter(const LogitRow& row, bool exclude_top) {
    adjust(row);
    const bool mirostat = mirostat_.on();
    if (config_.top_n_sigma > 0 && !mirostat) forbid_below_sigmas(config_.top_n_sigma, adjusted_.data(), row.n);
    const int32_t top_k = mirostat ? 0 : config_.top_k;
    collect_candidates(adjusted_.data(), row.n, static_cast<size_t>(top_k), candidates_);
    if (candidates_.empty()) return false;
    // Tokens rise with their places, so that ties were broken by either alike.
    for (Candidate& candidate : candidates_) candidate.token = row.token(static_cast<size_t>(candidate.token));
    const float temperature = temperature_in_use();
    weigh(temperature, candidates_);
    if (mirostat) {
        mirostat_.keep(temperature, candidates_);
        return true;
    }
    if (config_.typical_p < 1) keep_typical(config_.typical_p, temperature, candidates_, typicality_);
    if (config_.top_p < 1) keep_top_p(config_.top_p, config_.top_k > 0, candidates_);
    if (config_.min_p > 0) keep_min_p(config_.min_p, candidates_);
    if (exclude_top) exclude_top_choices(config_.xtc_threshold, candidates_);
    return true;
}

LogitRow Sampler::filtered(const LogitRow& row) {
    if (filter_ == nullptr) return row;
    allowed_ = filter_->allowed();
    filtered_.resize(row.n);
    size_t n_allowed = 0;
    for (size_t i = 0; i < row.n; ++i) {
        const bool may_come = is_allowed(allowed_, static_cast<size_t>(row.token(i)));
        filtered_[i] = may_come ? row.logits[i] : -std::numeric_limits<float>::infinity();
        n_allowed += may_come ? 1 : 0;
    }
    if (n_allowed == 0) {
        throw Error(BITNET_E_ARGUMENT,
                    "none of the " + to_text(row.n) +
                        " logits belongs to a token that the grammar allows; pass those of the whole "
                        "vocabulary, and a grammar made for the model's tokenizer");
    }
    return {filtered_.data(), row.tokens, row.n, row.n_vocab};
}

float Sampler::temperature_in_use() noexcept {
    if (config_.dynatemp_range <= 0) return config_.temperature;
    return dynamic_temperature({config_.temperature, config_.dynatemp_range, config_.dynatemp_exponent}, candidates_);
}

bitnet_token Sampler::lowest_allowed(size_t n_vocab) const noexcept {
    if (filter_ != nullptr) {
        int64_t lowest = -1;
        for (size_t i = 0; i < n_vocab; ++i) {
            if (!is_allowed(allowed_, i)) continue;
            const auto id = static_cast<bitnet_token>(i);
            if (!std::binary_search(forbidden_.begin(), forbidden_.end(), id)) return id;
            if (lowest < 0) lowest = id;
        }
        return static_cast<bitnet_token>(lowest);  // forbidden by a bias; what the filter forbids never comes
    }
    bitnet_token token = 0;
    for (const bitnet_token forbidden : forbidden_) {
        if (forbidden != token) break;
        ++token;
    }
    // Everything is forbidden: a token must be given all the same, and the lowest is as good as any.
    return static_cast<size_t>(token) < n_vocab ? token : 0;
}

}  // namespace bitnet
