// Screening with SDOT: codes times the two bytes that a value is made of.
#include "kernels/cpu/v16_neon.h"

#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/screen_blocks.h"
#include "kernels/cpu/screen_pairs_neon.h"

namespace kern {
namespace {

// |sum over a row| <= 65,536 * 127 * 127 < 2^31.
template <int kCols>
struct Sums {
    static constexpr int64_t kStep = 64;
    int32x4_t high[kCols];
    int32x4_t low[kCols];

    Sums() {
        for (int c = 0; c < kCols; ++c) high[c] = low[c] = vdupq_n_s32(0);
    }
    void step(const int8_t* codes, const ScreenView (&x)[kCols], int64_t at) {
        for (int64_t i = 0; i < kStep; i += 16) {
            const int8x16_t w = vld1q_s8(codes + i);
            for (int c = 0; c < kCols; ++c) {
                high[c] = vdotq_s32(high[c], w, vld1q_s8(x[c].high + at + i));
                low[c] = vdotq_s32(low[c], w, vld1q_s8(x[c].low + at + i));
            }
        }
    }
    int64_t total(const ScreenColumn&, int c) const { return 128 * vaddlvq_s32(high[c]) + vaddlvq_s32(low[c]); }
};

// 16 codes.
inline float32x4_t four_quads(const int8_t* codes, const int8_t* high, const int8_t* low) {
    const int8x16_t w = vld1q_s8(codes);
    const int32x4_t upper = vshlq_n_s32(vdotq_s32(vdupq_n_s32(0), w, vld1q_s8(high)), 7);
    return vcvtq_f32_s32(vdotq_s32(upper, w, vld1q_s8(low)));
}

inline V16 quads(const int8_t* a, const int8_t* b, const ScreenView& x, int64_t at) {
    const int8_t* high = x.high + at;
    const int8_t* low = x.low + at;
    return {four_quads(a, high, low), four_quads(a + 16, high + 16, low + 16), four_quads(b, high + 32, low + 32),
            four_quads(b + 16, high + 48, low + 48)};
}

inline V16 each_of_2(float a, float b) { return {vdupq_n_f32(a), vdupq_n_f32(a), vdupq_n_f32(b), vdupq_n_f32(b)}; }

}  // namespace

SCREEN_KERNEL(dotprod, CPU_NEON | CPU_DOTPROD);
SCREEN_BLOCK_KERNEL(q8_0, dotprod, CPU_NEON | CPU_DOTPROD, run_screen_blocks<ScreenedQ8_0>);
SCREEN_BLOCK_KERNEL(q6_k, dotprod, CPU_NEON | CPU_DOTPROD, run_screen_q6_k);

}  // namespace kern
