// The vector kernels in portable C++: the reference of the other levels, and what runs where none of them can.
// clang-format off: the vocabulary must come before the algorithms that use it
#include "kernels/cpu/v16_scalar.h"
#include "kernels/cpu/attend_generic.h"
#include "kernels/cpu/vec_kernel_sets.h"
// clang-format on

namespace kern {

constinit const VecKernels vec_scalar = {.name = "vec_scalar", .level = "scalar", .needs = CPU_BASE, VEC_KERNELS};

}  // namespace kern
