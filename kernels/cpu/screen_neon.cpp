// Screening with NEON: codes widened to sixteen bits times 15-bit values, added in int32.
#include "kernels/cpu/v16_neon.h"

#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/screen_blocks.h"
#include "kernels/cpu/screen_pairs_neon.h"

namespace kern {
namespace {

// A lane takes 8 * 127 * 16,256 < 2^24 a step: 64 steps go into int32 before they are widened.
template <int kCols>
struct Sums {
    static constexpr int64_t kStep = 64;
    int32x4_t sums[kCols][2];  // two chains
    int64_t wide[kCols];
    int n_steps = 0;

    Sums() {
        for (int c = 0; c < kCols; ++c) wide[c] = 0, clear(c);
    }
    void clear(int c) { sums[c][0] = sums[c][1] = vdupq_n_s32(0); }
    int64_t add_lanes(int c) const { return vaddlvq_s32(sums[c][0]) + vaddlvq_s32(sums[c][1]); }
    void step(const int8_t* codes, const ScreenView (&x)[kCols], int64_t at) {
        for (int64_t i = 0; i < kStep; i += 16) {
            const int8x16_t bytes = vld1q_s8(codes + i);
            const int16x8_t first = vmovl_s8(vget_low_s8(bytes)), second = vmovl_high_s8(bytes);
            for (int c = 0; c < kCols; ++c) {
                const int16x8_t a = vld1q_s16(x[c].both + at + i), b = vld1q_s16(x[c].both + at + i + 8);
                sums[c][0] = vmlal_s16(sums[c][0], vget_low_s16(first), vget_low_s16(a));
                sums[c][1] = vmlal_high_s16(sums[c][1], first, a);
                sums[c][0] = vmlal_s16(sums[c][0], vget_low_s16(second), vget_low_s16(b));
                sums[c][1] = vmlal_high_s16(sums[c][1], second, b);
            }
        }
        if (++n_steps < 64) return;
        n_steps = 0;
        for (int c = 0; c < kCols; ++c) {
            wide[c] += add_lanes(c);
            clear(c);
        }
    }
    int64_t total(const ScreenColumn&, int c) const { return wide[c] + add_lanes(c); }
};

// 16 codes.
inline float32x4_t four_quads(const int8_t* codes, const int16_t* values) {
    const int8x16_t bytes = vld1q_s8(codes);
    const auto pairs = [](int16x8_t w, int16x8_t v) {
        return vpaddq_s32(vmull_s16(vget_low_s16(w), vget_low_s16(v)), vmull_high_s16(w, v));
    };
    const int32x4_t first = pairs(vmovl_s8(vget_low_s8(bytes)), vld1q_s16(values));
    return vcvtq_f32_s32(vpaddq_s32(first, pairs(vmovl_high_s8(bytes), vld1q_s16(values + 8))));
}

inline V16 quads(const int8_t* a, const int8_t* b, const ScreenView& x, int64_t at) {
    const int16_t* values = x.both + at;
    return {four_quads(a, values), four_quads(a + 16, values + 16), four_quads(b, values + 32),
            four_quads(b + 16, values + 48)};
}

inline V16 each_of_2(float a, float b) { return {vdupq_n_f32(a), vdupq_n_f32(a), vdupq_n_f32(b), vdupq_n_f32(b)}; }

}  // namespace

SCREEN_KERNEL(neon, CPU_NEON);
SCREEN_BLOCK_KERNEL(q8_0, neon, CPU_NEON, run_screen_blocks<ScreenedQ8_0>);
SCREEN_BLOCK_KERNEL(q6_k, neon, CPU_NEON, run_screen_q6_k);

}  // namespace kern
