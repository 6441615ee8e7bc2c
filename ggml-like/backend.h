// Where graphs run. A backend owns memory and threads (or streams) and walks the nodes of a graph.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "ggml-like/graph.h"
#include "ggml-like/graph_trace.h"
#include "ggml-like/kept_rows.h"
#include "ggml-like/memory_plan.h"
#include "ggml-like/op_table.h"
#include "ggml-like/thread_pool.h"
#include "ggml-like/work_counters.h"

namespace tg {

// A block of a backend's memory; freed with the object.
class Buffer {
public:
    virtual ~Buffer() = default;
    virtual uint8_t* data() const noexcept = 0;  // host address on the CPU, device address elsewhere
    virtual size_t size() const noexcept = 0;
};

// Asked between nodes, on the thread that runs the graph; true stops it.
struct StopCheck {
    bool (*should_stop)(void* user_data) = nullptr;
    void* user_data = nullptr;
};

// The keys or the values of a layer in a backend's memory, as KvLayer has them.
struct CellRows {
    uint8_t* first = nullptr;
    int64_t n_cells = 0;
    int64_t n_heads = 0;
    int64_t head_bytes = 0;
    int32_t place = 0;

    uint8_t* at(int64_t head, int32_t cell) const { return first + (head * n_cells + cell) * head_bytes; }
};

enum class RunResult : uint8_t { done, stopped, more };

// How far a run in pieces has come. A new one is at the graph's beginning.
struct RunCursor {
    size_t node = 0;
    int64_t piece = 0;     // of the node
    uint64_t node_ns = 0;  // spent on the node so far
};

class Backend {
public:
    virtual ~Backend() = default;
    virtual const char* name() const noexcept = 0;
    // Throws tg::Error(out_of_memory). what names the block in the message. A backend of several places has all of the
    // block in each of them.
    virtual std::unique_ptr<Buffer> allocate(size_t n_bytes, const char* what) = 0;
    // In one place alone: Graph::begin_place says which nodes run there.
    virtual std::unique_ptr<Buffer> allocate_at(int32_t, size_t n_bytes, const char* what) {
        return allocate(n_bytes, what);
    }
    virtual void upload(Buffer& to, size_t offset, const void* from, size_t n_bytes) = 0;
    virtual void download(const Buffer& from, size_t offset, void* to, size_t n_bytes) = 0;
    // The rows of n cells, one behind the other, each head by head, out of the backend's memory and back.
    virtual void read_cells(const CellRows& rows, const int32_t* cells, size_t n, uint8_t* to) = 0;
    virtual void write_cells(const CellRows& rows, const int32_t* cells, size_t n, const uint8_t* from) = 0;
    // Blocks until the graph has run. Values live in arena as plan says. trace may be null.
    virtual RunResult run(const Graph& graph, const MemoryPlan& plan, Buffer& arena, const RunInputs& inputs,
                          const StopCheck& stop, GraphTrace* trace) = 0;
    // Goes on from the cursor until about that time, but by one piece of a node at least; more: call again with the same
    // arguments, while nothing else uses the arena. Asks whether to stop before each piece. Allocates only where trace
    // has no room yet.
    virtual RunResult run_until(std::chrono::steady_clock::time_point until, RunCursor& cursor, const Graph& graph,
                                const MemoryPlan& plan, Buffer& arena, const RunInputs& inputs, const StopCheck& stop,
                                GraphTrace* trace) = 0;
    // The rows of the external value that the last run made and had no memory for; null where a backend cannot keep them: then each
    // external value that a run makes needs its memory.
    virtual KeptRows* kept_rows() noexcept { return nullptr; }
    virtual void synchronize() = 0;
    virtual int n_threads() const noexcept = 0;
    virtual size_t scratch_bytes() const noexcept = 0;

    // The devices that graphs run on, each with what has run there so far; most backends are one themselves.
    virtual size_t n_places() const noexcept { return 1; }
    virtual Backend& place(size_t) noexcept { return *this; }
    const Backend& place(size_t i) const noexcept { return const_cast<Backend*>(this)->place(i); }
    WorkCounters& work() noexcept { return work_; }
    const WorkCounters& work() const noexcept { return work_; }

private:
    WorkCounters work_;
};

// n_threads: as many as are really wanted (see usable_cpus). max_visible: cells a token sees at most; each thread gets
// room for the attention scores of one KV head's group of n_q query heads over that many. The second makes no threads.
std::unique_ptr<Backend> make_cpu_backend(const kern::VecKernels& vec, int n_threads, int64_t max_visible, int64_t n_q);
std::unique_ptr<Backend> make_cpu_backend(const kern::VecKernels& vec, const HostThreads& threads, int64_t max_visible,
                                          int64_t n_q);
// scratch_bytes() of such a backend.
size_t cpu_backend_scratch_bytes(int n_threads, int64_t max_visible, int64_t n_q) noexcept;

}  // namespace tg
