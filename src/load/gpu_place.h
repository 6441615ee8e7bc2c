// A model's values on its GPUs: which layers go where is planned before anything is read; each matrix and vector goes there while
// the model loads, and matrices are checked there against the scalar kernel before anybody computes with them.
#pragma once

#include <set>
#include <tuple>

#include "ggml-like/gpu/gpu_weights.h"
#include "src/load/tensor_place.h"
#include "src/model/model.h"

namespace bitnet {

struct LoadOptions;

// Fills model.gpus from options.gpus, for a model whose tensors are placed and whose kernels are chosen; several devices are
// asked for their memory. opens: all of them are opened for the model, which must fit. Throws BITNET_E_DEVICE_NOT_AVAILABLE,
// BITNET_E_DEVICE_MEMORY, tg::Error.
void split_model(const LoadOptions& options, const TensorPlacer& placer, bool opens, Model& model);

class GpuPlacer {
public:
    explicit GpuPlacer(Model& model) : model_(model) {}

    void norms();
    // For a weight whose file_data is there. Throws BITNET_E_DEVICE_CAPABILITY for a type that no kernel there multiplies, and
    // BITNET_E_DEVICE_COMPUTE where the device gives other sums than the scalar kernel; each type and width is checked once on
    // each device.
    void matrix(tg::Weight& weight);

private:
    void add(tg::Weight& weight, size_t share);
    void check(const tg::Weight& weight, const GpuShare& share);

    Model& model_;
    std::set<std::tuple<size_t, kern::QuantType, int64_t>> checked_;
};

}  // namespace bitnet
