// The vector kernels in portable C++: the reference of the other levels, and what runs where none of them can.
#include "kernels/cpu/v16_scalar.h"  // first: the vocabulary the algorithms are written in

#include "kernels/cpu/attend_generic.h"
#include "kernels/cpu/product_generic.h"
#include "kernels/cpu/vec_kernel_sets.h"

namespace kern {

constinit const VecKernels vec_scalar = {.name = "vec_scalar", .level = "scalar", .needs = CPU_BASE, VEC_KERNELS};

}  // namespace kern
