// The first node where two runs differ, and why, as far as the values of the nodes around it can tell.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "run_trace.h"
#include "weight_diff.h"

namespace cli {

struct NodeDiff {
    std::string node;
    int32_t layer = -1;
    int64_t row = 0, column = 0;  // the first value beyond the tolerance; the row is the token
    float a = 0, b = 0;
    int64_t n_rows = 0;  // that have such values
    double largest = 0;  // difference in this node, and relative to the largest value of its row
    double largest_relative = 0;
    std::string problem;  // other shapes
    std::vector<Cause> causes;
};

struct RunDiff {
    int64_t n_compared = 0;              // nodes of both
    std::vector<std::string> only_a;     // nodes that only A has
    std::optional<NodeDiff> first;       // nothing: no difference
    double largest_relative_before = 0;  // in nodes before it (or in all): how near the tolerance is
};

// A value differs if it is further from A's than tolerance times the largest magnitude of A's row.
RunDiff compare_runs(const RunTrace& a, const RunTrace& b, double tolerance);
// The tensor that a node multiplies with: "blk.3.attn_q.weight"; "" for nodes without.
std::string tensor_of_node(std::string_view node);

}  // namespace cli
