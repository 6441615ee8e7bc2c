// The CPU backend: all threads walk the node list together, each doing its share of every node, and meet only where the
// memory plan says so. One thread asks for cancellation right before a meeting, so that all stop at the same node.
#include <atomic>
#include <chrono>
#include <cstring>
#include <optional>
#include <string>

#include "ggml-like/arena.h"
#include "ggml-like/backend.h"
#include "ggml-like/thread_pool.h"

namespace tg {
namespace {

class HostBuffer final : public Buffer {
public:
    HostBuffer(size_t n_bytes, const char* what) : arena_(n_bytes, what) {}
    uint8_t* data() const noexcept override { return arena_.data(); }
    size_t size() const noexcept override { return arena_.size(); }

private:
    Arena arena_;
};

struct Step {
    const Graph& graph;
    const MemoryPlan& plan;
    uint8_t* arena;
    const RunInputs& inputs;
    const StopCheck& stop;
    GraphTrace* trace;
    const kern::VecKernels& vec;
    ThreadPool& pool;
    float* scratch;
    int64_t scratch_floats;
    WorkCounters& work;
    // The node before which all stop. A number and not a flag: a thread that leaves the meeting before node i late may
    // already find the decision about a later node, and must still go there, where the others wait for it.
    std::atomic<size_t> stop_before{SIZE_MAX};
};

using Clock = std::chrono::steady_clock;

const char* kernel_name(const Node& node, const kern::VecKernels& vec) {
    return node.op == OpKind::mul_mat ? node.params.weight->kernel->name : vec.name;
}

TraceRow name_row(const Step& step, const Node& node, const OpContext& context) {
    TraceRow row;
    row.op = op_row(node.op).name;
    row.name = node.name.c_str();
    row.kernel = kernel_name(node, step.vec);
    row.rows = node.output == kNoValue ? step.inputs.n_tokens : context.rows(node.output);
    return row;
}

TraceRow trace_row(const Step& step, const Node& node, const OpContext& context, Clock::time_point begin) {
    TraceRow row = name_row(step, node, context);
    row.microseconds = static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin).count());
    if (node.output == kNoValue) return row;
    const Value& value = step.graph.value(node.output);
    if (value.type == ValueType::f32) {
        row.checksum = checksum_bytes(context.bytes(node.output), static_cast<size_t>(row.rows * value.width) * sizeof(float));
    }
    return row;
}

void walk(int thread, void* user_data) {
    Step& step = *static_cast<Step*>(user_data);
    const bool tracing = step.trace != nullptr && !step.trace->names_only;
    const bool naming = step.trace != nullptr && step.trace->names_only && thread == 0;
    const size_t n_nodes = step.graph.nodes().size();
    std::optional<WorkLog> log;
    if (thread == 0) log.emplace(step.work);
    for (size_t i = 0; i < n_nodes; ++i) {
        const Node& node = step.graph.nodes()[i];
        if (step.plan.barrier_before[i] != 0 || (tracing && i > 0)) {
            if (thread == 0 && step.stop.should_stop != nullptr && step.stop.should_stop(step.stop.user_data)) {
                step.stop_before.store(i, std::memory_order_relaxed);
            }
            step.pool.barrier().wait();
            if (step.stop_before.load(std::memory_order_relaxed) == i) return;
        }
        if (log) log->begin(node.op);
        const OpContext context{step.graph, node, step.inputs, step.vec, step.arena, step.plan.offsets.data(),
                                step.scratch + thread * step.scratch_floats, step.scratch_floats, thread, step.pool.size()};
        if (!tracing) {
            op_row(node.op).run(context);
            if (naming) step.trace->rows[i] = name_row(step, node, context);
            continue;
        }
        const Clock::time_point begin = Clock::now();
        op_row(node.op).run(context);
        step.pool.barrier().wait();
        if (thread == 0) step.trace->rows[i] = trace_row(step, node, context, begin);
        step.pool.barrier().wait();  // the checksum is read before anyone writes on
    }
}

class CpuBackend final : public Backend {
public:
    CpuBackend(const kern::VecKernels& vec, int n_threads, int64_t max_visible, int64_t n_q)
        : vec_(vec), pool_(n_threads), scratch_floats_((max_visible + 15) / 16 * 16 * n_q),
          scratch_(static_cast<size_t>(scratch_floats_) * sizeof(float) * static_cast<size_t>(n_threads),
                   "attention scores") {}

    const char* name() const noexcept override { return "cpu"; }
    std::unique_ptr<Buffer> allocate(size_t n_bytes, const char* what) override {
        return std::make_unique<HostBuffer>(n_bytes, what);
    }
    void upload(Buffer& to, size_t offset, const void* from, size_t n_bytes) override {
        std::memcpy(to.data() + offset, from, n_bytes);
    }
    void download(const Buffer& from, size_t offset, void* to, size_t n_bytes) override {
        std::memcpy(to, from.data() + offset, n_bytes);
    }
    RunResult run(const Graph& graph, const MemoryPlan& plan, Buffer& arena, const RunInputs& inputs,
                  const StopCheck& stop, GraphTrace* trace) override {
        if (trace != nullptr) trace->rows.resize(graph.nodes().size());
        Step step{graph, plan, arena.data(), inputs, stop, trace, vec_, pool_,
                  reinterpret_cast<float*>(scratch_.data()), scratch_floats_, work()};
        if (stop.should_stop != nullptr && stop.should_stop(stop.user_data)) return RunResult::stopped;
        pool_.run(walk, &step);
        return step.stop_before.load(std::memory_order_relaxed) != SIZE_MAX ? RunResult::stopped : RunResult::done;
    }
    void synchronize() override {}
    int n_threads() const noexcept override { return pool_.size(); }
    size_t scratch_bytes() const noexcept override { return scratch_.size(); }

private:
    const kern::VecKernels& vec_;
    ThreadPool pool_;
    const int64_t scratch_floats_;
    Arena scratch_;
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(const kern::VecKernels& vec, int n_threads, int64_t max_visible, int64_t n_q) {
    return std::make_unique<CpuBackend>(vec, n_threads, max_visible, n_q);
}

}  // namespace tg
