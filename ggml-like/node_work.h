// How much work a node is, and into how many pieces it can be cut: for runs that must be able to stop inside a node.
#pragma once

#include <cstdint>

#include "ggml-like/op_table.h"

namespace tg {

// Into how many pieces n_threads threads should cut this node so that each has about kPieceWork multiplications. A piece
// is what one of that many more threads would do, so the bits are the same.
int64_t piece_count(const Graph& graph, const Node& node, const RunInputs& inputs, int n_threads) noexcept;

inline constexpr int64_t kPieceWork = int64_t{1} << 18;  // a few microseconds to a few dozen with AVX2

}  // namespace tg
