// From a spec to the library's parameters.
#include "server/engine/engine_text.h"

#include <vector>

namespace serve {

GenerationHandle make_generation(bitnet_context* context, bitnet_seq_id sequence, int32_t n_draft, EngineText& text) {
    GenerationSpec& spec = text.spec;
    std::vector<const char*> stops;
    for (const std::string& stop : spec.stop) {
        if (stop.find('\0') != stop.npos)  // the library's texts end there
            throw ApiError(ErrorCode::kValidationFailed, "a stop sequence holds a NUL character", "stop");
        stops.push_back(stop.c_str());
    }
    spec.sampler.logit_bias = spec.logit_bias.data();
    spec.sampler.n_logit_bias = spec.logit_bias.size();
    spec.sampler.dry_breakers = spec.dry_breakers.data();
    spec.sampler.n_dry_breakers = spec.dry_breakers.size();
    bitnet_generation_params params = bitnet_generation_default_params();
    params.max_new_tokens = text.max_new;
    params.skip_special_tokens = spec.skip_special_tokens ? 1 : 0;
    params.sampler = &spec.sampler;
    params.stop_sequences = stops.data();
    params.n_stop_sequences = stops.size();
    params.n_logprobs = spec.n_logprobs;
    params.grammar = spec.grammar.get();
    params.n_draft = n_draft;
    bitnet_generation* generation = nullptr;
    check(bitnet_generation_create_from_tokens(context, sequence, spec.prompt.data(), spec.prompt.size(), &params,
                                               &generation));
    return GenerationHandle(generation);
}

bitnet_generation_result read_result(const EngineText& text) {
    bitnet_generation_result result;
    result.struct_size = sizeof result;
    check(bitnet_generation_get_result(text.generation.get(), &result));
    return result;
}

}  // namespace serve
