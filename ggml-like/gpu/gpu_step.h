// A node of a run as its launch sees it: addresses on the device, numbers of this step.
#pragma once

#include <cstdint>

#include "ggml-like/gpu/gpu_weights.h"
#include "ggml-like/gpu/step_inputs.h"

namespace tg {

struct GpuStep {
    const Graph& graph;
    const Node& node;
    const RunInputs& inputs;
    const StepInputs& gathered;
    const GpuWeights& weights;
    GpuStream& stream;
    const kern::RopeFrequency* frequencies;  // of this node, on the device; null: it has none
    uint8_t* const* values;                  // by ValueId
    const int32_t* numbers;                  // StepInputs::numbers() on the device
    float* scores;
    int64_t n_scores;
    int64_t most_cells;  // that a token of this step sees, or of those that are to be launched alike
    int64_t most_windowed_cells;

    int64_t rows(ValueId id) const { return graph.value(id).rows == Rows::tokens ? inputs.n_tokens : inputs.n_outputs; }
    int64_t width(ValueId id) const { return graph.value(id).width; }
    float* floats(ValueId id) const { return reinterpret_cast<float*>(values[id]); }
    ValueId in(int i) const { return node.inputs[i]; }
    const OpParams& params() const { return node.params; }
};

}  // namespace tg
