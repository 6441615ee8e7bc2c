// bitnet_context_params with its zeros resolved and its ranges checked.
#pragma once

#include <cstdint>

#include "bitnet.h"
#include "ggml-like/thread_pool.h"
#include "kernels/vec_kernels.h"
#include "src/model/model.h"

namespace bitnet {

struct ContextConfig {
    int32_t n_ctx = 0;
    int32_t n_batch = 0;
    int32_t n_ubatch = 0;
    int32_t n_seq_max = 0;
    int32_t n_threads = 0;
    bool embeddings = false;
    bool trace = false;
    int32_t max_lora_rank = 0;
    kern::KvType k_type = kern::KvType::f16;
    kern::KvType v_type = kern::KvType::f16;
    int32_t (*should_abort)(void* user_data) = nullptr;
    void* abort_user_data = nullptr;
    bitnet_progress_callback on_progress = nullptr;
    void* progress_user_data = nullptr;
    uint64_t timeout_us = 0;       // 0: none
    tg::HostThreads host_threads;  // run null: threads of our own
    uint64_t max_bytes = 0;        // of this context alone; 0: none
    uint64_t memory_limit = 0;     // of all models and contexts of the process, where there is no max_bytes; 0: none
};

// Fills in defaults and checks ranges. default_threads: used where the parameter is 0; if that is 0 too, thread_limit,
// which no answer exceeds. default_batch: n_batch where the parameter is 0, at most n_ctx; 0: n_ctx. Throws BITNET_E_CONFIG.
ContextConfig resolve_context_config(const bitnet_context_params& params, const Model& model, int32_t default_threads,
                                     int32_t default_batch, int32_t thread_limit);

}  // namespace bitnet
