// FEAT_I8MM: SMMLA, 2 x 8 by 8 x 2. Reads as the level below.
#include <arm_neon.h>

#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/limit_sets.h"

namespace kern {
namespace {

constexpr int kSums = 24;

uint64_t multiply(int64_t n_rounds) {
    int8x16_t codes = vdupq_n_s8(2), values = vdupq_n_s8(-3);
    int32x4_t sums[kSums];
    for (int32x4_t& sum : sums) sum = vdupq_n_s32(0);
    for (int64_t round = 0; round < n_rounds; ++round) {
#pragma GCC unroll 24
        for (int32x4_t& sum : sums) {
            __asm__ volatile("" : "+w"(codes), "+w"(values));  // else the product is computed once for all
            sum = vmmlaq_s32(sum, codes, values);
        }
    }
    for (int i = 1; i < kSums; ++i) sums[0] = vaddq_s32(sums[0], sums[i]);
    return static_cast<uint64_t>(vgetq_lane_s32(sums[0], 0));
}

}  // namespace

constinit const LimitKernel limit_i8mm = {.level = "i8mm",
                                          .needs = CPU_NEON | CPU_DOTPROD | CPU_I8MM,
                                          .read = nullptr,
                                          .multiply = multiply,
                                          .ops_per_round = int64_t{2} * 32 * kSums,
                                          .allow = nullptr};

}  // namespace kern
