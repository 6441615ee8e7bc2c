#include "src/load/gpu_place.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "ggml-like/gpu/gpu_driver.h"
#include "kernels/cuda/weight_layouts.h"
#include "src/arch/arch.h"
#include "src/base/error.h"
#include "src/load/check_products.h"
#include "src/load/model_load.h"

namespace bitnet {
namespace {

constexpr int64_t kCheckRows = 65;  // more than a tile of any kernel

}  // namespace

void open_gpu(const LoadOptions& options, Model& model) {
    tg::GpuDriver& driver = tg::gpu_driver();
    const char* name = tg::gpu_device_name(options.gpu);
    const int32_t n = driver.device_count();
    if (options.gpu >= n) {
        const std::string problem = n == 0 ? driver.problem() : "there are " + std::to_string(n) + " CUDA devices";
        throw Error(BITNET_E_DEVICE_NOT_AVAILABLE, std::string(name) + ": " + problem + "; use cpu or auto").with_subject(name);
    }
    model.gpu = std::make_shared<tg::GpuWeights>(driver.open(options.gpu));
}

void GpuPlacer::norms() {
    const auto add = [this](const NormWeight& norm, const char* what) { model_.gpu->add_floats(norm.data(), norm.size(), what); };
    add(model_.weights.output_norm, "output_norm");
    for (const LayerWeights& layer : model_.weights.layers) {
        for (const LayerTensor& row : model_.arch->layer_tensors) {
            if (row.norm != nullptr) add(layer.*row.norm, row.name);
        }
    }
}

void GpuPlacer::matrix(tg::Weight& weight) {
    if (!kern::gpu::gpu_has_type(weight.type)) {
        throw Error(BITNET_E_DEVICE_CAPABILITY, "'" + weight.name + "' is " + kern::quant_type_info(weight.type).name +
                                                    ", which " + model_.device() + " does not multiply; use device=cpu")
            .with_subject(weight.name);
    }
    model_.gpu->add(weight);
    if (checked_.emplace(weight.type, weight.padded_k()).second) check(weight);
}

void GpuPlacer::check(const tg::Weight& weight) {
    kern::KernelSet scalar{};
    kern::select_kernels("scalar", &scalar);
    const int64_t n_rows = std::min(weight.n_rows, kCheckRows);
    const std::vector<float> x = check_activations(weight.padded_k() * kMostCheckColumns);
    const std::vector<float> sums = check_product(scalar.for_type(weight.type), weight, n_rows, kMostCheckColumns, x);
    std::vector<float> out(static_cast<size_t>(weight.n_rows * kMostCheckColumns));
    for (const int64_t n_cols : kCheckColumns) {
        model_.gpu->multiply(weight, x.data(), n_cols, out.data());
        for (int64_t i = 0; i < n_cols * n_rows; ++i) {
            const int64_t row = i % n_rows;
            float right = sums[static_cast<size_t>(i)];
            if (weight.row_scales != nullptr) right *= weight.row_scales[row];
            if (weight.out_scale != 1.0f) right *= weight.out_scale;
            if (std::memcmp(&right, &out[static_cast<size_t>(i / n_rows * weight.n_rows + row)], sizeof right) == 0) continue;
            throw Error(BITNET_E_DEVICE_COMPUTE, std::string(model_.device()) + " gives other sums than the CPU for '" +
                                                     weight.name + "'; use device=cpu, and please report it")
                .with_subject(weight.name);
        }
    }
}

}  // namespace bitnet
