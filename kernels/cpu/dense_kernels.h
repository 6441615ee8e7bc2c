// The matrix kernels of the types whose weights are read as floats (F32, F16, BF16 and the block types of the head and
// the embeddings): declared here for kernel_list.inc, defined in dense_<level>.cpp.
// All are exact, use the file's own layout and take activations as floats, so they share one ActFormat, "f32".
#pragma once

#include "kernels/mul_mat_kernel.h"

namespace kern {

extern constinit const ActFormat act_f32;  // bytes() is 0, pack is null: the kernel reads the floats where they are

extern constinit const MulMatKernel f32_scalar, f16_scalar, bf16_scalar, q8_0_scalar, q4_0_scalar, q6_k_scalar;
extern constinit const MulMatKernel q4_1_scalar, q1_0_scalar, q2_0_scalar, q2_0_g128_scalar;

extern constinit const MulMatKernel iq2_s_scalar;

#if defined(__x86_64__)
extern constinit const MulMatKernel iq2_s_avx2, iq2_s_avx512;
extern constinit const MulMatKernel f32_avx2, f16_avx2, bf16_avx2, q8_0_avx2, q4_0_avx2, q6_k_avx2;
extern constinit const MulMatKernel f32_avx512, f16_avx512, bf16_avx512, q8_0_avx512, q4_0_avx512, q6_k_avx512;
extern constinit const MulMatKernel q4_1_avx2, q1_0_avx2, q2_0_avx2, q2_0_g128_avx2;
extern constinit const MulMatKernel q4_1_avx512, q1_0_avx512, q2_0_avx512, q2_0_g128_avx512;
#elif defined(__aarch64__)
extern constinit const MulMatKernel f32_neon, f16_neon, bf16_neon, q8_0_neon, q4_0_neon, q6_k_neon;
extern constinit const MulMatKernel iq2_s_neon, q4_1_neon, q1_0_neon, q2_0_neon, q2_0_g128_neon;
#endif

}  // namespace kern
