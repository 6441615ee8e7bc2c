// Which layout the ternary matrices of a model get (packed_layouts.h): the one that was asked for, or, for "auto", the fastest
// here by measuring. No result depends on it.
#pragma once

#include "src/load/tensor_place.h"
#include "src/model/model.h"

namespace bitnet {

struct LoadOptions;

// bitnet_model_params.quantization; empty is "i2s". Throws BITNET_E_CONFIG for a name that is none.
void require_quantization(const std::string& name);

// Sets Weight::layout of all that is placed. Matrices stay as stored that have no codes of I2_S, rows that a layout does not take, or
// rows that are looked up one by one, which would need both forms. "auto" times each shape, one column and the columns
// of a prompt on options.n_threads threads, once per process: so an estimate and the load that follows it choose alike.
void choose_layouts(const LoadOptions& options, const TensorPlacer& placer, Model& model);

}  // namespace bitnet
