// Before a kernel computes with a model it is checked, on rows of this model, against the scalar kernel of its type, bit for bit.
// One that differs - a compiler's or a CPU's mistake - is replaced by the next best, and everybody is told: slower beats wrong.
#pragma once

#include <set>
#include <tuple>
#include <vector>

#include "ggml-like/weight.h"
#include "src/model/model.h"

namespace bitnet {

class KernelCheck {
public:
    // Replaces kernels of the model, which must outlive the object, and counts and describes that in it.
    explicit KernelCheck(Model* model) : model_(*model) {}

    // For a weight whose file_data is there and which is not packed yet. Checks each type, layout and width once, within
    // a few milliseconds. Where no kernel of a layout is right, that of the type takes their place, which needs no packing.
    void check(const tg::Weight& weight);
    // Its kernel, on rows of its own.
    void check(tg::HeadScreen& screen);

private:
    void settle(const std::vector<const kern::MulMatKernel*>& all, const kern::MulMatKernel& scalar,
                const tg::Weight& weight, const kern::MulMatKernel** chosen);

    Model& model_;
    std::set<std::tuple<kern::QuantType, kern::WeightLayout, int64_t>> checked_;
};

}  // namespace bitnet
