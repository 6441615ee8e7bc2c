// The vector kernels for AVX-VNNI: vec_avx2.cpp with products of bytes in one instruction, which scores quantised keys.
// Runs only after the CPU check: constinit, no std templates, nothing outside the anonymous namespace but the table.
#include "kernels/cpu/v16_avx2.h"  // first: the vocabulary the algorithms are written in

#include "kernels/cpu/attend_generic.h"
#include "kernels/cpu/product_generic.h"
#include "kernels/cpu/vec_kernel_sets.h"

namespace kern {

constinit const VecKernels vec_avxvnni = {
    .name = "vec_avxvnni", .level = "avxvnni", .needs = CPU_AVX2 | CPU_AVXVNNI, VEC_KERNELS};

}  // namespace kern
