// The dense matrix kernels in portable C++: dense_generic.h over plain arrays, the reference of the other levels. Also
// the activation format of all of them: floats, read where they are.
#include "kernels/cpu/v16_scalar.h"  // first: the vocabulary the algorithms are written in

#include "kernels/cpu/dense_generic.h"

namespace kern {

namespace {

size_t no_bytes(int64_t, int64_t) { return 0; }

}  // namespace

constinit const ActFormat act_f32 = {.name = "f32", .bytes = no_bytes, .pack = nullptr, .col_tile = 1};

DENSE_KERNEL(f32, scalar, CPU_BASE, RowsF32);
DENSE_KERNEL(f16, scalar, CPU_BASE, RowsF16);
DENSE_KERNEL(bf16, scalar, CPU_BASE, RowsBf16);
DENSE_KERNEL(q8_0, scalar, CPU_BASE, RowsQ8_0);
DENSE_KERNEL(q4_0, scalar, CPU_BASE, RowsQ4_0);
DENSE_KERNEL(q6_k, scalar, CPU_BASE, RowsQ6_K);
DENSE_KERNEL(iq2_s, scalar, CPU_BASE, RowsIq2_S);
DENSE_KERNEL(q4_1, scalar, CPU_BASE, RowsQ4_1);
DENSE_KERNEL(q1_0, scalar, CPU_BASE, RowsQ1_0);
DENSE_KERNEL(q2_0, scalar, CPU_BASE, RowsQ2_0);
DENSE_KERNEL(q2_0_g128, scalar, CPU_BASE, RowsQ2_0_G128);

}  // namespace kern
