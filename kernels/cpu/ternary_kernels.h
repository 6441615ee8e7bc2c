// The matrix kernels of the ternary types: declared here for kernel_list.inc, defined in ternary_scalar.cpp (the
// reference), packed_scalar.cpp and <type>_<level>.cpp. All are exact. Those of T5, TL1 and TL2 (packed_layouts.h) multiply I2_S
// matrices packed otherwise, to the same bits.
//
// What they compute, for a row of weight codes and a column of int8 activations q with scale act_scale:
//   I2_S   isum = sum(code * q) - sum(q), an exact int32 for k <= 4 Mi; out = float(isum) * (weight_scale / act_scale),
//          the quotient rounded once per column
//   TQ2_0  for every block b of 256:  s = the same integer sum over the block, |s| <= 2 * 127 * 256, exact in a float;
//          lane b mod 16 += float(s) * d_b, in rising order of b, lanes starting at 0; the lanes are added in the fixed
//          tree of vec_kernels.h;  out = that * (1 / act_scale)
//   TQ1_0  the same as TQ2_0 of the same codes and scales
// A code 3 (a file nobody checked) counts as weight +2 everywhere.
#pragma once

#include "kernels/mul_mat_kernel.h"

namespace kern {

extern constinit const MulMatKernel i2s_scalar, tq2_scalar, tq1_scalar;
extern constinit const MulMatKernel t5_scalar, tl1_scalar, tl2_scalar;

#if defined(__x86_64__)
extern constinit const MulMatKernel i2s_avx2, tq2_avx2, tq1_avx2;
extern constinit const MulMatKernel t5_avx2, tl1_avx2, tl2_avx2;
extern constinit const MulMatKernel i2s_avxvnni, tq2_avxvnni, tq1_avxvnni;
extern constinit const MulMatKernel t5_avxvnni, tl1_avxvnni, tl2_avxvnni;
extern constinit const MulMatKernel i2s_avx512vnni, tq2_avx512vnni, tq1_avx512vnni;
extern constinit const MulMatKernel i2s_amx;
extern constinit const MulMatKernel t5_avx512vnni, tl1_avx512vnni, tl2_avx512vnni;
#elif defined(__aarch64__)
extern constinit const MulMatKernel i2s_neon, tq2_neon, tq1_neon;
extern constinit const MulMatKernel t5_neon, tl1_neon, tl2_neon;
extern constinit const MulMatKernel i2s_dotprod, tq2_dotprod, tq1_dotprod;
extern constinit const MulMatKernel t5_dotprod, tl1_dotprod, tl2_dotprod;
extern constinit const MulMatKernel i2s_i8mm;
#endif

// TQ1_0 at every level but scalar: repacked to TQ2_0 blocks at load (kernels/cpu/tq1_pack.cpp).
size_t tq1_packed_bytes(int64_t n_rows, int64_t k);
void tq1_pack(const void* file_weights, int64_t n_rows, int64_t k, int64_t row_begin, int64_t row_end, void* packed);

}  // namespace kern
