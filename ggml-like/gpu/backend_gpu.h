// Graphs on a GPU: the host walks the nodes and launches kernels, which run in order on a stream of this backend's own; it
// waits once, for what the caller will read. Values are the bits that the CPU backend computes.
#pragma once

#include <memory>

#include "ggml-like/backend.h"
#include "ggml-like/gpu/gpu_weights.h"

namespace tg {

struct GpuBackendShape {
    int64_t max_rows = 0;   // of a step
    int64_t max_cells = 0;  // that a token sees
    int64_t n_head = 0;
    int64_t n_head_kv = 0;
    int64_t head_dim = 0;
    kern::KvType k_type = kern::KvType::f16;
    int64_t kept_width = 0;  // of the rows that a run leaves on the device
};

// Throws tg::Error(out_of_memory, device).
std::unique_ptr<Backend> make_gpu_backend(std::shared_ptr<const GpuWeights> weights, const GpuBackendShape& shape);
// scratch_bytes() of such a backend when it is new.
size_t gpu_backend_scratch_bytes(const GpuBackendShape& shape);

}  // namespace tg
