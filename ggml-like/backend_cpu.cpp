// The CPU backend: all threads walk the node list together, each doing its share of every node, and meet only where the
// memory plan says so. One thread asks for cancellation right before a meeting, so that all stop at the same node.
// The host's threads are never made to wait: they are called anew for what lies between two meetings. A run that stops for
// time calls threads for one piece of a node after the other: a piece is the share that one of more threads would have.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <optional>
#include <string>

#include "ggml-like/arena.h"
#include "ggml-like/backend.h"
#include "ggml-like/node_trace.h"
#include "ggml-like/node_work.h"
#include "ggml-like/thread_choice.h"
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
    // What threads are called for where they do not walk the whole list: nodes [begin, end), this piece of n_pieces.
    size_t begin = 0, end = 0;
    int64_t piece = 0, n_pieces = 1;
    WorkLog* log = nullptr;  // of those calls
    int n_threads = 1;       // that walk

    bool must_stop() const { return stop.should_stop != nullptr && stop.should_stop(stop.user_data); }
    OpContext context(const Node& node, int thread, int share, int n_shares) const {
        return {graph,          node,  inputs,  vec, arena, plan.offsets.data(), scratch + thread * scratch_floats,
                scratch_floats, share, n_shares};
    }
};

using Clock = std::chrono::steady_clock;

const char* kernel_name(const Node& node, const kern::VecKernels& vec) {
    return node.op == OpKind::mul_mat ? node.params.weight->kernel->name : vec.name;
}

uint64_t ns_since(Clock::time_point begin) {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count());
}

TraceRow name_row(const Step& step, const Node& node) {
    return name_trace_row(step.graph, node, step.inputs, kernel_name(node, step.vec));
}

TraceRow trace_row(const Step& step, const Node& node, uint64_t ns) {
    TraceRow row = name_row(step, node);
    if (step.trace->names_only) return row;
    row.microseconds = ns / 1000;
    if (node.output == kNoValue || step.graph.value(node.output).type != ValueType::f32) return row;
    const uint8_t* bytes = step.context(node, 0, 0, 1).bytes(node.output);
    finish_trace_row(step.graph, node, reinterpret_cast<const float*>(bytes), *step.trace, row);
    return row;
}

// The nodes from begin on that a thread takes together, a few rows at a time: what one makes of a row is still in its
// cache when the next reads it. For memory it is a run on more threads, so where the plan has no meeting none is needed.
size_t chain_end(const Step& step, size_t begin, size_t n_nodes) {
    const std::vector<Node>& nodes = step.graph.nodes();
    size_t end = begin + 1;
    while (end < n_nodes && step.plan.barrier_before[end] == 0 && same_rows(step.graph, nodes[begin], nodes[end])) ++end;
    return end;
}

void run_chain(const Step& step, size_t begin, size_t end, int thread, WorkLog* log) {
    constexpr int64_t kRows = 8;
    const Node& first = step.graph.nodes()[begin];
    const Value& value = step.graph.value(first.output != kNoValue ? first.output : first.inputs[0]);
    const int64_t rows = value.rows == Rows::tokens ? step.inputs.n_tokens : step.inputs.n_outputs;
    const int n_pieces = end - begin == 1 ? 1 : static_cast<int>(std::max<int64_t>(1, rows / step.n_threads / kRows));
    for (int piece = 0; piece < n_pieces; ++piece) {
        for (size_t i = begin; i < end; ++i) {
            const Node& node = step.graph.nodes()[i];
            if (log != nullptr) piece == 0 ? log->begin(node.op) : log->resume(node.op);
            op_row(node.op).run(step.context(node, thread, thread * n_pieces + piece, step.n_threads * n_pieces));
        }
    }
}

size_t n_nodes_of(const Graph& graph, const RunInputs& inputs) {
    return std::min(graph.nodes().size(), inputs.n_nodes);
}

void walk(int thread, void* user_data) {
    Step& step = *static_cast<Step*>(user_data);
    const bool tracing = step.trace != nullptr && !step.trace->names_only;
    const bool naming = step.trace != nullptr && step.trace->names_only && thread == 0;
    const size_t n_nodes = n_nodes_of(step.graph, step.inputs);
    std::optional<WorkLog> log;
    if (thread == 0) log.emplace(step.work);
    for (size_t i = step.inputs.first_node; i < n_nodes; ++i) {
        const Node& node = step.graph.nodes()[i];
        if (step.plan.barrier_before[i] != 0 || (tracing && i > step.inputs.first_node)) {
            if (thread == 0 && step.must_stop()) step.stop_before.store(i, std::memory_order_relaxed);
            step.pool.barrier().wait(step.n_threads);
            if (step.stop_before.load(std::memory_order_relaxed) == i) return;
        }
        if (!tracing) {
            const size_t end = chain_end(step, i, n_nodes);
            run_chain(step, i, end, thread, log ? &*log : nullptr);
            for (; naming && i < end; ++i) step.trace->rows[i] = name_row(step, step.graph.nodes()[i]);
            i = end - 1;
            continue;
        }
        const Clock::time_point begin = Clock::now();
        if (log) log->begin(node.op);
        op_row(node.op).run(step.context(node, thread, thread, step.n_threads));
        step.pool.barrier().wait(step.n_threads);
        if (thread == 0) step.trace->rows[i] = trace_row(step, node, ns_since(begin));
        step.pool.barrier().wait(step.n_threads);  // the checksum is read before anyone writes on
    }
}

void run_piece(int thread, void* user_data) {
    const Step& step = *static_cast<Step*>(user_data);
    const int n_threads = step.pool.size();
    const int share = static_cast<int>(step.piece) * n_threads + thread;
    const int n_shares = static_cast<int>(step.n_pieces) * n_threads;
    for (size_t i = step.begin; i < step.end; ++i) {
        const Node& node = step.graph.nodes()[i];
        if (thread == 0) step.piece == 0 ? step.log->begin(node.op) : step.log->resume(node.op);
        op_row(node.op).run(step.context(node, thread, share, n_shares));
    }
}

// The same as all threads walking, for threads that must not wait for each other.
RunResult run_between_meetings(Step& step) {
    const bool tracing = step.trace != nullptr && !step.trace->names_only;
    const size_t n_nodes = n_nodes_of(step.graph, step.inputs);
    WorkLog log(step.work);
    step.log = &log;
    for (step.begin = step.inputs.first_node; step.begin < n_nodes; step.begin = step.end) {
        if (step.begin > step.inputs.first_node && step.must_stop()) return RunResult::stopped;
        step.end = step.begin + 1;
        while (!tracing && step.end < n_nodes && step.plan.barrier_before[step.end] == 0) ++step.end;
        const Clock::time_point begin = Clock::now();
        step.pool.run(run_piece, &step);
        for (size_t i = step.begin; step.trace != nullptr && i < step.end; ++i) {
            step.trace->rows[i] = trace_row(step, step.graph.nodes()[i], ns_since(begin));
        }
    }
    return RunResult::done;
}

RunResult run_pieces(Step& step, RunCursor& cursor, Clock::time_point until) {
    const size_t n_nodes = n_nodes_of(step.graph, step.inputs);
    WorkLog log(step.work);
    step.log = &log;
    Clock::time_point now = Clock::now();
    Clock::duration longest{};
    for (bool first = true; cursor.node < n_nodes; first = false) {
        if (!first && now + longest >= until) return RunResult::more;
        if (step.must_stop()) return RunResult::stopped;
        const Node& node = step.graph.nodes()[cursor.node];
        step.begin = cursor.node;
        step.end = cursor.node + 1;
        step.piece = cursor.piece;
        step.n_pieces = piece_count(step.graph, node, step.inputs, step.pool.size());
        step.pool.run(run_piece, &step);
        const Clock::time_point after = Clock::now();
        longest = std::max(longest, after - now);
        cursor.node_ns += static_cast<uint64_t>(std::chrono::nanoseconds(after - now).count());
        now = after;
        if (++cursor.piece < step.n_pieces) continue;
        if (step.trace != nullptr) step.trace->rows[cursor.node] = trace_row(step, node, cursor.node_ns);
        cursor = {cursor.node + 1, 0, 0};
    }
    return RunResult::done;
}

// Tokens up to which a run meets so often that waiting may be all of it.
constexpr int64_t kSmallRun = 16;

// Room for the heads of one KV head at any depth, and for more tokens at once where they see little.
int64_t scores_per_thread(int64_t max_visible, int64_t n_q) {
    constexpr int64_t kRows = 64, kFloats = 65536;
    const int64_t row = (max_visible + 15) / 16 * 16;
    return std::max(row * n_q, std::min(row * kRows, kFloats));
}

class CpuBackend final : public Backend {
public:
    // threads: their number, or the host's.
    template <typename Threads>
    CpuBackend(const kern::VecKernels& vec, const Threads& threads, int64_t max_visible, int64_t n_q)
        : vec_(vec), pool_(threads), scratch_floats_(scores_per_thread(max_visible, n_q)),
          scratch_(cpu_backend_scratch_bytes(pool_.size(), max_visible, n_q), "attention scores") {}

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
    void read_cells(const CellRows& rows, const int32_t* cells, size_t n, uint8_t* to) override {
        const size_t head_bytes = static_cast<size_t>(rows.head_bytes);
        for (size_t i = 0; i < n; ++i) {
            for (int64_t head = 0; head < rows.n_heads; ++head, to += head_bytes) {
                std::memcpy(to, rows.at(head, cells[i]), head_bytes);
            }
        }
    }
    void write_cells(const CellRows& rows, const int32_t* cells, size_t n, const uint8_t* from) override {
        const size_t head_bytes = static_cast<size_t>(rows.head_bytes);
        for (size_t i = 0; i < n; ++i) {
            for (int64_t head = 0; head < rows.n_heads; ++head, from += head_bytes) {
                std::memcpy(rows.at(head, cells[i]), from, head_bytes);
            }
        }
    }
    RunResult run(const Graph& graph, const MemoryPlan& plan, Buffer& arena, const RunInputs& inputs,
                  const StopCheck& stop, GraphTrace* trace) override {
        if (trace != nullptr) trace->rows.resize(n_nodes_of(graph, inputs));
        Step step{graph,
                  plan,
                  arena.data(),
                  inputs,
                  stop,
                  trace,
                  vec_,
                  pool_,
                  reinterpret_cast<float*>(scratch_.data()),
                  scratch_floats_,
                  work()};
        if (step.must_stop()) return RunResult::stopped;
        if (!pool_.may_meet()) return run_between_meetings(step);
        const bool small = inputs.n_tokens <= kSmallRun;
        step.n_threads = small ? choice_.threads() : pool_.size();
        const Clock::time_point begin = Clock::now();
        const uint64_t slept_before = pool_.barrier().slept_ns();
        pool_.run(step.n_threads, walk, &step);
        if (small) choice_.note(ns_since(begin), pool_.barrier().slept_ns() - slept_before);
        return step.stop_before.load(std::memory_order_relaxed) != SIZE_MAX ? RunResult::stopped : RunResult::done;
    }
    RunResult run_until(Clock::time_point until, RunCursor& cursor, const Graph& graph, const MemoryPlan& plan,
                        Buffer& arena, const RunInputs& inputs, const StopCheck& stop, GraphTrace* trace) override {
        if (trace != nullptr) trace->rows.resize(n_nodes_of(graph, inputs));
        Step step{graph,
                  plan,
                  arena.data(),
                  inputs,
                  stop,
                  trace,
                  vec_,
                  pool_,
                  reinterpret_cast<float*>(scratch_.data()),
                  scratch_floats_,
                  work()};
        return run_pieces(step, cursor, until);
    }
    void synchronize() override {}
    int n_threads() const noexcept override { return pool_.size(); }
    size_t scratch_bytes() const noexcept override { return scratch_.size(); }

private:
    const kern::VecKernels& vec_;
    ThreadPool pool_;
    ThreadChoice choice_{pool_.size()};
    const int64_t scratch_floats_;
    Arena scratch_;
};

}  // namespace

size_t cpu_backend_scratch_bytes(int n_threads, int64_t max_visible, int64_t n_q) noexcept {
    return static_cast<size_t>(scores_per_thread(max_visible, n_q)) * sizeof(float) * static_cast<size_t>(n_threads);
}

std::unique_ptr<Backend> make_cpu_backend(const kern::VecKernels& vec, int n_threads, int64_t max_visible,
                                          int64_t n_q) {
    return std::make_unique<CpuBackend>(vec, n_threads, max_visible, n_q);
}

std::unique_ptr<Backend> make_cpu_backend(const kern::VecKernels& vec, const HostThreads& threads, int64_t max_visible,
                                          int64_t n_q) {
    return std::make_unique<CpuBackend>(vec, threads, max_visible, n_q);
}

}  // namespace tg
