// Contexts, decoding, outputs, metrics.
#include "src/api/api_guard.h"
#include "src/api/handles.h"
#include "src/api/param_read.h"

using namespace bitnet;

namespace {

BatchView view_of(const bitnet_batch& full) {
    BatchView view;
    view.n_tokens = full.n_tokens;
    view.tokens = full.tokens;
    view.positions = full.positions;
    view.seq_ids = full.seq_ids;
    view.want_output = full.want_output;
    return view;
}

void init_batch(bitnet_batch* batch, uint32_t struct_size) { write_params(batch, struct_size, bitnet_batch{}); }

// The caller's batch, whose arrays stay his.
BatchView read_batch(const bitnet_batch* batch) {
    const bitnet_batch full = read_params(batch, init_batch);
    require(full.n_tokens >= 0, "bitnet_batch.n_tokens is negative");
    require(full.n_tokens == 0 || full.tokens != nullptr, "bitnet_batch.tokens is NULL");
    return view_of(full);
}

}  // namespace

extern "C" {

void bitnet_context_params_init(bitnet_context_params* params, uint32_t struct_size) {
    bitnet_context_params defaults;
    std::memset(&defaults, 0, sizeof defaults);
    defaults.n_ubatch = 512;
    defaults.n_seq_max = 1;
    write_params(params, struct_size, defaults);
}

bitnet_status bitnet_context_create(bitnet_model* model, const bitnet_context_params* params, bitnet_context** out_context) {
    if (out_context != nullptr) *out_context = nullptr;
    return api_call(__func__, about(model), [&] {
        require(model != nullptr && out_context != nullptr, "bitnet_context_create: a pointer is NULL");
        const bitnet_context_params full = read_params(params, bitnet_context_params_init);
        const ContextConfig config = context_config(full, model->state->model);
        // The context sees the model through a pointer that keeps the whole state alive.
        const std::shared_ptr<const Model> shared(model->state, &model->state->model);
        *out_context = new bitnet_context{model->state, {shared, config}};
    });
}

void bitnet_context_free(bitnet_context* context) { delete context; }

void bitnet_context_cancel(bitnet_context* context) {
    if (context != nullptr) context->context.cancel();
}

int32_t bitnet_context_get_n_ctx(const bitnet_context* context) {
    return context != nullptr ? context->context.config().n_ctx : 0;
}

int32_t bitnet_context_get_n_threads(const bitnet_context* context) {
    return context != nullptr ? context->context.config().n_threads : 0;
}

bitnet_status bitnet_context_get_memory(const bitnet_context* context, bitnet_memory_info* out_info) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr, "the context is NULL");
        const Model& model = context->state->model;
        bitnet_memory_info info{};
        info.weights_mapped_bytes = model.mapped_bytes;
        info.weights_owned_bytes = model.owned_bytes;
        const auto& tokenizer = context->state->tokenizer.tokenizer;
        info.vocabulary_bytes = tokenizer != nullptr ? tokenizer->bytes_used() : 0;
        info.kv_bytes = context->context.cache_in_use().bytes();
        info.scratch_bytes = context->context.scratch_bytes();
        write_info(out_info, info);
    });
}

bitnet_status bitnet_context_decode(bitnet_context* context, const bitnet_batch* batch) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr && batch != nullptr, "bitnet_context_decode: a pointer is NULL");
        context->context.decode(read_batch(batch));
    });
}

bitnet_status bitnet_context_decode_begin(bitnet_context* context, const bitnet_batch* batch) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr && batch != nullptr, "bitnet_context_decode_begin: a pointer is NULL");
        context->context.begin_steps(read_batch(batch));
    });
}

bitnet_status bitnet_context_step(bitnet_context* context, uint64_t budget_us, int32_t* out_done) {
    if (out_done != nullptr) *out_done = 0;
    return api_call(__func__, about(context), [&] {
        require(context != nullptr && out_done != nullptr, "bitnet_context_step: a pointer is NULL");
        *out_done = context->context.step(budget_us) ? 1 : 0;
    });
}

void bitnet_context_decode_abandon(bitnet_context* context) {
    if (context != nullptr) context->context.abandon_steps();
}

bitnet_status bitnet_context_decode_tokens(bitnet_context* context, bitnet_seq_id seq_id, const bitnet_token* tokens,
                                           size_t n_tokens) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr, "the context is NULL");
        require(n_tokens == 0 || tokens != nullptr, "tokens is NULL");
        context->context.check_sequence(seq_id);
        if (n_tokens > static_cast<size_t>(INT32_MAX)) throw Error(BITNET_E_ARGUMENT, "too many tokens for one call; split them");
        BatchView view;
        view.n_tokens = static_cast<int32_t>(n_tokens);
        view.tokens = tokens;
        view.seq_id = seq_id;
        context->context.decode(view);
    });
}

bitnet_status bitnet_context_get_logits(bitnet_context* context, int32_t index, const float** out_logits) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr && out_logits != nullptr, "bitnet_context_get_logits: a pointer is NULL");
        *out_logits = context->context.logits(index);
    });
}

bitnet_status bitnet_context_get_embedding(bitnet_context* context, int32_t index, int32_t normalize, float* out,
                                           size_t capacity) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr && out != nullptr, "bitnet_context_get_embedding: a pointer is NULL");
        const size_t n = static_cast<size_t>(context->state->model.hparams.n_embd);
        if (capacity < n) write_buffer<float>(nullptr, n, nullptr, capacity, nullptr, "floats");
        context->context.embedding(index, normalize != 0, out);
    });
}

bitnet_status bitnet_context_get_sequence_embedding(bitnet_context* context, bitnet_seq_id seq_id, bitnet_pooling pooling,
                                                    int32_t normalize, float* out, size_t capacity) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr && out != nullptr, "bitnet_context_get_sequence_embedding: a pointer is NULL");
        const int32_t number = number_of(pooling);
        require(number >= BITNET_POOLING_LAST && number <= BITNET_POOLING_MODEL, "unknown pooling");
        const size_t n = static_cast<size_t>(context->state->model.hparams.n_embd);
        if (capacity < n) write_buffer<float>(nullptr, n, nullptr, capacity, nullptr, "floats");
        context->context.sequence_embedding(seq_id, pooling, normalize != 0, out);
    });
}

bitnet_status bitnet_context_get_metrics(const bitnet_context* context, bitnet_metrics* out_metrics) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr, "the context is NULL");
        const Metrics& m = context->context.metrics();
        bitnet_metrics info{};
        info.load_us = context->state->model.load_us;
        info.prefill_us = m.prefill_us;
        info.prefill_tokens = m.prefill_tokens;
        info.decode_us = m.decode_us;
        info.decode_tokens = m.decode_tokens;
        info.n_decodes = m.n_decodes;
        write_info(out_metrics, info);
    });
}

bitnet_status bitnet_context_reset_metrics(bitnet_context* context) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr, "the context is NULL");
        context->context.reset_metrics();
    });
}

bitnet_status bitnet_context_get_trace(const bitnet_context* context, char* buffer, size_t capacity, size_t* out_size) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr, "the context is NULL");
        write_text(context->context.trace_json(), buffer, capacity, out_size);
    });
}

}  // extern "C"
