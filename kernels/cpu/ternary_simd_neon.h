// Ternary dot products with NEON alone: products of bytes added in int16 for a while and then widened.
// Bound: code <= 3 (an unchecked file), |q| <= 127, so a lane takes at most 2 * 3 * 127 = 762 a step, and 43 of them fit
// int16 (32,766).
#pragma once

#include "kernels/cpu/ternary_simd_pair.h"

namespace kern {
namespace {

struct Neon : NeonPair {
    static constexpr bool kSums16 = true;
    static constexpr int kTileFold = 32;  // tile steps before widening: 32 * 762 = 24,384
    static constexpr int kDirectFold =
        8;  // direct steps (four products of two bytes a lane) before widening: the same 32

    static int32x4_t widen16(int32x4_t sums16) { return vpaddlq_s16(vreinterpretq_s16_s32(sums16)); }
    static Int widen16(Int sums16) { return {widen16(sums16.low), widen16(sums16.high)}; }
    // One tile step into int16 lanes: neighbours stay together, because four of them are a row.
    static int32x4_t dot16(int32x4_t sums16, int8x16_t codes, int8x16_t acts) {
        const int16x8_t pairs = vpaddq_s16(vmull_s8(vget_low_s8(codes), vget_low_s8(acts)), vmull_high_s8(codes, acts));
        return vreinterpretq_s32_s16(vaddq_s16(vreinterpretq_s16_s32(sums16), pairs));
    }
    static Int dot16(Int sums16, Int codes, Int acts) {
        return {dot16(sums16.low, bytes(codes.low), bytes(acts.low)),
                dot16(sums16.high, bytes(codes.high), bytes(acts.high))};
    }
    // One direct step: all lanes meet in the end, so the halves of a register may share them.
    static int32x4_t dot16_any(int32x4_t sums16, int8x16_t codes, int8x16_t acts) {
        const int16x8_t sum = vmlal_s8(vreinterpretq_s16_s32(sums16), vget_low_s8(codes), vget_low_s8(acts));
        return vreinterpretq_s32_s16(vmlal_high_s8(sum, codes, acts));
    }
    static Int dot16_any(Int sums16, Int codes, Int acts) {
        return {dot16_any(sums16.low, bytes(codes.low), bytes(acts.low)),
                dot16_any(sums16.high, bytes(codes.high), bytes(acts.high))};
    }

    // The packed codes of one register, ready for any number of columns.
    template <class Layout>
    struct Fields {
        Int f[4];
        explicit Fields(Int packed)
            : f{field<Layout::shift(0)>(packed), field<Layout::shift(1)>(packed), field<Layout::shift(2)>(packed),
                field<Layout::shift(3)>(packed)} {}
    };
    // One row times one column: int16 sums, widened into int32 by fold().
    template <class Layout>
    struct Dot {
        using Fields = Neon::Fields<Layout>;
        Int sums16 = zero();
        Int sums32 = zero();
        template <int kField>
        void step(const Fields& fields, Int acts) {
            sums16 = dot16_any(sums16, fields.f[kField], acts);
        }
        void fold() {
            sums32 = add32(sums32, widen16(sums16));
            sums16 = zero();
        }
        Int total() const { return sums32; }
    };
    template <class Layout, int kCols>
    using DotFor = Dot<Layout>;
    static constexpr int kDirectCols = 8;    // of I2_S at once
    static constexpr int kT5LinearCols = 0;  // t5_direct.h
    static constexpr int direct_streams(int cols) { return cols == 1 ? 4 : 2; }
    static constexpr int block_streams(int cols) { return cols == 1 ? 4 : 2; }  // of TQ2_0

    // A TQ2_0 block takes 8 steps of a lane before its fold: |sum| <= 6096.
    static constexpr int kBlockRegs = 2;
    template <class Layout>
    using BlockDot = Dot<Layout>;
};

}  // namespace
}  // namespace kern
