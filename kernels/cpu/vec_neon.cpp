// The vector kernels for NEON (AArch64): vec_generic.h over four 128-bit registers.
// constinit, no std templates, nothing outside the anonymous namespace but the table.
#include "kernels/cpu/v16_neon.h"  // first: the vocabulary the algorithms are written in

#include "kernels/cpu/attend_generic.h"
#include "kernels/cpu/product_generic.h"
#include "kernels/cpu/vec_kernel_sets.h"

namespace kern {

constinit const VecKernels vec_neon = {.name = "vec_neon", .level = "neon", .needs = CPU_NEON, VEC_KERNELS};

}  // namespace kern
