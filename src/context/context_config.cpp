#include "src/context/context_config.h"

#include <algorithm>
#include <string>

#include "src/base/error.h"
#include "src/model/adapter.h"

namespace bitnet {
namespace {

constexpr int32_t kMaxCells = 1 << 24;  // above any trained context; keeps sums of cells within int32
constexpr int32_t kMaxSequences = 4096;
constexpr int32_t kMaxThreads = 1024;
constexpr int32_t kMaxMicroBatch = 16384;
constexpr int32_t kDefaultContext = 4096;  // a long-context model must not take all memory unasked
constexpr int32_t kDefaultMicroBatch = 512;

int32_t checked(const char* name, int32_t value, int32_t low, int32_t high) {
    if (value < low || value > high) {
        throw Error(BITNET_E_CONFIG, std::string(name) + " = " + std::to_string(value) + " is outside " +
                                         std::to_string(low) + ".." + std::to_string(high))
            .with_subject(name);
    }
    return value;
}

kern::KvType kv_type(const char* name, int32_t value, const Hparams& hparams) {
    if (value == BITNET_KV_F16) return kern::KvType::f16;
    if (value != BITNET_KV_Q8_0 && value != BITNET_KV_Q4_0) {
        throw Error(BITNET_E_CONFIG, std::string(name) + " = " + std::to_string(value) + " is no bitnet_kv_type")
            .with_subject(name);
    }
    if (!kern::can_quantize_head(hparams.head_dim)) {
        throw Error(BITNET_E_CONFIG,
                    std::string(name) + ": heads of " + std::to_string(hparams.head_dim) +
                        " numbers cannot be quantised, only multiples of 32 up to 1024; use BITNET_KV_F16")
            .with_subject(name);
    }
    return value == BITNET_KV_Q8_0 ? kern::KvType::q8_0 : kern::KvType::q4_0;
}

}  // namespace

ContextConfig resolve_context_config(const bitnet_context_params& params, const Model& model, int32_t default_threads,
                                     int32_t default_batch, int32_t thread_limit) {
    ContextConfig config;
    const int64_t trained = std::clamp<int64_t>(model.hparams.n_ctx_train, 1, kDefaultContext);
    config.n_ctx = checked("n_ctx", params.n_ctx == 0 ? static_cast<int32_t>(trained) : params.n_ctx, 1, kMaxCells);
    config.n_batch = checked("n_batch", params.n_batch == 0 ? config.n_ctx : params.n_batch, 1, kMaxCells);
    if (params.n_batch == 0 && default_batch != 0) config.n_batch = std::min(config.n_batch, default_batch);
    config.n_ubatch =
        checked("n_ubatch", params.n_ubatch == 0 ? kDefaultMicroBatch : params.n_ubatch, 1, kMaxMicroBatch);
    config.n_ubatch = std::min({config.n_ubatch, config.n_batch, config.n_ctx});
    config.n_seq_max = checked("n_seq_max", params.n_seq_max == 0 ? 1 : params.n_seq_max, 1, kMaxSequences);
    // More threads than CPUs only slow each other down, and never change a result.
    const int32_t asked = params.n_threads == 0 && default_threads != 0 ? default_threads : params.n_threads;
    config.n_threads =
        std::clamp(asked == 0 ? thread_limit : checked("n_threads", asked, 1, kMaxThreads), 1, thread_limit);
    config.embeddings = params.embeddings != 0;
    config.trace = params.trace != 0;
    config.max_lora_rank = checked("max_lora_rank", params.max_lora_rank, 0, kMaxAdapterRank);
    config.k_type = kv_type("type_k", params.type_k, model.hparams);
    config.v_type = kv_type("type_v", params.type_v, model.hparams);
    config.should_abort = params.should_abort;
    config.abort_user_data = params.abort_user_data;
    config.on_progress = params.on_progress;
    config.progress_user_data = params.progress_user_data;
    config.timeout_us = params.timeout_us;
    if (params.thread_pool != nullptr) {
        const bitnet_thread_pool& pool = *params.thread_pool;
        config.n_threads = checked("bitnet_thread_pool.n_threads", pool.n_threads, 1, kMaxThreads);
        config.host_threads = {pool.n_threads, pool.run, pool.user_data};
    }
    config.max_bytes = params.max_bytes;
    return config;
}

}  // namespace bitnet
