// The vector kernels for AVX2 with F16C: vec_generic.h over pairs of 256-bit registers.
// Runs only after the CPU check: constinit, no std templates, nothing outside the anonymous namespace but the table.
#include "kernels/cpu/v16_avx2.h"  // first: the vocabulary the algorithms are written in

#include "kernels/cpu/attend_generic.h"
#include "kernels/cpu/product_generic.h"
#include "kernels/cpu/vec_kernel_sets.h"

namespace kern {

constinit const VecKernels vec_avx2 = {.name = "vec_avx2", .level = "avx2", .needs = CPU_AVX2, VEC_KERNELS};

}  // namespace kern
