// The dense matrix kernels for NEON (AArch64): dense_generic.h over four 128-bit registers.
// constinit, no std templates, nothing outside the anonymous namespace but the tables.
#include "kernels/cpu/v16_neon.h"  // first: the vocabulary the algorithms are written in

#include "kernels/cpu/dense_generic.h"

namespace kern {

DENSE_KERNEL(f32, neon, CPU_NEON, RowsF32);
DENSE_KERNEL(f16, neon, CPU_NEON, RowsF16);
DENSE_KERNEL(bf16, neon, CPU_NEON, RowsBf16);
DENSE_KERNEL(q8_0, neon, CPU_NEON, RowsQ8_0);
DENSE_KERNEL(q4_0, neon, CPU_NEON, RowsQ4_0);
DENSE_KERNEL(q6_k, neon, CPU_NEON, RowsQ6_K);
DENSE_KERNEL(iq2_s, neon, CPU_NEON, RowsIq2_S);
DENSE_KERNEL(q4_1, neon, CPU_NEON, RowsQ4_1);
DENSE_KERNEL(q1_0, neon, CPU_NEON, RowsQ1_0);
DENSE_KERNEL(q2_0, neon, CPU_NEON, RowsQ2_0);
DENSE_KERNEL(q2_0_g128, neon, CPU_NEON, RowsQ2_0_G128);

}  // namespace kern
