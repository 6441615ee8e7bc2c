#include "ggml-like/gpu/backend_gpu_split.h"

#include <algorithm>
#include <string>

#include "ggml-like/gpu/gpu_error.h"

namespace tg {
namespace {

using Clock = std::chrono::steady_clock;

// The same block in each of the places.
class SplitBuffer final : public Buffer {
public:
    explicit SplitBuffer(std::vector<std::unique_ptr<Buffer>> parts) : parts_(std::move(parts)) {}
    uint8_t* data() const noexcept override { return parts_.front()->data(); }
    size_t size() const noexcept override { return parts_.front()->size() * parts_.size(); }
    Buffer& part(size_t i) const noexcept { return *parts_[i]; }

private:
    std::vector<std::unique_ptr<Buffer>> parts_;
};

Buffer& part_of(const Buffer& buffer, size_t i) { return static_cast<const SplitBuffer&>(buffer).part(i); }

class GpuSplitBackend final : public Backend {
public:
    GpuSplitBackend(const std::vector<GpuPlace>& places, const GpuBackendShape& shape) {
        for (const GpuPlace& place : places) {
            places_.push_back({make_gpu_backend(place.weights, shape), place.direct});
            name_ += (name_.empty() ? "" : ",") + std::string(places_.back().stage->name());
        }
    }

    const char* name() const noexcept override { return name_.c_str(); }
    std::unique_ptr<Buffer> allocate(size_t n_bytes, const char* what) override {
        std::vector<std::unique_ptr<Buffer>> parts;
        for (const Place& place : places_) parts.push_back(place.stage->allocate(n_bytes, what));
        return std::make_unique<SplitBuffer>(std::move(parts));
    }
    std::unique_ptr<Buffer> allocate_at(int32_t place, size_t n_bytes, const char* what) override {
        return stage(place).allocate(n_bytes, what);
    }
    void upload(Buffer& to, size_t offset, const void* from, size_t n_bytes) override {
        for (size_t i = 0; i < places_.size(); ++i) places_[i].stage->upload(part_of(to, i), offset, from, n_bytes);
    }
    void download(const Buffer& from, size_t offset, void* to, size_t n_bytes) override {
        places_.front().stage->download(part_of(from, 0), offset, to, n_bytes);
    }
    void read_cells(const CellRows& rows, const int32_t* cells, size_t n, uint8_t* to) override {
        stage(rows.place).read_cells(rows, cells, n, to);
    }
    void write_cells(const CellRows& rows, const int32_t* cells, size_t n, const uint8_t* from) override {
        stage(rows.place).write_cells(rows, cells, n, from);
    }
    RunResult run(const Graph& graph, const MemoryPlan& plan, Buffer& arena, const RunInputs& inputs,
                  const StopCheck& stop, GraphTrace* trace) override {
        RunCursor cursor{inputs.first_node, 0, 0};
        return run_until(Clock::time_point::max(), cursor, graph, plan, arena, inputs, stop, trace);
    }
    RunResult run_until(Clock::time_point until, RunCursor& cursor, const Graph& graph, const MemoryPlan& plan,
                        Buffer& arena, const RunInputs& inputs, const StopCheck& stop, GraphTrace* trace) override;
    // The head is with the last device.
    KeptRows* kept_rows() noexcept override { return places_.back().stage->kept_rows(); }
    void synchronize() override {
        for (const Place& place : places_) place.stage->synchronize();
    }
    int n_threads() const noexcept override { return 1; }
    size_t scratch_bytes() const noexcept override {
        size_t sum = 0;
        for (const Place& place : places_) sum += place.stage->scratch_bytes();
        return sum;
    }
    size_t n_places() const noexcept override { return places_.size(); }
    Backend& place(size_t i) noexcept override { return *places_[i].stage; }

private:
    struct Place {
        std::unique_ptr<GpuStage> stage;
        bool direct;
    };

    GpuStage& stage(int32_t place) { return *places_[static_cast<size_t>(place)].stage; }
    RunResult walk(Clock::time_point until, RunCursor& cursor, const Graph& graph, const MemoryPlan& plan,
                   Buffer& arena, const RunInputs& inputs, const StopCheck& stop, GraphTrace* trace);
    void hand_over(size_t to, const Graph& graph, const MemoryPlan& plan, const Buffer& arena, const RunInputs& inputs);
    void settle() noexcept;

    std::vector<Place> places_;
    std::string name_;
    std::vector<uint8_t> on_host_;  // on its way between devices that do not reach each other
};

// The values that this place's nodes need, into its own copy of the arena, where they are at the same offset.
void GpuSplitBackend::hand_over(size_t to, const Graph& graph, const MemoryPlan& plan, const Buffer& arena,
                                const RunInputs& inputs) {
    GpuStream& source = places_[to - 1].stage->stream();
    GpuStream& target = places_[to].stage->stream();
    for (const ValueId id : graph.values_across(graph.place_begins()[to - 1])) {
        const Value& value = graph.value(id);
        if (value.type != ValueType::f32 || value.home != Home::arena) {
            throw Error(ErrorKind::shape, "'" + value.name + "' does not go from device to device");
        }
        const int64_t rows = value.rows == Rows::tokens ? inputs.n_tokens : inputs.n_outputs;
        const size_t n_bytes = static_cast<size_t>(rows * value.width) * sizeof(float);
        const size_t offset = plan.offsets[static_cast<size_t>(id)];
        if (n_bytes == 0) continue;
        const uint8_t* const from = part_of(arena, to - 1).data() + offset;
        uint8_t* const there = part_of(arena, to).data() + offset;
        if (places_[to].direct) {
            target.copy_from(source, there, from, n_bytes);
            continue;
        }
        on_host_.resize(std::max(on_host_.size(), n_bytes));
        source.copy_out(on_host_.data(), from, n_bytes);
        target.copy_in(there, on_host_.data(), n_bytes);
    }
}

RunResult GpuSplitBackend::walk(Clock::time_point until, RunCursor& cursor, const Graph& graph, const MemoryPlan& plan,
                                Buffer& arena, const RunInputs& inputs, const StopCheck& stop, GraphTrace* trace) {
    const std::vector<size_t>& begins = graph.place_begins();
    if (begins.size() + 1 != places_.size()) {
        throw Error(ErrorKind::shape, "the graph has " + std::to_string(begins.size() + 1) + " places, the backend " +
                                          std::to_string(places_.size()));
    }
    const size_t n_nodes = std::min(graph.nodes().size(), inputs.n_nodes);
    bool first = true;
    for (size_t i = 0; i < places_.size(); ++i) {
        const size_t begin = i == 0 ? 0 : begins[i - 1],
                     end = i == begins.size() ? n_nodes : std::min(begins[i], n_nodes);
        if (cursor.node >= end) continue;
        if (!first && Clock::now() >= until) return RunResult::more;
        first = false;
        if (cursor.node == begin && inputs.first_node < begin) hand_over(i, graph, plan, arena, inputs);
        RunInputs part = inputs;
        part.first_node = std::max(inputs.first_node, begin);
        part.n_nodes = end;
        const RunResult result =
            places_[i].stage->launch_until(until, cursor, graph, plan, part_of(arena, i), part, stop, trace);
        if (result != RunResult::done) return result;
    }
    return RunResult::done;
}

// All devices are done with what a run has launched, whatever became of it.
void GpuSplitBackend::settle() noexcept {
    for (const Place& place : places_) {
        try {
            place.stage->synchronize();
        } catch (...) {  // the run has failed already, with what came first
        }
    }
}

RunResult GpuSplitBackend::run_until(Clock::time_point until, RunCursor& cursor, const Graph& graph,
                                     const MemoryPlan& plan, Buffer& arena, const RunInputs& inputs,
                                     const StopCheck& stop, GraphTrace* trace) {
    RunResult result = RunResult::done;
    try {
        result = walk(until, cursor, graph, plan, arena, inputs, stop, trace);
        if (result != RunResult::more) synchronize();  // in order: what failed first is told
    } catch (...) {
        settle();
        throw;
    }
    const bool in_pieces = until != Clock::time_point::max();
    const bool late =
        !in_pieces && result == RunResult::done && stop.should_stop != nullptr && stop.should_stop(stop.user_data);
    return late ? RunResult::stopped : result;
}

constexpr size_t kTestBytes = size_t{64} << 10;

}  // namespace

std::unique_ptr<Backend> make_gpu_split_backend(const std::vector<GpuPlace>& places, const GpuBackendShape& shape) {
    return std::make_unique<GpuSplitBackend>(places, shape);
}

bool gpu_hands_over(const std::shared_ptr<GpuDevice>& from, const std::shared_ptr<GpuDevice>& to) {
    std::vector<uint8_t> sent(kTestBytes), come(kTestBytes);
    for (size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<uint8_t>((i * 2654435761u) >> 13);
    const GpuMemoryBlock source(from, kTestBytes, "a test of copies"), target(to, kTestBytes, "a test of copies");
    const std::unique_ptr<GpuStream> a = from->make_stream(), b = to->make_stream();
    try {
        a->copy_in(source.data(), sent.data(), kTestBytes);
        b->clear(target.data(), kTestBytes);
        b->copy_from(*a, target.data(), source.data(), kTestBytes);
        b->copy_out(come.data(), target.data(), kTestBytes);
        a->synchronize();
    } catch (const GpuError& error) {
        if (error.fault() == GpuFault::compute) throw;  // a device is lost
        return false;
    }
    return come == sent;
}

}  // namespace tg
