// Before a kernel computes with a model it is checked, on rows of this model, against the scalar kernel of its type, bit for bit.
// One that differs - a compiler's or a CPU's mistake - is replaced by the next best, and everybody is told: slower beats wrong.
#pragma once

#include <set>
#include <string>
#include <utility>

#include "ggml-like/weight.h"
#include "kernels/cpu/kernel_select.h"

namespace bitnet {

class KernelCheck {
public:
    // Replaces kernels in *kernels, which must outlive the object.
    explicit KernelCheck(kern::KernelSet* kernels) : kernels_(*kernels) {}

    // For a weight whose file_data is there and which is not packed yet. Checks each pair of type and width once, within
    // a millisecond or two.
    void check(const tg::Weight& weight);

    uint64_t n_replaced() const noexcept { return n_replaced_; }
    // What the last replacement was about; "" where there was none.
    const std::string& problem() const noexcept { return problem_; }

private:
    kern::KernelSet& kernels_;
    std::set<std::pair<kern::QuantType, int64_t>> checked_;
    uint64_t n_replaced_ = 0;
    std::string problem_;
};

}  // namespace bitnet
