// Which neighbouring nodes of a graph one launch does together, with the same bits: fewer launches, and what only they hand to
// each other never reaches memory. Whatever matches no pattern, or not for a step's rows, is launched node by node.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ggml-like/gpu/gpu_step.h"

namespace tg {

// MemoryPlan::together for a graph that a GPU will run.
std::vector<uint8_t> nodes_launched_together(const Graph& graph);

// Launches the step's node and those behind it as one, `most` of them at most, where a pattern says how; returns how many it did,
// 0 where none. The memory of the graph's values must have been planned for the `most` running together.
size_t launch_together(const GpuStep& step, size_t most);

}  // namespace tg
