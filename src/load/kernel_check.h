// Before a kernel computes with a model it is checked, on rows of this model, against the scalar kernel of its type, bit for bit.
// One that differs - a compiler's or a CPU's mistake - is replaced by the next best, and everybody is told: slower beats wrong.
#pragma once

#include <set>
#include <utility>

#include "ggml-like/weight.h"
#include "src/model/model.h"

namespace bitnet {

class KernelCheck {
public:
    // Replaces kernels of the model, which must outlive the object, and counts and describes that in it.
    explicit KernelCheck(Model* model) : model_(*model) {}

    // For a weight whose file_data is there and which is not packed yet. Checks each pair of type and width once, within
    // a millisecond or two.
    void check(const tg::Weight& weight);

private:
    Model& model_;
    std::set<std::pair<kern::QuantType, int64_t>> checked_;
};

}  // namespace bitnet
