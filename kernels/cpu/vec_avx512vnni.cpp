// The vector kernels for AVX-512 VNNI: vec_avx512.cpp with products of bytes in one instruction, which scores quantised keys.
// Runs only after the CPU check: constinit, no std templates, nothing outside the anonymous namespace but the table.
#include "kernels/cpu/v16_avx512.h"  // first: the vocabulary the algorithms are written in

#include "kernels/cpu/attend_generic.h"
#include "kernels/cpu/product_generic.h"
#include "kernels/cpu/vec_kernel_sets.h"

namespace kern {

constinit const VecKernels vec_avx512vnni = {
    .name = "vec_avx512vnni", .level = "avx512vnni", .needs = CPU_AVX2 | CPU_AVX512 | CPU_AVX512VNNI, VEC_KERNELS};

}  // namespace kern
