// Ternary dot products with SDOT (FEAT_DotProd): four products code * q straight into an int32 lane, nothing to widen.
#pragma once

#include "kernels/cpu/ternary_simd_pair.h"

namespace kern {
namespace {

struct Dotprod : NeonPair {
    static constexpr bool kSums16 = false;
    static constexpr int kDirectFold = 1 << 30;

    static Int dot32(Int sums, Int codes, Int acts) {
        return {vdotq_s32(sums.low, bytes(codes.low), bytes(acts.low)),
                vdotq_s32(sums.high, bytes(codes.high), bytes(acts.high))};
    }

    template <class Layout>
    struct Fields {
        Int f[4];
        explicit Fields(Int packed)
            : f{field<Layout::shift(0)>(packed), field<Layout::shift(1)>(packed), field<Layout::shift(2)>(packed),
                field<Layout::shift(3)>(packed)} {}
    };
    // One row times one column; the halves of a pair are two chains of sums already.
    template <class Layout>
    struct Dot {
        using Fields = Dotprod::Fields<Layout>;
        Int sums = zero();
        template <int kField>
        void step(const Fields& fields, Int acts) {
            sums = dot32(sums, fields.f[kField], acts);
        }
        void fold() {}
        Int total() const { return sums; }
    };
    template <class Layout, int kCols>
    using DotFor = Dot<Layout>;
    static constexpr int kDirectCols = 8;       // of I2_S at once
    static constexpr int kT5LinearCols = 1;     // t5_direct.h; two take more registers than there are
    static constexpr bool kSignedBytes = true;  // on both sides of dot32
    static constexpr int direct_streams(int cols) { return cols == 1 ? 4 : 2; }
    static constexpr int block_streams(int cols) { return cols == 1 ? 4 : 2; }  // of TQ2_0

    static constexpr int kBlockRegs = 2;
    template <class Layout>
    using BlockDot = Dot<Layout>;
};

}  // namespace
}  // namespace kern
