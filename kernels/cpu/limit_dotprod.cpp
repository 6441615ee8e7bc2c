// FEAT_DotProd: SDOT on 128-bit registers, and 128-bit loads.
#include <arm_neon.h>

#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/limit_loops.h"
#include "kernels/cpu/limit_sets.h"

namespace kern {
namespace {

struct Quad {
    using Reg = uint64x2_t;
    static Reg zero() { return vdupq_n_u64(0); }
    static Reg load(const uint8_t* p) { return vreinterpretq_u64_u8(vld1q_u8(p)); }
    static Reg mix(Reg a, Reg b) { return veorq_u64(a, b); }
    static uint64_t fold(Reg a) { return vgetq_lane_u64(a, 0) ^ vgetq_lane_u64(a, 1); }
    static void prefetch(const uint8_t* p) { __builtin_prefetch(p, 0, 2); }
};

constexpr int kSums = 24;

uint64_t multiply(int64_t n_rounds) {
    int8x16_t codes = vdupq_n_s8(2), values = vdupq_n_s8(-3);
    int32x4_t sums[kSums];
    for (int32x4_t& sum : sums) sum = vdupq_n_s32(0);
    for (int64_t round = 0; round < n_rounds; ++round) {
#pragma GCC unroll 24
        for (int32x4_t& sum : sums) {
            __asm__ volatile("" : "+w"(codes), "+w"(values));  // else the product is computed once for all
            sum = vdotq_s32(sum, codes, values);
        }
    }
    for (int i = 1; i < kSums; ++i) sums[0] = vaddq_s32(sums[0], sums[i]);
    return static_cast<uint64_t>(vgetq_lane_s32(sums[0], 0));
}

}  // namespace

constinit const LimitKernel limit_dotprod = {.level = "dotprod",
                                             .needs = CPU_NEON | CPU_DOTPROD,
                                             .read = limit_read<Quad>,
                                             .multiply = multiply,
                                             .ops_per_round = int64_t{2} * 16 * kSums,
                                             .allow = nullptr};

}  // namespace kern
