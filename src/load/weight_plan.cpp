#include "src/load/weight_plan.h"

#include <algorithm>

#include "kernels/ternary_dialects.h"

namespace bitnet {

PlannedWeight plan_weight(const TensorPlacer& placer, const TensorPlacer::Placed& placed, const Model& model,
                          bool arm_order) {
    const GgufTensor& tensor = *placed.tensor;
    const kern::MulMatKernel& kernel = model.kernels.for_weight(placed.weight->type, placed.weight->layout);
    const bool packs = kernel.pack != nullptr;
    const bool in_place = placer.usable_in_place(tensor, arm_order);
    const bool looked_up = placed.weight == &model.weights.token_embd;  // row by row, in the file's layout
    PlannedWeight weight;
    if (!in_place) weight.copy_bytes = TensorPlacer::copy_bytes(tensor);
    weight.passing_bytes = placer.passing_bytes(tensor);
    if (model.on_gpu()) {  // all of it goes there, nothing stays
        weight.packed_bytes = tg::gpu_weight_bytes(*placed.weight);
        // Whether rows share their scale is seen when they are read.
        const bool has_scales = kern::dialect_has_row_scales(tensor.type);
        if (has_scales) weight.packed_bytes += static_cast<uint64_t>(tensor.n_rows()) * sizeof(float);
        if (looked_up && model.weights.head_copy.present()) weight.packed_bytes *= 2;
        return weight;
    }
    weight.keeps_copy = !packs || looked_up;
    if (packs) weight.packed_bytes = kernel.packed_bytes(tensor.n_rows(), placed.weight->padded_k());
    if (in_place && weight.keeps_copy) weight.mapped_bytes = tensor.n_bytes;
    return weight;
}

uint64_t norm_bytes(const TensorPlacer::PlacedNorm& placed, const Model& model) {
    const bool twice = model.on_gpu() && placed.norm != &model.weights.rope_freqs;  // here and there
    return static_cast<uint64_t>(placed.tensor->ne[0]) * sizeof(float) * (twice ? 2 : 1);
}

WeightPlan plan_weights(const TensorPlacer& placer, const Model& model, bool arm_order) {
    // No sum can overflow: the file holds every tensor, and a packed one is at most a few times as large.
    WeightPlan plan;
    for (const TensorPlacer::PlacedNorm& placed : placer.norms()) {
        if (placed.norm == nullptr) continue;  // a number inside its weight
        const uint64_t bytes = norm_bytes(placed, model);
        plan.owned_bytes += bytes;
        plan.by_role[tensor_role(placed.tensor->name)] += bytes;
    }
    plan.peak_bytes = plan.owned_bytes;
    for (const TensorPlacer::Placed& placed : placer.placed()) {
        const PlannedWeight weight = plan_weight(placer, placed, model, arm_order);
        plan.peak_bytes = std::max(plan.peak_bytes, plan.owned_bytes + weight.copy_bytes +
                                                        std::max(weight.passing_bytes, weight.packed_bytes));
        plan.owned_bytes += weight.owned_bytes();
        plan.mapped_bytes += weight.mapped_bytes;
        plan.by_role[tensor_role(placed.tensor->name)] += weight.owned_bytes() + weight.mapped_bytes;
    }
    return plan;
}

}  // namespace bitnet
