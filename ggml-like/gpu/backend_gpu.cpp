// One row per operation says how it is launched; what several do in one launch is launch_fusion.cpp's. Values live on the
// device; those that a caller gave memory for (external ones) have a twin there and are copied once the run has ended, or stay
// until they are asked for. A step's inputs go over in one copy.
#include "ggml-like/gpu/backend_gpu.h"

#include <algorithm>
#include <optional>

#include "ggml-like/gpu/gpu_kept_rows.h"
#include "ggml-like/gpu/gpu_step.h"
#include "ggml-like/gpu/launch_fusion.h"
#include "ggml-like/node_trace.h"

namespace tg {
namespace {

using Clock = std::chrono::steady_clock;

class GpuBuffer final : public Buffer {
public:
    GpuBuffer(std::shared_ptr<GpuDevice> device, size_t n_bytes, const char* what)
        : block_(std::move(device), n_bytes, what) {}
    uint8_t* data() const noexcept override { return block_.data(); }
    size_t size() const noexcept override { return block_.size(); }

private:
    GpuMemoryBlock block_;
};

constexpr size_t kExternalSlots = sizeof(RunInputs::external) / sizeof(RunInputs::external[0]);
constexpr size_t kMostScoreFloats = size_t{16} << 20;  // 64 MiB: what a prompt's tokens may have at once

constexpr size_t kStagingBytes = size_t{1} << 20;
constexpr size_t kListBytes = size_t{16} << 10;

int32_t tile_tokens(const GpuBackendShape& shape) {
    return gpu_attention_tile(shape.n_head, shape.n_head_kv, shape.head_dim, shape.k_type);
}

size_t score_floats(const GpuBackendShape& shape) {
    const auto per_token = static_cast<size_t>(gpu_attention_scores(shape.n_head, shape.max_cells));
    const auto most = static_cast<size_t>(std::max<int64_t>(shape.max_rows, 1));
    const size_t least = std::min(static_cast<size_t>(tile_tokens(shape)), most);
    return per_token * std::clamp(kMostScoreFloats / std::max<size_t>(per_token, 1), least, most);
}

size_t first_input_numbers(const GpuBackendShape& shape) {
    return StepInputs::most_fixed(static_cast<size_t>(shape.max_rows)) + static_cast<size_t>(shape.max_cells);
}

void launch_get_rows(const GpuStep& s) {
    gpu_get_rows(s.stream, on_gpu(*s.params().weight), s.width(s.node.output), s.numbers + s.gathered.places().tokens,
                 s.inputs.n_tokens, s.params().factor, s.floats(s.node.output));
}

void launch_rope_table(const GpuStep& s) {
    gpu_rope_table(s.stream, s.numbers + s.gathered.places().positions, s.inputs.n_tokens, s.frequencies,
                   s.width(s.node.output) / 2, s.floats(s.node.output));
}

void launch_rms_norm(const GpuStep& s) {
    const int64_t width = s.width(s.in(0));
    gpu_rms_norm(s.stream, s.floats(s.in(0)), s.weights.find_floats(s.params().norm_weight), s.params().eps, s.rows(s.in(0)),
                 width, s.params().head_dim != 0 ? s.params().head_dim : width, s.floats(s.node.output));
}

void launch_pack_acts(const GpuStep& s) {
    gpu_pack_acts(s.stream, s.floats(s.in(0)), s.width(s.in(0)), s.rows(s.in(0)), s.values[s.node.output]);
}

void launch_mul_mat(const GpuStep& s) {
    gpu_mul_mat(s.stream, on_gpu(*s.params().weight), s.values[s.in(0)], s.width(s.in(0)), s.rows(s.in(0)),
                s.floats(s.node.output));
}

void launch_rope(const GpuStep& s) {
    const OpParams& p = s.params();
    gpu_rope(s.stream, s.floats(s.node.output), s.floats(s.in(1)), s.inputs.n_tokens, p.n_head, p.head_dim, p.rope.n_dims,
             p.rope.halves);
}

void launch_kv_store(const GpuStep& s) {
    const OpParams& p = s.params();
    gpu_kv_store(s.stream, p.kv, s.floats(s.in(0)), s.floats(s.in(1)), s.numbers + s.gathered.places().cells,
                 s.inputs.n_tokens, s.width(s.in(0)) / p.head_dim, p.head_dim);
}

void launch_attention(const GpuStep& s) {
    const OpParams& p = s.params();
    const StepInputs::Places& places = s.gathered.places();
    GpuAttention work;
    work.q = s.floats(s.in(0));
    work.out = s.floats(s.node.output);
    work.kv = p.kv;
    work.n_head = p.n_head;
    work.n_head_kv = p.n_head_kv;
    work.head_dim = p.head_dim;
    work.cells = s.numbers + places.lists;
    work.begin = s.numbers + (p.windowed ? places.windowed_begin : places.begin);
    work.n_cells = s.numbers + (p.windowed ? places.windowed_count : places.count);
    work.most_cells = p.windowed ? s.most_windowed_cells : s.most_cells;
    const AttendPlan& plan = s.gathered.attend();
    if (s.inputs.n_tokens >= AttendPlan::kFewTexts) work.tiles = s.numbers + places.tiles;
    if (plan.n_alone() >= AttendPlan::kFewTexts) work.shares = s.numbers + places.shares;
    work.n_together = plan.n_together();
    work.n_alone = plan.n_alone();
    work.scores = s.scores;
    work.n_scores = s.n_scores;
    gpu_attention(s.stream, work);
}

using Binary = void (*)(GpuStream& stream, const float* a, const float* b, int64_t n, float* out);

template <Binary function>
void launch_binary(const GpuStep& s) {
    function(s.stream, s.floats(s.in(0)), s.floats(s.in(1)), s.rows(s.node.output) * s.width(s.node.output),
             s.floats(s.node.output));
}

void launch_pick_rows(const GpuStep& s) {
    gpu_pick_rows(s.stream, s.floats(s.in(0)), s.width(s.in(0)), s.numbers + s.gathered.places().output_rows,
                  s.inputs.n_outputs, s.floats(s.node.output));
}

void launch_pad(const GpuStep& s) {
    gpu_pad(s.stream, s.floats(s.in(0)), s.rows(s.in(0)), s.width(s.in(0)), s.width(s.node.output),
            s.floats(s.node.output));
}

// Calls use(segment, pair, factor, at) for all pairs of the node's slot; `at` is where a pair's inner products begin in a row.
template <class Use>
void for_lora_pairs(const GpuStep& s, const Use& use) {
    const bool of_tokens = s.graph.value(s.node.output).rows == Rows::tokens;
    const LoraSegments& segments = of_tokens ? s.inputs.lora_tokens : s.inputs.lora_outputs;
    for (int64_t i = 0; i < segments.n; ++i) {
        const LoraSegment& segment = segments.items[i];
        int64_t at = 0;
        for (int64_t u = 0; u < segment.n_uses; ++u) {
            const LoraPair& pair = segment.uses[u].pairs[s.params().lora_slot];
            if (!pair.a.present()) continue;
            use(segment, pair, static_cast<float>(static_cast<double>(segment.uses[u].scale) * pair.factor), at);
            at += pair.a.n_rows;
        }
    }
}

void launch_lora_down(const GpuStep& s) {
    const int64_t x_width = s.width(s.in(0)), width = s.width(s.node.output);
    float* const out = s.floats(s.node.output);
    s.stream.clear(out, static_cast<size_t>(s.rows(s.node.output) * width) * sizeof(float));
    for_lora_pairs(s, [&](const LoraSegment& segment, const LoraPair& pair, float factor, int64_t at) {
        gpu_mul_mat(s.stream, on_gpu(pair.a), s.floats(s.in(0)) + segment.begin * x_width, x_width,
                    segment.end - segment.begin, out + segment.begin * width + at, {width, factor, nullptr});
    });
}

void launch_lora_up(const GpuStep& s) {
    const int64_t down_width = s.width(s.in(1)), width = s.width(s.node.output);
    for_lora_pairs(s, [&](const LoraSegment& segment, const LoraPair& pair, float, int64_t at) {
        float* const out = s.floats(s.node.output) + segment.begin * width;
        gpu_mul_mat(s.stream, on_gpu(pair.b), s.floats(s.in(1)) + segment.begin * down_width + at, down_width,
                    segment.end - segment.begin, out, {width, 1.0f, out});
    });
}

struct GpuOpRow {
    OpKind kind;
    void (*launch)(const GpuStep& step);
};

constexpr GpuOpRow kOps[kOpCount] = {
    {OpKind::get_rows, launch_get_rows},
    {OpKind::rope_table, launch_rope_table},
    {OpKind::rms_norm, launch_rms_norm},
    {OpKind::pack_acts, launch_pack_acts},
    {OpKind::mul_mat, launch_mul_mat},
    {OpKind::rope, launch_rope},
    {OpKind::kv_store, launch_kv_store},
    {OpKind::attention, launch_attention},
    {OpKind::add, launch_binary<gpu_add>},
    {OpKind::relu2_mul, launch_binary<gpu_relu2_mul>},
    {OpKind::silu_mul, launch_binary<gpu_silu_mul>},
    {OpKind::gelu_mul, launch_binary<gpu_gelu_mul>},
    {OpKind::pick_rows, launch_pick_rows},
    {OpKind::lora_down, launch_lora_down},
    {OpKind::lora_up, launch_lora_up},
    {OpKind::pad, launch_pad},
};

constexpr bool in_order() {
    for (int i = 0; i < kOpCount; ++i) {
        if (static_cast<int>(kOps[i].kind) != i) return false;
    }
    return true;
}
static_assert(in_order(), "the table is indexed by OpKind");

// Steps of so few tokens are mostly launches, and come again and again: what is launched for one is recorded and replayed.
constexpr int64_t kRecordedTokens = 16;
constexpr size_t kMostRecordings = 8;
constexpr int64_t kLeastCells = 256;

// All that a launch depends on, beside the numbers that are copied to the device before each step.
struct RecordingKey {
    const Graph* graph;
    const uint8_t* arena;
    size_t first_node, n_nodes;
    int64_t n_tokens, n_outputs;
    int64_t most_cells;
    const uint8_t* numbers;
    const uint8_t* external[kExternalSlots];

    bool operator==(const RecordingKey&) const = default;
};

class GpuBackend final : public GpuStage {
public:
    GpuBackend(std::shared_ptr<const GpuWeights> weights, const GpuBackendShape& shape)
        : weights_(std::move(weights)), device_(weights_->device()), stream_(device_->make_stream()),
          scores_(device_, score_floats(shape) * sizeof(float), "attention scores"),
          numbers_(device_, first_input_numbers(shape) * sizeof(int32_t), "a step's inputs"),
          staging_(device_, kStagingBytes, "saved cells"), kept_(device_, *stream_, shape.kept_width, shape.max_rows),
          max_cells_(shape.max_cells), tile_tokens_(tile_tokens(shape)) {}

    const char* name() const noexcept override { return gpu_device_name(device_->info().index); }
    std::unique_ptr<Buffer> allocate(size_t n_bytes, const char* what) override {
        return std::make_unique<GpuBuffer>(device_, n_bytes, what);
    }
    void upload(Buffer& to, size_t offset, const void* from, size_t n_bytes) override {
        stream_->copy_in(to.data() + offset, from, n_bytes);
    }
    void download(const Buffer& from, size_t offset, void* to, size_t n_bytes) override {
        stream_->copy_out(to, from.data() + offset, n_bytes);
    }
    void read_cells(const CellRows& rows, const int32_t* cells, size_t n, uint8_t* to) override;
    void write_cells(const CellRows& rows, const int32_t* cells, size_t n, const uint8_t* from) override;
    RunResult run(const Graph& graph, const MemoryPlan& plan, Buffer& arena, const RunInputs& inputs,
                  const StopCheck& stop, GraphTrace* trace) override {
        RunCursor cursor{inputs.first_node, 0, 0};
        return run_until(Clock::time_point::max(), cursor, graph, plan, arena, inputs, stop, trace);
    }
    RunResult run_until(Clock::time_point until, RunCursor& cursor, const Graph& graph, const MemoryPlan& plan,
                        Buffer& arena, const RunInputs& inputs, const StopCheck& stop, GraphTrace* trace) override {
        return run_nodes(true, until, cursor, graph, plan, arena, inputs, stop, trace);
    }
    KeptRows* kept_rows() noexcept override { return &kept_; }
    RunResult launch_until(Clock::time_point until, RunCursor& cursor, const Graph& graph, const MemoryPlan& plan,
                           Buffer& arena, const RunInputs& inputs, const StopCheck& stop, GraphTrace* trace) override {
        return run_nodes(false, until, cursor, graph, plan, arena, inputs, stop, trace);
    }
    GpuStream& stream() noexcept override { return *stream_; }
    void synchronize() override { stream_->synchronize(); }
    int n_threads() const noexcept override { return 1; }
    size_t scratch_bytes() const noexcept override {
        return scores_.size() + numbers_.size() + staging_.size() + kept_.scratch_bytes();
    }

private:
    RunResult run_nodes(bool waits, Clock::time_point until, RunCursor& cursor, const Graph& graph, const MemoryPlan& plan,
                        Buffer& arena, const RunInputs& inputs, const StopCheck& stop, GraphTrace* trace);
    GpuStep step_of(const Graph& graph, const Node& node, const RunInputs& inputs, int64_t most_cells,
                    int64_t most_windowed_cells);
    size_t launch(const GpuStep& step, size_t most) const;
    size_t launch_at(size_t i, size_t end, const Graph& graph, const MemoryPlan& plan, const RunInputs& inputs,
                     int64_t most_cells, int64_t most_windowed_cells);
    bool replay(const Graph& graph, const MemoryPlan& plan, const Buffer& arena, const RunInputs& inputs, size_t n_nodes);
    void place_values(const Graph& graph, const MemoryPlan& plan, const Buffer& arena, const RunInputs& inputs, size_t end);
    void bring_inputs(const RunInputs& inputs);
    const kern::RopeFrequency* frequencies_of(const Graph& graph, const Node& node);
    void copy_external(const Graph& graph, const RunInputs& inputs, size_t end);
    TraceRow trace_row(const Graph& graph, const Node& node, const RunInputs& inputs, GraphTrace& trace, uint64_t ns);
    template <class Body>
    void for_cells(const CellRows& rows, const int32_t* cells, size_t n, const Body& body);
    static void grow(GpuMemoryBlock& block, const std::shared_ptr<GpuDevice>& device, size_t n_bytes, const char* what) {
        if (block.size() < n_bytes) block = GpuMemoryBlock(device, n_bytes, what);
    }

    std::shared_ptr<const GpuWeights> weights_;
    std::shared_ptr<GpuDevice> device_;
    std::unique_ptr<GpuStream> stream_;
    GpuMemoryBlock scores_;
    GpuMemoryBlock numbers_;
    GpuMemoryBlock staging_;  // of saved cells: a list of them, then their rows
    GpuMemoryBlock external_[kExternalSlots];
    GpuKeptRows kept_;
    StepInputs gathered_;
    std::vector<uint8_t*> values_;
    struct Frequencies {
        const kern::RopeFrequency* host;
        GpuMemoryBlock block;
    };
    std::vector<Frequencies> frequencies_;
    std::vector<float> traced_;
    const int64_t max_cells_;
    const int32_t tile_tokens_;
    struct Recorded {
        RecordingKey key;
        std::unique_ptr<GpuRecording> launches;  // null: seen once, not recorded yet
    };
    std::vector<Recorded> recorded_;  // the one used longest ago first
};

// Addresses of all values; external ones that this run makes get room for its rows.
void GpuBackend::place_values(const Graph& graph, const MemoryPlan& plan, const Buffer& arena, const RunInputs& inputs,
                              size_t end) {
    for (size_t i = inputs.first_node; i < end; ++i) {
        const ValueId id = graph.nodes()[i].output;
        if (id == kNoValue || graph.value(id).home != Home::external) continue;
        const Value& value = graph.value(id);
        const int64_t rows = value.rows == Rows::tokens ? inputs.n_tokens : inputs.n_outputs;
        grow(external_[value.external_slot], device_, static_cast<size_t>(rows * value.width) * sizeof(float),
             value.name.c_str());
    }
    values_.resize(graph.values().size());
    for (size_t i = 0; i < values_.size(); ++i) {
        const Value& value = graph.values()[i];
        values_[i] = value.home == Home::external ? external_[value.external_slot].data() : arena.data() + plan.offsets[i];
    }
}

void GpuBackend::bring_inputs(const RunInputs& inputs) {
    gathered_.gather(inputs, tile_tokens_);
    const size_t n_bytes = gathered_.numbers().size() * sizeof(int32_t);
    if (numbers_.size() < n_bytes) stream_->synchronize();  // an earlier run may still read what goes
    grow(numbers_, device_, n_bytes, "a step's inputs");
    stream_->copy_in(numbers_.data(), gathered_.numbers().data(), n_bytes);
}

// Frequencies belong to the graph and go over once.
const kern::RopeFrequency* GpuBackend::frequencies_of(const Graph& graph, const Node& node) {
    if (node.op != OpKind::rope_table) return nullptr;
    const kern::RopeFrequency* host = node.params.frequencies;
    for (const Frequencies& known : frequencies_) {
        if (known.host == host) return reinterpret_cast<const kern::RopeFrequency*>(known.block.data());
    }
    const size_t n_bytes = static_cast<size_t>(graph.value(node.output).width / 2) * sizeof *host;
    frequencies_.push_back({host, GpuMemoryBlock(device_, n_bytes, "rotary frequencies")});
    stream_->copy_in(frequencies_.back().block.data(), host, n_bytes);
    return reinterpret_cast<const kern::RopeFrequency*>(frequencies_.back().block.data());
}

// The external values that the nodes before end have made go to the caller's memory, or are kept where there is none.
void GpuBackend::copy_external(const Graph& graph, const RunInputs& inputs, size_t end) {
    for (size_t i = inputs.first_node; i < end; ++i) {
        const ValueId id = graph.nodes()[i].output;
        if (id == kNoValue || graph.value(id).home != Home::external) continue;
        const Value& value = graph.value(id);
        const int64_t rows = value.rows == Rows::tokens ? inputs.n_tokens : inputs.n_outputs;
        if (inputs.external[value.external_slot] == nullptr) {
            kept_.take(reinterpret_cast<const float*>(values_[static_cast<size_t>(id)]), rows);
            continue;
        }
        if (rows == 0) continue;
        stream_->copy_out(inputs.external[value.external_slot], values_[static_cast<size_t>(id)],
                          static_cast<size_t>(rows * value.width) * sizeof(float));
    }
}

TraceRow GpuBackend::trace_row(const Graph& graph, const Node& node, const RunInputs& inputs, GraphTrace& trace,
                               uint64_t ns) {
    TraceRow row = name_trace_row(graph, node, inputs,
                                  node.op == OpKind::mul_mat ? node.params.weight->kernel->name : "vec_cuda");
    if (trace.names_only) return row;
    row.microseconds = ns / 1000;
    if (node.output == kNoValue || graph.value(node.output).type != ValueType::f32) return row;
    const int64_t width = graph.value(node.output).width;
    traced_.resize(static_cast<size_t>(row.rows * width));
    if (row.rows != 0) stream_->copy_out(traced_.data(), values_[static_cast<size_t>(node.output)], traced_.size() * sizeof(float));
    finish_trace_row(graph, node, traced_.data(), trace, row);
    return row;
}

GpuStep GpuBackend::step_of(const Graph& graph, const Node& node, const RunInputs& inputs, int64_t most_cells,
                            int64_t most_windowed_cells) {
    return {graph,
            node,
            inputs,
            gathered_,
            *weights_,
            *stream_,
            frequencies_of(graph, node),
            values_.data(),
            reinterpret_cast<const int32_t*>(numbers_.data()),
            scores_.floats(),
            static_cast<int64_t>(scores_.size() / sizeof(float)),
            most_cells,
            most_windowed_cells};
}

// Launches the step's node, with those behind it that one launch does together, at most `most` in all; returns how many.
size_t GpuBackend::launch(const GpuStep& step, size_t most) const {
    const ValueId counted = step.node.output != kNoValue ? step.node.output : step.node.inputs[0];
    if (step.rows(counted) == 0) return 1;
    if (const size_t n = launch_together(step, most)) return n;
    kOps[static_cast<int>(step.node.op)].launch(step);
    return 1;
}

size_t GpuBackend::launch_at(size_t i, size_t end, const Graph& graph, const MemoryPlan& plan, const RunInputs& inputs,
                             int64_t most_cells, int64_t most_windowed_cells) {
    const size_t planned = plan.together.empty() ? 1 : plan.together[i];
    return launch(step_of(graph, graph.nodes()[i], inputs, most_cells, most_windowed_cells), std::min(planned, end - i));
}

// Launches a small step as one, recording it when it comes the second time; false: it has to be launched node by node. Grids
// follow from the cells that a token sees at most, rounded up far enough for the recording to serve as the text grows.
bool GpuBackend::replay(const Graph& graph, const MemoryPlan& plan, const Buffer& arena, const RunInputs& inputs,
                        size_t n_nodes) {
    if (inputs.n_tokens > kRecordedTokens || !stream_->can_record()) return false;
    if (inputs.lora_tokens.n != 0 || inputs.lora_outputs.n != 0) return false;  // adapters come and go
    int64_t most_cells = kLeastCells;
    while (most_cells < gathered_.most_cells()) most_cells *= 2;
    RecordingKey key{&graph,           arena.data(), inputs.first_node, n_nodes, inputs.n_tokens,
                     inputs.n_outputs, most_cells,   numbers_.data(),   {}};
    for (size_t i = 0; i < kExternalSlots; ++i) key.external[i] = external_[i].data();
    const auto same = [&](const Recorded& recorded) { return recorded.key == key; };
    const auto at = std::find_if(recorded_.begin(), recorded_.end(), same);
    if (at == recorded_.end()) {
        if (recorded_.size() == kMostRecordings) recorded_.erase(recorded_.begin());
        recorded_.push_back({key, nullptr});
        return false;
    }
    std::rotate(at, at + 1, recorded_.end());
    Recorded& recorded = recorded_.back();
    if (recorded.launches == nullptr) {
        most_cells = std::min(most_cells, max_cells_);
        for (size_t i = inputs.first_node; i < n_nodes; ++i) frequencies_of(graph, graph.nodes()[i]);
        stream_->begin_recording();
        try {
            for (size_t i = inputs.first_node; i < n_nodes;) {
                i += launch_at(i, n_nodes, graph, plan, inputs, most_cells, most_cells);
            }
            recorded.launches = stream_->end_recording();
        } catch (...) {
            stream_->drop_recording();
            throw;
        }
    }
    stream_->replay(*recorded.launches);
    return true;
}

RunResult GpuBackend::run_nodes(bool waits, Clock::time_point until, RunCursor& cursor, const Graph& graph,
                                const MemoryPlan& plan, Buffer& arena, const RunInputs& inputs, const StopCheck& stop,
                                GraphTrace* trace) {
    const size_t n_nodes = std::min(graph.nodes().size(), inputs.n_nodes);
    if (trace != nullptr) trace->rows.resize(n_nodes);
    const bool measured = trace != nullptr && !trace->names_only;
    const bool in_pieces = until != Clock::time_point::max();
    const auto must_stop = [&] { return stop.should_stop != nullptr && stop.should_stop(stop.user_data); };
    if (must_stop()) return RunResult::stopped;
    place_values(graph, plan, arena, inputs, n_nodes);
    bring_inputs(inputs);
    WorkLog log(work());
    if (trace == nullptr && !in_pieces && replay(graph, plan, arena, inputs, n_nodes)) {
        for (; cursor.node < n_nodes; ++cursor.node) log.begin(graph.nodes()[cursor.node].op);
    }
    // Who looks at single nodes gets them one by one.
    const size_t end = trace == nullptr && !in_pieces ? n_nodes : 0;
    for (bool first = true; cursor.node < n_nodes; first = false) {
        if (in_pieces && !first && Clock::now() >= until) return RunResult::more;
        if (!first && must_stop()) {
            stream_->synchronize();  // nothing of this run may touch memory that the caller takes back
            return RunResult::stopped;
        }
        const Node& node = graph.nodes()[cursor.node];
        const Clock::time_point begin = Clock::now();
        log.begin(node.op);
        const size_t n = launch_at(cursor.node, std::max(end, cursor.node + 1), graph, plan, inputs, gathered_.most_cells(),
                                   gathered_.most_windowed_cells());
        for (size_t i = 1; i < n; ++i) log.begin(graph.nodes()[cursor.node + i].op);
        if (measured || in_pieces) stream_->synchronize();
        if (trace != nullptr) {
            const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count();
            trace->rows[cursor.node] = trace_row(graph, node, inputs, *trace, static_cast<uint64_t>(ns));
        }
        cursor.node += n;
    }
    log.resume(OpKind::add);  // nodes that were launched one after the other end when they end: the wait is nobody's
    copy_external(graph, inputs, n_nodes);
    if (!waits) return RunResult::done;
    stream_->synchronize();
    // The time went by here, behind the last question.
    return !in_pieces && must_stop() ? RunResult::stopped : RunResult::done;
}

// In pieces that fit the staging memory, so that a state which fits the context never fails for want of memory.
template <class Body>
void GpuBackend::for_cells(const CellRows& rows, const int32_t* cells, size_t n, const Body& body) {
    const size_t row_bytes = static_cast<size_t>(rows.n_heads * rows.head_bytes);
    const size_t at_once = std::max<size_t>((kStagingBytes - kListBytes) / std::max<size_t>(row_bytes, 1), 1);
    const size_t most = std::min(at_once, kListBytes / sizeof(int32_t));
    grow(staging_, device_, kListBytes + std::min(most, n) * row_bytes, "saved cells");
    uint8_t* const staged = staging_.data() + kListBytes;
    for (size_t at = 0; at < n; at += most) {
        const size_t count = std::min(most, n - at);
        stream_->copy_in(staging_.data(), cells + at, count * sizeof(int32_t));
        body(reinterpret_cast<const int32_t*>(staging_.data()), static_cast<int64_t>(count), staged, at * row_bytes,
             count * row_bytes);
    }
}

void GpuBackend::read_cells(const CellRows& rows, const int32_t* cells, size_t n, uint8_t* to) {
    for_cells(rows, cells, n, [&](const int32_t* list, int64_t count, uint8_t* staged, size_t at, size_t n_bytes) {
        gpu_kv_gather(*stream_, rows.first, rows.n_cells, rows.n_heads, rows.head_bytes, list, count, staged);
        stream_->copy_out(to + at, staged, n_bytes);
    });
}

void GpuBackend::write_cells(const CellRows& rows, const int32_t* cells, size_t n, const uint8_t* from) {
    for_cells(rows, cells, n, [&](const int32_t* list, int64_t count, uint8_t* staged, size_t at, size_t n_bytes) {
        stream_->copy_in(staged, from + at, n_bytes);
        gpu_kv_scatter(*stream_, rows.first, rows.n_cells, rows.n_heads, rows.head_bytes, list, count, staged);
    });
    stream_->synchronize();
}

}  // namespace

size_t gpu_backend_scratch_bytes(const GpuBackendShape& shape) {
    return score_floats(shape) * sizeof(float) + first_input_numbers(shape) * sizeof(int32_t) + kStagingBytes +
           GpuKeptRows::scratch_bytes(shape.kept_width, shape.max_rows);
}

std::unique_ptr<GpuStage> make_gpu_backend(std::shared_ptr<const GpuWeights> weights, const GpuBackendShape& shape) {
    return std::make_unique<GpuBackend>(std::move(weights), shape);
}

}  // namespace tg
