// Forward passes outside of the sequences, and the logits after given tokens as a copy.
#include <cmath>

#include "src/api/api_guard.h"
#include "src/api/handles.h"
#include "src/context/prefill.h"

using namespace bitnet;

namespace {

void init_input(bitnet_forward_input* input, uint32_t struct_size) {
    write_params(input, struct_size, bitnet_forward_input{});
}

// Writes *out_n and throws where the buffer is too small, before anything is computed.
void check_capacity(size_t n, size_t capacity, size_t* out_n) {
    if (n > capacity) write_buffer<float>(nullptr, n, nullptr, capacity, out_n, "floats");
    if (out_n != nullptr) *out_n = n;
}

}  // namespace

extern "C" {

bitnet_status bitnet_context_forward(bitnet_context* context, const bitnet_forward_input* input, float* out,
                                     size_t capacity, size_t* out_n) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr && input != nullptr, "bitnet_context_forward: a pointer is NULL");
        const bitnet_forward_input full = read_params(input, init_input);
        require(full.tokens != nullptr, "bitnet_forward_input.tokens is NULL");
        require(full.output == BITNET_FORWARD_LOGITS || full.output == BITNET_FORWARD_HIDDEN,
                "bitnet_forward_input.output is no bitnet_forward_output");
        ForwardView view;
        view.n_tokens = full.n_tokens;
        view.tokens = full.tokens;
        view.positions = full.positions;
        view.mask = full.mask;
        view.want_output = full.want_output;
        view.hidden = full.output == BITNET_FORWARD_HIDDEN;
        const size_t n = context->context.forward_floats(view);
        check_capacity(n, capacity, out_n);
        require(n == 0 || out != nullptr, "bitnet_context_forward: out is NULL");
        context->context.forward(view, out);
    });
}

bitnet_status bitnet_context_next_token_logits(bitnet_context* context, bitnet_seq_id seq_id,
                                               const bitnet_token* tokens, size_t n_tokens, float temperature,
                                               float* out, size_t capacity, size_t* out_n) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr, "the context is NULL");
        require(tokens != nullptr || n_tokens == 0, "tokens is NULL");
        require(std::isfinite(temperature) && temperature > 0.0f,
                "the temperature is not a number above 0; 1 leaves the logits as they are, a sampler can be greedy");
        const size_t n = static_cast<size_t>(context->state->model.hparams.n_vocab);
        check_capacity(n, capacity, out_n);
        require(out != nullptr, "bitnet_context_next_token_logits: out is NULL");
        prefill_sequence(context->context, seq_id, {tokens, n_tokens});
        const float* logits = context->context.logits(-1);
        for (size_t i = 0; i < n; ++i) out[i] = logits[i] / temperature;
    });
}

}  // extern "C"
