// Samplers.
#include <chrono>

#include "src/api/api_guard.h"
#include "src/api/handles.h"
#include "src/api/sampler_config.h"
#include "src/sampler/logits_math.h"

using namespace bitnet;

namespace bitnet {

SamplerConfig read_sampler_config(const bitnet_sampler_params* params) {
    const bitnet_sampler_params p = read_params(params, bitnet_sampler_params_init);
    SamplerConfig config;
    config.temperature = p.temperature;
    config.top_k = p.top_k;
    config.top_p = p.top_p;
    config.min_p = p.min_p;
    config.typical_p = p.typical_p;
    config.repetition_penalty = p.repetition_penalty;
    config.frequency_penalty = p.frequency_penalty;
    config.presence_penalty = p.presence_penalty;
    config.penalty_last_n = p.penalty_last_n;
    config.has_seed = p.has_seed != 0;
    config.seed = p.seed;
    require(p.n_logit_bias == 0 || p.logit_bias != nullptr, "bitnet_sampler_params.logit_bias is NULL");
    config.logit_bias.assign(p.logit_bias, p.logit_bias + p.n_logit_bias);
    config.xtc_probability = p.xtc_probability;
    config.xtc_threshold = p.xtc_threshold;
    config.dry.multiplier = p.dry_multiplier;
    config.dry.base = p.dry_base;
    config.dry.allowed_length = p.dry_allowed_length;
    config.dry.last_n = p.dry_penalty_last_n;
    require(p.n_dry_breakers == 0 || p.dry_breakers != nullptr, "bitnet_sampler_params.dry_breakers is NULL");
    config.dry.breakers.assign(p.dry_breakers, p.dry_breakers + p.n_dry_breakers);
    config.dynatemp_range = p.dynatemp_range;
    config.dynatemp_exponent = p.dynatemp_exponent;
    config.top_n_sigma = p.top_n_sigma;
    config.mirostat = {p.mirostat, p.mirostat_tau, p.mirostat_eta};
    return config;
}

}  // namespace bitnet

extern "C" {

void bitnet_sampler_params_init(bitnet_sampler_params* params, uint32_t struct_size) {
    const SamplerConfig config;
    bitnet_sampler_params defaults;
    std::memset(&defaults, 0, sizeof defaults);
    defaults.temperature = config.temperature;
    defaults.top_k = config.top_k;
    defaults.top_p = config.top_p;
    defaults.min_p = config.min_p;
    defaults.typical_p = config.typical_p;
    defaults.repetition_penalty = config.repetition_penalty;
    defaults.frequency_penalty = config.frequency_penalty;
    defaults.presence_penalty = config.presence_penalty;
    defaults.penalty_last_n = config.penalty_last_n;
    defaults.xtc_probability = config.xtc_probability;
    defaults.xtc_threshold = config.xtc_threshold;
    defaults.dry_multiplier = config.dry.multiplier;
    defaults.dry_base = config.dry.base;
    defaults.dry_allowed_length = config.dry.allowed_length;
    defaults.dry_penalty_last_n = config.dry.last_n;
    defaults.dynatemp_range = config.dynatemp_range;
    defaults.dynatemp_exponent = config.dynatemp_exponent;
    defaults.top_n_sigma = config.top_n_sigma;
    defaults.mirostat = config.mirostat.algorithm;
    defaults.mirostat_tau = config.mirostat.tau;
    defaults.mirostat_eta = config.mirostat.eta;
    write_params(params, struct_size, defaults);
}

bitnet_status bitnet_sampler_create(const bitnet_sampler_params* params, bitnet_sampler** out_sampler) {
    if (out_sampler != nullptr) *out_sampler = nullptr;
    return api_call(__func__, [&] {
        require(out_sampler != nullptr, "bitnet_sampler_create: out_sampler is NULL");
        *out_sampler = new bitnet_sampler{Sampler(read_sampler_config(params)), {}};
    });
}

void bitnet_sampler_free(bitnet_sampler* sampler) { delete sampler; }

bitnet_status bitnet_sampler_sample(bitnet_sampler* sampler, const float* logits, size_t n_vocab, bitnet_token* out_token) {
    return api_call(__func__, [&] {
        require(sampler != nullptr && logits != nullptr && out_token != nullptr, "bitnet_sampler_sample: a pointer is NULL");
        *out_token = sampler->sampler.sample(logits, n_vocab);
    });
}

bitnet_status bitnet_sampler_sample_context(bitnet_sampler* sampler, bitnet_context* context, int32_t index,
                                            bitnet_token* out_token) {
    return api_call(__func__, about(context), [&] {
        require(sampler != nullptr && context != nullptr && out_token != nullptr,
                "bitnet_sampler_sample_context: a pointer is NULL");
        size_t k = 0;
        std::vector<bitnet_token>& also = sampler->also;
        const size_t n_vocab = static_cast<size_t>(context->state->model.hparams.n_vocab);
        const LogitRow row = sampler->sampler.needs_only_top(&k, &also)
                                 ? context->context.top_logits(index, k, also)
                                 : LogitRow(context->context.logits(index), n_vocab);
        const auto begin = std::chrono::steady_clock::now();
        *out_token = sampler->sampler.sample(row);
        PerformanceCounters& performance = context->context.performance();
        performance.add_sampling(static_cast<uint64_t>(
            std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin).count()));
        performance.count_sampled();
        performance.count_token();
    });
}

bitnet_status bitnet_sampler_accept(bitnet_sampler* sampler, bitnet_token token) {
    return api_call(__func__, [&] {
        require(sampler != nullptr, "the sampler is NULL");
        sampler->sampler.accept(token);
    });
}

bitnet_status bitnet_sampler_reset(bitnet_sampler* sampler) {
    return api_call(__func__, [&] {
        require(sampler != nullptr, "the sampler is NULL");
        sampler->sampler.reset();
    });
}

uint64_t bitnet_sampler_get_seed(const bitnet_sampler* sampler) { return sampler != nullptr ? sampler->sampler.seed() : 0; }

bitnet_status bitnet_sampler_get_probabilities(bitnet_sampler* sampler, const float* logits, size_t n_vocab,
                                               float* out_probabilities) {
    return api_call(__func__, [&] {
        require(sampler != nullptr && logits != nullptr && out_probabilities != nullptr,
                "bitnet_sampler_get_probabilities: a pointer is NULL");
        sampler->sampler.probabilities(logits, n_vocab, out_probabilities);
    });
}

bitnet_status bitnet_logits_argmax(const float* logits, size_t n_vocab, bitnet_token* out_token) {
    return api_call(__func__, [&] {
        require(out_token != nullptr, "bitnet_logits_argmax: out_token is NULL");
        check_logits({logits, n_vocab});
        *out_token = find_best(logits, n_vocab);
    });
}

bitnet_status bitnet_logits_softmax(const float* logits, size_t n_vocab, float* out_probabilities) {
    return api_call(__func__, [&] {
        require(out_probabilities != nullptr, "bitnet_logits_softmax: out_probabilities is NULL");
        check_logits({logits, n_vocab});
        softmax_logits(logits, n_vocab, out_probabilities);
    });
}

bitnet_status bitnet_logits_sample(const float* logits, size_t n_vocab, const bitnet_sampler_params* params,
                                   bitnet_token* out_token) {
    return api_call(__func__, [&] {
        require(out_token != nullptr, "bitnet_logits_sample: out_token is NULL");
        *out_token = Sampler(read_sampler_config(params)).sample(logits, n_vocab);
    });
}

bitnet_status bitnet_logits_get_top_logprobs(const float* logits, size_t n_vocab, bitnet_token token,
                                             float* out_logprob, bitnet_token_logprob* out_top, size_t n_top) {
    return api_call(__func__, [&] {
        check_logits({logits, n_vocab});
        require(n_top == 0 || out_top != nullptr, "bitnet_logits_get_top_logprobs: out_top is NULL");
        if (n_top > n_vocab) {
            throw Error(BITNET_E_ARGUMENT, "n_top is " + std::to_string(n_top) + ", but there are only " +
                                               std::to_string(n_vocab) + " logits; ask for at most that many");
        }
        if (out_logprob != nullptr && (token < 0 || static_cast<size_t>(token) >= n_vocab)) {
            throw Error(BITNET_E_TOKEN, "token " + std::to_string(token) + " is outside the vocabulary of " +
                                            std::to_string(n_vocab));
        }
        const LogSoftmax log_softmax(logits, n_vocab);
        if (out_logprob != nullptr) *out_logprob = log_softmax.logprob(token);
        log_softmax.top(out_top, n_top);
    });
}

}  // extern "C"
