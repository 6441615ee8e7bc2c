// The vector kernels - norms, softmax, rotation, attention, quantising - checked at load as kernel_check.h checks matrix
// kernels: over the widths and with norm weights of this model, against the scalar ones, bit for bit.
#pragma once

#include "src/model/model.h"

namespace bitnet {

// Replaces the vector kernels of a model whose norms have been read by the next best right ones, and counts and describes that in it.
// Takes a millisecond.
void check_vec_kernels(Model& model);

}  // namespace bitnet
