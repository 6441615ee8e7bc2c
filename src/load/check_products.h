// Products of a model's own rows for checks of kernels: the same activations in every run, and the scalar kernel's sums.
#pragma once

#include <cstdint>
#include <vector>

#include "ggml-like/weight.h"
#include "kernels/mul_mat_kernel.h"

namespace bitnet {

// One token is another path through a kernel than a few, and those than many, for which rows are unpacked.
inline constexpr int64_t kCheckColumns[] = {1, 5, 19};
inline constexpr int64_t kMostCheckColumns = 19;

// Activations in -4..4: every code of a weight meets both signs.
std::vector<float> check_activations(int64_t n);
// The first n_rows of a weight times n_cols columns of padded_k, the way the engine runs a kernel: [n_cols][n_rows].
std::vector<float> check_product(const kern::MulMatKernel& kernel, const tg::Weight& weight, int64_t n_rows, int64_t n_cols,
                                 const std::vector<float>& x);

}  // namespace bitnet
