// The dense matrix kernels for AVX2 with F16C: dense_generic.h over pairs of 256-bit registers.
// Runs only after the CPU check: constinit, no std templates, nothing outside the anonymous namespace but the tables.
#include "kernels/cpu/v16_avx2.h"  // first: the vocabulary the algorithms are written in

#include "kernels/cpu/dense_generic.h"

namespace kern {

DENSE_KERNEL(f32, avx2, CPU_AVX2, RowsF32);
DENSE_KERNEL(f16, avx2, CPU_AVX2, RowsF16);
DENSE_KERNEL(bf16, avx2, CPU_AVX2, RowsBf16);
DENSE_KERNEL(q8_0, avx2, CPU_AVX2, RowsQ8_0);
DENSE_KERNEL(q4_0, avx2, CPU_AVX2, RowsQ4_0);
DENSE_KERNEL(q6_k, avx2, CPU_AVX2, RowsQ6_K);
DENSE_KERNEL(iq2_s, avx2, CPU_AVX2, RowsIq2_S);
DENSE_KERNEL(q4_1, avx2, CPU_AVX2, RowsQ4_1);
DENSE_KERNEL(q1_0, avx2, CPU_AVX2, RowsQ1_0);
DENSE_KERNEL(q2_0, avx2, CPU_AVX2, RowsQ2_0);
DENSE_KERNEL(q2_0_g128, avx2, CPU_AVX2, RowsQ2_0_G128);

}  // namespace kern
