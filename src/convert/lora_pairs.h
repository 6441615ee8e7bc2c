// The pairs of thin matrices of a LoRA adapter, whatever file they come from, each checked against the model it changes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "src/convert/model_source.h"

namespace bitnet {

inline constexpr double kMaxLoraAlpha = 1e6;

// The change is B A: row r gets the sum over i of b[r * rank + i] * row i of a.
struct LoraChange {
    int64_t rank = 0;
    std::vector<float> a;  // rank rows of the width of the matrix
    // A row of `rank` for each row of the matrix, times the factor of the adapter and the scale that was asked for.
    std::vector<float> b;
};

// One half as its file has it.
struct LoraHalf {
    std::string name;  // for messages
    int64_t k = 0;
    int64_t n_rows = 0;
    std::function<std::vector<float>()> read;  // n_rows rows of k
};

class LoraPairs {
public:
    // base must outlive the object.
    explicit LoraPairs(const ModelSource& base);

    // matrix: the tensor of the base. factor: what B A is multiplied with, by the rank of this pair.
    // Throws BITNET_E_NOT_FOUND (no such matrix, or twice), BITNET_E_UNSUPPORTED (a tensor that is no matrix of a layer nor the
    // head), BITNET_E_GGUF_TENSOR_SHAPE, BITNET_E_LIMIT (rank), BITNET_E_GGUF_TENSOR_DATA (not finite), and what reading throws.
    void add(const std::string& matrix, const LoraHalf& a, const LoraHalf& b,
             const std::function<double(int64_t rank)>& factor);
    // By index of the tensor in the base.
    std::unordered_map<size_t, LoraChange> take() { return std::move(changes_); }

private:
    size_t index_of(const LoraHalf& half, const std::string& matrix) const;

    const ModelSource& base_;
    std::unordered_map<std::string, size_t> index_;
    std::unordered_map<size_t, LoraChange> changes_;
};

}  // namespace bitnet
