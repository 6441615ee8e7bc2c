// The vector kernels for AVX-512 (F, BW, VL, DQ): vec_generic.h over 512-bit registers.
// Runs only after the CPU check: constinit, no std templates, nothing outside the anonymous namespace but the table.
#include "kernels/cpu/v16_avx512.h"  // first: the vocabulary the algorithms are written in

#include "kernels/cpu/attend_generic.h"
#include "kernels/cpu/product_generic.h"
#include "kernels/cpu/vec_kernel_sets.h"

namespace kern {

constinit const VecKernels vec_avx512 = {
    .name = "vec_avx512", .level = "avx512", .needs = CPU_AVX2 | CPU_AVX512, VEC_KERNELS};

}  // namespace kern
