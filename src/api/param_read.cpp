#include "src/api/param_read.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "ggml-like/thread_limit.h"
#include "src/api/api_guard.h"
#include "src/base/environment.h"
#include "src/context/context_layout.h"
#include "src/load/layout_choice.h"

namespace bitnet {

namespace {

void init_thread_pool(bitnet_thread_pool* pool, uint32_t struct_size) {
    write_params(pool, struct_size, bitnet_thread_pool{});
}

// Of a context with default parameters.
GpuContextBytes usual_context(const Model& model) {
    bitnet_context_params params;
    bitnet_context_params_init(&params, sizeof params);
    const ContextConfig config = resolve_context_config(params, model, 0, 0, 1);
    return gpu_context_bytes(model, config, lay_out_context(model, config).plan);
}

}  // namespace

int32_t loading_threads(int32_t n_threads) {
    if (n_threads < 0 || n_threads > 1024) {
        throw Error(BITNET_E_CONFIG, "n_threads = " + std::to_string(n_threads) + " is outside 0..1024")
            .with_subject("n_threads");
    }
    const int32_t limit = tg::usable_cpus();
    const int32_t asked = n_threads != 0 ? n_threads : env_num_threads();
    return asked == 0 ? limit : std::min(asked, limit);
}

LoadOptions load_options(const bitnet_model_params& params) {
    LoadOptions options;
    options.gpus = require_gpus(params.device);
    options.usual_context = usual_context;
    options.check_weights = params.check_weights != 0;
    require(params.i2s_order == BITNET_I2S_ORDER_X86 || params.i2s_order == BITNET_I2S_ORDER_ARM,
            "bitnet_model_params.i2s_order is unknown");
    options.arm_order = params.i2s_order == BITNET_I2S_ORDER_ARM;
    if (params.tl_tiling != nullptr) {
        options.tl_tilings = TlTilings(params.tl_tiling);
        options.tl_tiling_text = params.tl_tiling;
    }
    if (params.quantization != nullptr) {
        options.quantization = params.quantization;
        require_quantization(options.quantization);
    }
    require(params.screen_head >= 0 && params.screen_head <= 2, "bitnet_model_params.screen_head is not 0, 1 or 2");
    options.screen_head = params.screen_head;
    options.vocab_only = params.vocab_only != 0;
    options.n_threads = loading_threads(params.n_threads);
    options.kernel = params.kernel != nullptr ? params.kernel : env_kernel();
    options.max_bytes = params.max_bytes;
    if (params.max_bytes == 0) options.memory_limit = env_memory_limit();
    if (params.on_progress != nullptr) {
        options.on_progress = [callback = params.on_progress, user_data = params.progress_user_data](float progress) {
            return callback(progress, user_data) == 0;
        };
    }
    return options;
}

ContextConfig context_config(bitnet_context_params params, const Model& model) {
    bitnet_thread_pool pool;
    if (params.thread_pool != nullptr) {
        pool = read_params(params.thread_pool, init_thread_pool);
        require(pool.run != nullptr, "bitnet_thread_pool.run is NULL");
        params.thread_pool = &pool;
    }
    if (model.arch == nullptr) {
        throw Error(BITNET_E_STATE, "the model was loaded with vocab_only and has no weights; load it again without");
    }
    ContextConfig config = resolve_context_config(params, model, params.n_threads == 0 ? env_num_threads() : 0,
                                                  params.n_batch == 0 ? env_batch_size() : 0, tg::usable_cpus());
    if (params.max_bytes == 0) config.memory_limit = env_memory_limit();
    return config;
}

bitnet_memory_breakdown breakdown_of(const BytesByRole& bytes) {
    bitnet_memory_breakdown out{};
    out.attention_bytes = bytes[TensorRole::attention];
    out.feed_forward_bytes = bytes[TensorRole::feed_forward];
    out.norm_bytes = bytes[TensorRole::norm];
    out.embedding_bytes = bytes[TensorRole::embedding];
    out.output_bytes = bytes[TensorRole::output];
    out.other_bytes = bytes[TensorRole::other];
    out.total_bytes = bytes.total();
    return out;
}

}  // namespace bitnet
