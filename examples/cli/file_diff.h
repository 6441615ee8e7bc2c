// What is different between two model files, and why: metadata, the table of tensors, and the weights as numbers.
#pragma once

#include <string>
#include <vector>

#include "weight_diff.h"

namespace cli {

struct KeyDiff {
    std::string key;
    const std::string* a = nullptr;  // nullptr: only the other file has it
    const std::string* b = nullptr;
    std::string where;  // "[151]": the first entry of an array that differs
    Cause cause;        // kind "" where the key only describes the file
};

struct TensorDiff {
    std::string name;
    const bitnet_file_tensor* a = nullptr;  // nullptr: only the other file has it
    const bitnet_file_tensor* b = nullptr;
    std::string problem;  // shapes that differ, values that cannot be read
    WeightDiff weights;   // where there is no problem
    bool differs() const { return !problem.empty() || a == nullptr || b == nullptr || !weights.same; }
};

struct FileDiff {
    std::vector<KeyDiff> keys;
    std::vector<TensorDiff> tensors;  // of both files, in A's order, then those of B alone
    bool sampled = false;             // not every row of every tensor was looked at
    // Differences that change what the model computes or how texts become tokens.
    bool differs() const;
};

std::vector<KeyDiff> compare_metadata(const GgufView& a, const GgufView& b);
FileDiff compare_files(const GgufView& a, const GgufView& b, bool quick);
// One tensor of both.
TensorDiff compare_tensor(const GgufView& a, const GgufView& b, const std::string& name, bool quick);

}  // namespace cli
