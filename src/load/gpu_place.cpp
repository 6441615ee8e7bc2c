#include "src/load/gpu_place.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "ggml-like/gpu/backend_gpu_split.h"
#include "ggml-like/gpu/gpu_driver.h"
#include "kernels/cuda/weight_layouts.h"
#include "src/arch/arch.h"
#include "src/base/error.h"
#include "src/base/log.h"
#include "src/load/check_products.h"
#include "src/load/gpu_split_plan.h"
#include "src/load/model_load.h"

namespace bitnet {
namespace {

constexpr int64_t kCheckRows = 65;  // more than a tile of any kernel

std::string shown(const tg::GpuInfo& info) { return std::string(tg::gpu_device_name(info.index)) + " (" + info.name + ")"; }

// Where a model's bytes will be, layer by layer, and what a context with the usual parameters adds.
SplitNeeds needs_of(const TensorPlacer& placer, const LoadOptions& options, const Model& model) {
    SplitNeeds needs;
    needs.layer_bytes.resize(static_cast<size_t>(model.hparams.n_layer), 0);
    const auto add = [&](const std::string& name, uint64_t bytes) {
        const auto layer = static_cast<uint64_t>(tensor_layer(name));
        const bool inside = layer < needs.layer_bytes.size() && tensor_role(name) != TensorRole::embedding;
        uint64_t& sum = inside ? needs.layer_bytes[layer] : layer == 0 ? needs.first_bytes : needs.last_bytes;
        sum += bytes;
    };
    for (const TensorPlacer::PlacedNorm& placed : placer.norms()) {
        if (placed.norm == nullptr || placed.norm == &model.weights.rope_freqs) continue;
        add(placed.tensor->name, static_cast<uint64_t>(placed.tensor->ne[0]) * sizeof(float));
    }
    for (const TensorPlacer::Placed& placed : placer.placed()) {
        add(placed.tensor->name, plan_weight(placer, placed, model, options.arm_order).packed_bytes);
    }
    if (!model.weights.output.present()) needs.head_copy_bytes = needs.first_bytes;
    const GpuContextBytes context = options.usual_context != nullptr ? options.usual_context(model) : GpuContextBytes();
    needs.layer_context_bytes = context.of_layer;
    needs.device_context_bytes = context.of_device;
    return needs;
}

void tell_split(const Model& model) {
    std::string text;
    for (const GpuShare& share : model.gpus) {
        text += std::string(text.empty() ? "" : ", ") + tg::gpu_device_name(share.index) + " has layers " +
                std::to_string(share.first_layer) + ".." + std::to_string(share.end_layer - 1);
    }
    log_message(BITNET_LOG_INFO, text);
}

void open_shares(Model& model) {
    for (GpuShare& share : model.gpus) {
        share.weights = std::make_shared<tg::GpuWeights>(tg::gpu_driver().open(share.index));
    }
    for (size_t i = 1; i < model.gpus.size(); ++i) {
        const GpuShare& before = model.gpus[i - 1];
        GpuShare& share = model.gpus[i];
        share.direct = tg::gpu_hands_over(before.weights->device(), share.weights->device());
        if (share.direct) continue;
        log_message(BITNET_LOG_WARNING, shown(before.weights->device()->info()) + " and " +
                                            shown(share.weights->device()->info()) +
                                            " do not reach each other's memory: values go through the host, which is "
                                            "slower");
    }
}

}  // namespace

void split_model(const LoadOptions& options, const TensorPlacer& placer, bool opens, Model& model) {
    if (!model.on_gpu()) return;
    const int64_t n_layer = model.hparams.n_layer;
    std::vector<SplitRange> ranges = {{0, 0, n_layer}};
    if (opens || options.gpus.gpus.size() > 1) {
        tg::GpuDriver& driver = tg::gpu_driver();
        std::vector<SplitDevice> devices;
        std::vector<std::shared_ptr<tg::GpuDevice>> opened;  // so that none is closed before it is used
        for (const GpuChoice::Gpu& gpu : options.gpus.gpus) {
            opened.push_back(driver.open(gpu.index));
            devices.push_back({shown(opened.back()->info()), opened.back()->memory().free, gpu.share});
        }
        const SplitNeeds needs = needs_of(placer, options, model);
        ranges = plan_split(needs, devices);
        if (opens) check_split(needs, devices, ranges, options.gpus.or_cpu);
        model.gpus.clear();
        std::vector<GpuChoice::Gpu> used;
        for (const SplitRange& range : ranges) used.push_back(options.gpus.gpus[range.device]);
        for (const GpuChoice::Gpu& gpu : used) model.gpus.push_back({.index = gpu.index});
        model.device_text = format_gpus(used);
        for (size_t i = 0; i < ranges.size(); ++i) {
            model.gpus[i].first_layer = ranges[i].first;
            model.gpus[i].end_layer = ranges[i].end;
        }
        if (opens) open_shares(model);
        if (opens && options.gpus.gpus.size() > 1) tell_split(model);
    }
    model.gpus.front().first_layer = 0;
    model.gpus.back().end_layer = n_layer;
    if (model.needs_head_copy()) model.weights.head_copy = model.weights.token_embd;
}

void GpuPlacer::norms() {
    const auto add = [this](const NormWeight& norm, const char* what, size_t share) {
        model_.gpus[share].weights->add_floats(norm.data(), norm.size(), what);
    };
    add(model_.weights.output_norm, "output_norm", model_.gpus.size() - 1);
    for (size_t i = 0; i < model_.weights.layers.size(); ++i) {
        for (const LayerTensor& row : model_.arch->layer_tensors) {
            if (row.norm == nullptr) continue;
            add(model_.weights.layers[i].*row.norm, row.name, model_.share_of(static_cast<int64_t>(i)));
        }
    }
}

void GpuPlacer::matrix(tg::Weight& weight) {
    if (!kern::gpu::gpu_has_type(weight.type)) {
        throw Error(BITNET_E_DEVICE_CAPABILITY, "'" + weight.name + "' is " + kern::quant_type_info(weight.type).name +
                                                    ", which " + model_.device() + " does not multiply; use device=cpu")
            .with_subject(weight.name);
    }
    if (&weight == &model_.weights.token_embd && model_.needs_head_copy()) {
        tg::Weight& copy = model_.weights.head_copy;
        copy = weight;
        add(copy, model_.gpus.size() - 1);
        copy.file_data = nullptr;  // the host keeps one, where it keeps any
        copy.row_scales = nullptr;
    }
    add(weight, model_.share_of_tensor(weight.name));
}

void GpuPlacer::add(tg::Weight& weight, size_t share) {
    model_.gpus[share].weights->add(weight);
    if (checked_.emplace(share, weight.type, weight.padded_k()).second) check(weight, model_.gpus[share]);
}

void GpuPlacer::check(const tg::Weight& weight, const GpuShare& share) {
    kern::KernelSet scalar{};
    kern::select_kernels("scalar", &scalar);
    const int64_t n_rows = std::min(weight.n_rows, kCheckRows);
    const std::vector<float> x = check_activations(weight.padded_k() * kMostCheckColumns);
    const std::vector<float> sums = check_product(scalar.for_type(weight.type), weight, n_rows, kMostCheckColumns, x);
    std::vector<float> out(static_cast<size_t>(weight.n_rows * kMostCheckColumns));
    for (const int64_t n_cols : kCheckColumns) {
        share.weights->multiply(weight, x.data(), n_cols, out.data());
        for (int64_t i = 0; i < n_cols * n_rows; ++i) {
            const int64_t row = i % n_rows;
            float right = sums[static_cast<size_t>(i)];
            if (weight.row_scales != nullptr) right *= weight.row_scales[row];
            if (weight.out_scale != 1.0f) right *= weight.out_scale;
            if (std::memcmp(&right, &out[static_cast<size_t>(i / n_rows * weight.n_rows + row)], sizeof right) == 0) continue;
            throw Error(BITNET_E_DEVICE_COMPUTE, std::string(tg::gpu_device_name(share.index)) + " gives other sums than the CPU for '" +
                                                     weight.name + "'; use device=cpu, and please report it")
                .with_subject(weight.name);
        }
    }
}

}  // namespace bitnet
