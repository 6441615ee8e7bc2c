// How many bytes each weight of a model will take, and where: decided once, from the tensor table and the chosen kernels,
// before anything is read. Loading follows the plan, estimates report it; so they cannot differ.
#pragma once

#include <cstdint>
#include "src/load/tensor_place.h"
#include "src/model/model.h"

namespace bitnet {

struct PlannedWeight {
    uint64_t mapped_bytes = 0;  // used in place after loading
    uint64_t copy_bytes = 0;    // read (a dialect: repacked) into memory of the library
    uint64_t passing_bytes = 0;  // held only until the copy is made
    uint64_t packed_bytes = 0;  // the kernel's own layout
    bool keeps_copy = false;    // the copy is needed after packing, too

    uint64_t owned_bytes() const { return packed_bytes + (keeps_copy ? copy_bytes : 0); }
};

struct WeightPlan {
    uint64_t mapped_bytes = 0;
    uint64_t owned_bytes = 0;  // norms included
    uint64_t peak_bytes = 0;   // owned at once while loading, at most
    BytesByRole by_role;       // of mapped and owned bytes
};

// One of the placer's weights, with the kernels that the model has now.
PlannedWeight plan_weight(const TensorPlacer& placer, const TensorPlacer::Placed& placed, const Model& model,
                          bool arm_order);
// One of the placer's vectors, on every device that has it.
uint64_t norm_bytes(const TensorPlacer::PlacedNorm& placed, const Model& model);
// The placer has placed all tensors of the model, whose kernels are chosen.
WeightPlan plan_weights(const TensorPlacer& placer, const Model& model, bool arm_order);

}  // namespace bitnet
