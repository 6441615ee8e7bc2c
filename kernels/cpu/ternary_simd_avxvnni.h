// Ternary dot products with AVX-VNNI: vpdpbusd adds four products code * q straight into an int32 lane and never
// saturates, so nothing needs widening.
#pragma once

#include "kernels/cpu/ternary_simd_ymm.h"

namespace kern {
namespace {

struct AvxVnni : Ymm {
    static constexpr bool kSums16 = false;
    static constexpr int kDirectFold = 1 << 30;

    static Int dot32(Int sums, Int codes, Int acts) { return _mm256_dpbusd_avx_epi32(sums, codes, acts); }

    template <class Layout>
    struct Fields {
        Int f[4];
        explicit Fields(Int packed)
            : f{field<Layout::shift(0)>(packed), field<Layout::shift(1)>(packed), field<Layout::shift(2)>(packed),
                field<Layout::shift(3)>(packed)} {}
    };
    // One row times one column in kChains independent sums: a vpdpbusd takes five cycles, two start a cycle.
    template <class Layout, int kChains>
    struct Dot {
        using Fields = AvxVnni::Fields<Layout>;
        Int sums[kChains];
        Dot() {
            for (Int& s : sums) s = zero();
        }
        template <int kField>
        void step(const Fields& fields, Int acts) {
            sums[kField % kChains] = dot32(sums[kField % kChains], fields.f[kField], acts);
        }
        void fold() {}
        Int total() const { return kChains == 1 ? sums[0] : add32(sums[0], sums[kChains - 1]); }
    };
    template <class Layout, int kCols>
    using DotFor = Dot<Layout, kCols <= 4 ? 2 : 1>;
    static constexpr int kDirectCols = 8;    // of I2_S at once
    static constexpr int kT5LinearCols = 3;  // t5_direct.h
    static constexpr bool kSignedBytes = false;
    static constexpr int direct_streams(int cols) { return cols == 1 ? 4 : 2; }
    static constexpr int block_streams(int cols) { return cols == 1 ? 4 : 2; }  // of TQ2_0

    static constexpr int kBlockRegs = 2;
    template <class Layout>
    using BlockDot = Dot<Layout, 2>;
};

}  // namespace
}  // namespace kern
