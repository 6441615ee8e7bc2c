// Two tensors of the same shape compared value by value, and a reason for the difference where one can be proven: each cause
// is a hypothesis that predicts one tensor from the other, and is named only where it predicts every value.
#pragma once

#include <string>
#include <vector>

#include "gguf_view.h"

namespace cli {

struct Cause {
    std::string kind;  // for programs: "i2s_arm_order"
    std::string text;  // for people; A and B are the files
};

struct WeightDiff {
    bool same = true;
    bool sampled = false;         // not all rows were looked at
    int64_t n_rows = 0;           // that differ
    int64_t n_values = 0;         // that differ
    int64_t row = 0, column = 0;  // the first difference and its values
    float a = 0, b = 0;
    double largest = 0;  // absolute difference, and where
    int64_t largest_row = 0, largest_column = 0;
    double relative_rms = 0;    // of the differences, to the values of A
    std::vector<Cause> causes;  // "unknown" where none was found; empty where nothing differs
};

struct WeightDiffOptions {
    bool quick = false;              // look at a few rows, and at all only where those differ
    std::vector<int64_t> head_dims;  // that rows of q and k may be cut into; empty for other tensors
};

WeightDiff compare_weights(const TensorRows& a, const TensorRows& b, const WeightDiffOptions& options);

}  // namespace cli
