// Samplers.
#include <chrono>

#include "src/api/api_guard.h"
#include "src/api/handles.h"
#include "src/api/sampler_config.h"

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
    write_params(params, struct_size, defaults);
}

bitnet_status bitnet_sampler_create(const bitnet_sampler_params* params, bitnet_sampler** out_sampler) {
    if (out_sampler != nullptr) *out_sampler = nullptr;
    return api_call(__func__, [&] {
        require(out_sampler != nullptr, "bitnet_sampler_create: out_sampler is NULL");
        *out_sampler = new bitnet_sampler{Sampler(read_sampler_config(params))};
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
        const float* logits = context->context.logits(index);
        const auto begin = std::chrono::steady_clock::now();
        *out_token = sampler->sampler.sample(logits, static_cast<size_t>(context->state->model.hparams.n_vocab));
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

}  // extern "C"
