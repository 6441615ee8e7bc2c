// A model's values on a GPU: each matrix and vector goes there while the model loads, and matrices are checked there against
// the scalar kernel before anybody computes with them.
#pragma once

#include <set>
#include <utility>

#include "ggml-like/gpu/gpu_weights.h"
#include "src/load/tensor_place.h"
#include "src/model/model.h"

namespace bitnet {

struct LoadOptions;

// Opens options.gpu for the model. Throws BITNET_E_DEVICE_NOT_AVAILABLE, tg::Error.
void open_gpu(const LoadOptions& options, Model& model);

class GpuPlacer {
public:
    explicit GpuPlacer(Model& model) : model_(model) {}

    void norms();
    // For a weight whose file_data is there. Throws BITNET_E_DEVICE_CAPABILITY for a type that no kernel there multiplies, and
    // BITNET_E_DEVICE_COMPUTE where the device gives other sums than the scalar kernel; each type and width is checked once.
    void matrix(tg::Weight& weight);

private:
    void check(const tg::Weight& weight);

    Model& model_;
    std::set<std::pair<kern::QuantType, int64_t>> checked_;
};

}  // namespace bitnet
