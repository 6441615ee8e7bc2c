// The vector kernels - norms, softmax, rotation, quantising, cells and attention of every cache type - checked at load as
// kernel_check.h checks matrix kernels: over the widths and with norm weights of this model, against the scalar ones, bit for
// bit.
#pragma once

#include "src/model/model.h"

namespace bitnet {

// Replaces the vector kernels of a model whose norms have been read by the next best right ones, and counts and describes that in it.
// Takes about two milliseconds for the widths of a model of 2B parameters.
void check_vec_kernels(Model& model);

}  // namespace bitnet
