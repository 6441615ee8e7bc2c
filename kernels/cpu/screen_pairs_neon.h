// The words of a Q6_K block and their products with NEON (screen_blocks.h), for both of its levels. The including file has
// its v16_neon.h.
#pragma once

#include "kernels/cpu/screen_blocks.h"

namespace kern {
namespace {

inline void scale_words(const int8_t* codes, const int8_t* scales, int16_t* words) {
    for (int j = 0; j < kQ6KBlock / 16; ++j) {
        const int8x16_t bytes = vld1q_s8(codes + 16 * j);
        const int8x16_t scale = vdupq_n_s8(scales[j]);
        vst1q_s16(words + 16 * j, vmull_s8(vget_low_s8(bytes), vget_low_s8(scale)));
        vst1q_s16(words + 16 * j + 8, vmull_high_s8(bytes, scale));
    }
}

// Lane l of products[q] takes the words j with j % 32 == 4 q + l; neighbours are added at the end.
template <int kCols>
inline void pair_sums(const int16_t* words, const int16_t* const (&values)[kCols], V16 (&sums)[kCols]) {
    for (int c = 0; c < kCols; ++c) {
        int32x4_t products[8];
        for (int32x4_t& p : products) p = vdupq_n_s32(0);
        for (int j = 0; j < kQ6KBlock; j += 32) {
            for (int q = 0; q < 4; ++q) {
                const int16x8_t w = vld1q_s16(words + j + 8 * q), v = vld1q_s16(values[c] + j + 8 * q);
                products[2 * q] = vmlal_s16(products[2 * q], vget_low_s16(w), vget_low_s16(v));
                products[2 * q + 1] = vmlal_high_s16(products[2 * q + 1], w, v);
            }
        }
        sums[c] = {
            vcvtq_f32_s32(vpaddq_s32(products[0], products[1])), vcvtq_f32_s32(vpaddq_s32(products[2], products[3])),
            vcvtq_f32_s32(vpaddq_s32(products[4], products[5])), vcvtq_f32_s32(vpaddq_s32(products[6], products[7]))};
    }
}

}  // namespace
}  // namespace kern
