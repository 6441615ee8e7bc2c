// What models and contexts hold, and will hold.
#include "src/api/api_guard.h"
#include "src/api/handles.h"
#include "src/api/param_read.h"
#include "src/base/checked_math.h"
#include "src/base/memory_budget.h"
#include "src/gguf/gguf_reader.h"

using namespace bitnet;

namespace {

const Model& checked(const bitnet_model* model) {
    require(model != nullptr, "the model is NULL");
    return model->state->model;
}

// Fills what does not depend on how the weights came.
bitnet_memory_estimate estimate_of(const Model& model, const BytesByRole& roles, const bitnet_context_params* params) {
    const ContextConfig config = context_config(read_params(params, bitnet_context_params_init), model);
    const ContextMemory memory = lay_out_context(model, config).memory;
    bitnet_memory_estimate out{};
    out.n_ctx = config.n_ctx;
    out.n_batch = config.n_batch;
    out.n_ubatch = config.n_ubatch;
    out.n_seq_max = config.n_seq_max;
    out.n_threads = config.n_threads;
    out.attention_bytes = roles[TensorRole::attention];
    out.feed_forward_bytes = roles[TensorRole::feed_forward];
    out.norm_bytes = roles[TensorRole::norm];
    out.embedding_bytes = roles[TensorRole::embedding];
    out.output_bytes = roles[TensorRole::output];
    out.other_bytes = roles[TensorRole::other];
    out.kv_bytes = memory.kv_bytes;
    out.scratch_bytes = memory.scratch_bytes();
    out.activation_bytes = memory.activation_bytes;
    out.score_bytes = memory.score_bytes;
    out.batch_bytes = memory.batch_bytes;
    out.graph_bytes = memory.graph_bytes;
    out.logits_bytes = memory.logits_bytes;
    out.extra_output_bytes = memory.extra_output_bytes;
    out.total_bytes = saturated_add(roles.total(), memory.total_bytes());
    return out;
}

}  // namespace

extern "C" {

bitnet_status bitnet_model_get_memory_breakdown(const bitnet_model* model, bitnet_memory_breakdown* out_breakdown) {
    return api_call(__func__, about(model),
                    [&] { write_info(out_breakdown, breakdown_of(checked(model).bytes_by_role)); });
}

bitnet_status bitnet_model_estimate_memory(const bitnet_model* model, const bitnet_context_params* params,
                                           bitnet_memory_estimate* out_estimate) {
    return api_call(__func__, about(model), [&] {
        const Model& m = checked(model);
        bitnet_memory_estimate estimate = estimate_of(m, m.bytes_by_role, params);
        estimate.weights_mapped_bytes = m.mapped_bytes;
        estimate.weights_owned_bytes = m.owned_bytes;
        write_info(out_estimate, estimate);
    });
}

bitnet_status bitnet_model_estimate_memory_from_path(const char* path, const bitnet_model_params* model_params,
                                                     const bitnet_context_params* params,
                                                     bitnet_memory_estimate* out_estimate) {
    return api_call(__func__, about(path), [&] {
        require(path != nullptr, "the path is NULL");
        const bitnet_model_params full = read_params(model_params, bitnet_model_params_init);
        LoadOptions options = load_options(full);
        options.max_bytes = 0;
        GgufReadOptions read_options;
        if (full.max_tensors != 0) read_options.limits.allowed_tensors = full.max_tensors;
        Model model;
        const WeightPlan plan = plan_model(GgufFile::open(path, full.use_mmap != 0, read_options), options, &model);
        bitnet_memory_estimate estimate = estimate_of(model, plan.by_role, params);
        estimate.weights_mapped_bytes = plan.mapped_bytes;
        estimate.weights_owned_bytes = plan.owned_bytes;
        estimate.load_peak_bytes = plan.peak_bytes;
        write_info(out_estimate, estimate);
    });
}

uint64_t bitnet_memory_get_used(void) { return memory_in_use(); }

}  // extern "C"
