// Ternary dot products with AVX2: maddubs (code * q, two products added into an int16 lane), sums kept in int16 for a
// while and then widened.
// Bound: code <= 3 (an unchecked file), |q| <= 127, so a lane takes at most 2 * 3 * 127 = 762 a maddubs, and 43 of them
// fit int16 (32,766). maddubs itself saturates only beyond 32,767, which one pair never reaches.
#pragma once

#include "kernels/cpu/ternary_simd_ymm.h"

namespace kern {
namespace {

struct Avx2 : Ymm {
    static constexpr bool kSums16 = true;
    static constexpr int kTileFold = 32;   // tile steps (one maddubs each) before widening: 32 * 762 = 24,384
    static constexpr int kDirectFold = 8;  // direct steps (four maddubs each) before widening: the same 32

    static Int widen16(Int sums16) { return _mm256_madd_epi16(sums16, _mm256_set1_epi16(1)); }
    // One tile step into int16 lanes.
    static Int dot16(Int sums16, Int codes, Int acts) {
        return _mm256_add_epi16(sums16, _mm256_maddubs_epi16(codes, acts));
    }
    // One direct step, after which products of a register may lie anywhere.
    static Int dot16_any(Int sums16, Int codes, Int acts) { return dot16(sums16, codes, acts); }

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
        using Fields = Avx2::Fields<Layout>;
        Int sums16 = zero();
        Int sums32 = zero();
        template <int kField>
        void step(const Fields& fields, Int acts) {
            sums16 = dot16(sums16, fields.f[kField], acts);
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

    // A TQ2_0 block takes 8 maddubs a lane before its fold: |sum| <= 6096.
    static constexpr int kBlockRegs = 2;
    template <class Layout>
    using BlockDot = Dot<Layout>;
};

}  // namespace
}  // namespace kern
