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
    // Two chains of dependent sums, so that the five cycles of a vpdpbusd overlap.
    template <class Layout>
    struct Dot {
        using Fields = AvxVnni::Fields<Layout>;
        Int even = zero();
        Int odd = zero();
        void step(const Fields& fields, const int8_t* acts) {
            even = dot32(even, fields.f[0], load(acts));
            odd = dot32(odd, fields.f[1], load(acts + 32));
            even = dot32(even, fields.f[2], load(acts + 64));
            odd = dot32(odd, fields.f[3], load(acts + 96));
        }
        void fold() {}
        Int total() const { return add32(even, odd); }
    };
    template <class Layout, int kCols>
    using DotFor = Dot<Layout>;
    static constexpr int direct_streams(int) { return 2; }

    template <class Layout>
    struct BlockFields {
        Fields<Layout> first, second;
        explicit BlockFields(const uint8_t* qs) : first(load(qs)), second(load(qs + 32)) {}
    };
    template <class Layout>
    static Int dot_block(const BlockFields<Layout>& block, const int8_t* acts) {
        Dot<Layout> dot;
        dot.step(block.first, acts);
        dot.step(block.second, acts + 128);
        return dot.total();
    }
};

}  // namespace
}  // namespace kern
