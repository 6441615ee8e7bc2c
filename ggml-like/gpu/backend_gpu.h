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

// A GPU that computes nodes of a graph which others go on with (backend_gpu_split.h).
class GpuStage : public Backend {
public:
    // As run() (until: max) and run_until(), but what was launched may still run when the nodes are done: who reads a value
    // waits for the stream.
    virtual RunResult launch_until(std::chrono::steady_clock::time_point until, RunCursor& cursor, const Graph& graph,
                                   const MemoryPlan& plan, Buffer& arena, const RunInputs& inputs,
                                   const StopCheck& stop, GraphTrace* trace) = 0;
    virtual GpuStream& stream() noexcept = 0;
};

// Throws tg::Error(out_of_memory, device).
std::unique_ptr<GpuStage> make_gpu_backend(std::shared_ptr<const GpuWeights> weights, const GpuBackendShape& shape);
// scratch_bytes() of such a backend when it is new.
size_t gpu_backend_scratch_bytes(const GpuBackendShape& shape);

}  // namespace tg
