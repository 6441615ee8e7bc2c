// Kernels that screen a float matrix: integer products of an int8 copy of its rows with a 15-bit copy of a vector, near enough
// to the real products to tell which rows cannot be among the best. They are MulMatKernels over the copy; what lies how:
//   weights  int8 codes[n_rows][stride], stride = k rounded up to 64, the rest 0; then float scales[n_rows]:
//            w[r][i] ~ scales[r] * codes[r][i], |codes| <= 127
//   acts     per column a ScreenColumn, then int8 high[stride], int8 low[stride], int16 both[stride], int32 fours[stride / 4]:
//            both = 128 * high + low, x[i] ~ scale * both[i]; fours[i] = both[4 i] + ... + both[4 i + 3]
// out[r] = scales[r] * scale * (sum of codes * both), the sum exact, the products in double, rounded once: the same bits at
// every level. How far that is from the real product: ggml-like/head_screen.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/mul_mat_kernel.h"

namespace kern {

inline constexpr int64_t kMaxScreenK = 65536;    // sums of 255 * 127 stay in int32
inline constexpr int kScreenLevels = 127 * 128;  // the largest |both|: |high| <= 127, -64 <= low < 64

// A scale below it counts as none: codes are 0 then, so that quotients by it need not be looked at.
inline constexpr float kLeastScreenScale = 1e-36f;

struct ScreenColumn {
    float scale;  // NaN where x has a number that is none: so are all outputs then
    int32_t sum_high;
    int32_t sum_low;
    uint8_t unused[52];
};
static_assert(sizeof(ScreenColumn) == 64);

// static: a file built for AVX must not lend its copy to the rest of the program.
static constexpr int64_t screen_stride(int64_t k) { return (k + 63) / 64 * 64; }
static constexpr int64_t screen_column_bytes(int64_t k) { return 64 + 5 * screen_stride(k); }
static constexpr int64_t screen_weight_bytes(int64_t n_rows, int64_t k) { return n_rows * (screen_stride(k) + 4); }

extern constinit const ActFormat act_screen;

// Never less than the norm of a row of the matrix itself, and quickly found: from its scales. NaN or infinite where one of
// those is.
double screen_norm_q8_0(const void* row, int64_t k);
double screen_norm_q6_k(const void* row, int64_t k);

// In a list of their own in kernel_list.inc. The type f32 stands for the copy.
extern constinit const MulMatKernel screen_scalar, screen_q8_0_scalar, screen_q6_k_scalar;
#if defined(__x86_64__)
extern constinit const MulMatKernel screen_avx2, screen_q8_0_avx2, screen_q6_k_avx2;
extern constinit const MulMatKernel screen_avx512vnni, screen_q8_0_avx512vnni, screen_q6_k_avx512vnni;
#elif defined(__aarch64__)
extern constinit const MulMatKernel screen_neon, screen_q8_0_neon, screen_q6_k_neon;
extern constinit const MulMatKernel screen_dotprod, screen_q8_0_dotprod, screen_q6_k_dotprod;
#endif

}  // namespace kern
