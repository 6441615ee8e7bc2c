// Graphs in tests: weights made of random data with a chosen kernel, inputs fed through an f32 table, and running a
// graph on the CPU backend with any number of threads while every result is kept.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "ggml-like/backend.h"
#include "ggml-like/graph.h"
#include "ggml-like/memory_plan.h"
#include "ggml-like/weight_pack.h"
#include "kernels/cpu/kernel_select.h"
#include "tests/support/kernel_cases.h"

namespace test {

// The kernel sets of every level this CPU can run, the best first.
inline std::vector<kern::KernelSet> runnable_kernel_sets() {
    std::vector<kern::KernelSet> sets;
    for (size_t i = kern::kernel_level_count() + 1; i-- > 0;) {
        const char* level = i == kern::kernel_level_count() ? "" : kern::kernel_level_at(i);
        kern::KernelSet set;
        if (kern::select_kernels(level, &set) == kern::KernelChoice::ok) sets.push_back(set);
    }
    return sets;
}

// Weights of one graph; addresses stay.
class WeightStore {
public:
    explicit WeightStore(const kern::KernelSet& kernels) : kernels_(kernels), pool_(2) {}

    const tg::Weight& random(kern::QuantType type, int64_t n_rows, int64_t k, uint64_t seed) {
        matrices_.push_back(random_matrix(type, n_rows, k, seed));
        return add(type, n_rows, k, matrices_.back().scale, matrices_.back().bytes.data());
    }
    // An f32 table whose row i is row i of values: get_rows of it feeds values into a graph.
    const tg::Weight& table(const std::vector<float>& values, int64_t width) {
        tables_.push_back(values);
        const int64_t n_rows = static_cast<int64_t>(values.size()) / width;
        return add(kern::QuantType::f32, n_rows, width, 1.0f, reinterpret_cast<const uint8_t*>(tables_.back().data()));
    }
    tg::Weight& last() { return weights_.back(); }

private:
    const tg::Weight& add(kern::QuantType type, int64_t n_rows, int64_t k, float scale, const uint8_t* data) {
        tg::Weight w;
        w.name = "weight " + std::to_string(weights_.size());
        w.type = type;
        w.k = k;
        w.n_rows = n_rows;
        w.tensor_scale = scale;
        w.file_data = data;
        tg::pack_weight(w, kernels_, pool_, &packed_);
        weights_.push_back(w);
        return weights_.back();
    }

    const kern::KernelSet kernels_;
    tg::ThreadPool pool_;
    std::deque<Matrix> matrices_;
    std::deque<std::vector<float>> tables_;
    std::deque<tg::Weight> weights_;
    std::vector<tg::Arena> packed_;
};

// What a run needs beside the graph, with defaults: token i reads row i of the tables, sits at position i in cell i and
// sees all tokens up to itself; all tokens are outputs.
struct Feed {
    explicit Feed(int64_t n) : n_tokens(n) {
        for (int32_t i = 0; i < n; ++i) {
            tokens.push_back(i);
            positions.push_back(i);
            cells.push_back(i);
            outputs.push_back(i);
        }
    }
    int64_t n_tokens;
    std::vector<int32_t> tokens, positions, cells, outputs;
    std::vector<tg::LoraSegment> lora;  // of the tokens

    tg::RunInputs inputs() {
        visible_.assign(tokens.size(), cells.data());
        n_visible_.clear();
        for (int32_t i = 0; i < n_tokens; ++i) n_visible_.push_back(i + 1);
        tg::RunInputs in;
        in.n_tokens = n_tokens;
        in.n_outputs = static_cast<int64_t>(outputs.size());
        in.tokens = tokens.data();
        in.positions = positions.data();
        in.cells = cells.data();
        in.visible = visible_.data();
        in.n_visible = n_visible_.data();
        in.output_rows = outputs.data();
        in.lora_tokens = {lora.data(), static_cast<int64_t>(lora.size())};
        return in;
    }

private:
    std::vector<const int32_t*> visible_;
    std::vector<int32_t> n_visible_;
};

// Runs the graph and returns the rows of `result`, which becomes external.
inline std::vector<float> run_graph(tg::Graph& graph, tg::ValueId result, const kern::KernelSet& kernels, int n_threads,
                                    Feed& feed, tg::GraphTrace* trace = nullptr) {
    const int64_t max_rows = std::max<int64_t>(feed.n_tokens, 1);
    graph.make_external(result, 0);
    const tg::MemoryPlan plan = tg::plan_memory(graph, max_rows);
    const auto backend = tg::make_cpu_backend(*kernels.vec, n_threads, max_rows, 8);
    const auto arena = backend->allocate(plan.arena_bytes, "test");
    std::fill(arena->data(), arena->data() + arena->size(), uint8_t{0xa5});
    tg::RunInputs in = feed.inputs();
    const tg::Value& value = graph.value(result);
    std::vector<float> out(
        static_cast<size_t>((value.rows == tg::Rows::tokens ? in.n_tokens : in.n_outputs) * value.width));
    std::vector<float> nothing(1);
    in.external[0] = out.empty() ? nothing.data() : out.data();
    if (backend->run(graph, plan, *arena, in, {}, trace) != tg::RunResult::done) out.clear();
    return out;
}

}  // namespace test
