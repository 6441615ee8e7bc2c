// T5 (packed_layouts.h) times a few columns, straight from the packed bytes; around the memory as in ternary_direct.h.
// One or a few columns (V::kT5LinearCols) with VNNI or SDOT take no digit out: two products a column and digit by the identity of
// packed_layouts.h. More columns, and AVX2 and plain NEON, whose int16 sums cannot hold bytes up to 255, make codes 0..2 of the digits.
// The including file has its packed_simd_avx.h or packed_simd_pair.h before.
#pragma once

#include "kernels/cpu/ternary_direct.h"
#include "kernels/packed_layouts.h"

namespace kern {
namespace {

// One row times one column by x(n) and x(n+1). A lane ends as 3 with_x - with_next, 256 times its share of the sum (bound: kT5LargestK);
// on the way both may wrap, which does no harm.
// SDOT takes signed bytes, so x - 128: 3 (x(n) - 128) mod 256 is x(n+1) - 128, and (3 (x(n) - 128) - (x(n+1) - 128)) / 256 is digit n
// less 1, the weight itself.
template <class V>
struct T5LinearDot {
    using Int = typename V::Int;
    static constexpr bool kOfWeights = V::kSignedBytes;  // of digits otherwise
    static Int first(Int bytes) {
        if constexpr (kOfWeights) return less_128(bytes);
        return bytes;
    }
    Int with_x = V::zero();
    Int with_next = V::zero();
    void step(Int x, Int next, Int acts) {
        with_x = V::dot32(with_x, x, acts);
        with_next = V::dot32(with_next, next, acts);
    }
    void fold() {}
    Int total() const {
        const Int three = V::add32(V::add32(with_x, with_x), with_x);
        return right_signed32<8>(V::sub32(three, with_next));
    }
};

// The same by digits. int16 lanes take 2 * 2 * 127 = 508 a digit, 5 digits a step, 12 steps between folds: 30,480.
constexpr int64_t kT5FoldSteps = 12;
template <class V>
struct T5DigitDot {
    using Int = typename V::Int;
    static constexpr bool kOfWeights = false;
    static Int first(Int bytes) { return bytes; }
    Int sums16 = V::zero();
    Int sums32 = V::zero();
    void step(Int digit, Int acts) {
        if constexpr (V::kSums16) {
            sums16 = V::dot16_any(sums16, digit, acts);
        } else {
            sums32 = V::dot32(sums32, digit, acts);
        }
    }
    void fold() {
        if constexpr (V::kSums16) {
            sums32 = V::add32(sums32, V::widen16(sums16));
            sums16 = V::zero();
        }
    }
    Int total() const { return sums32; }
};

template <class V, int kCols>
constexpr bool kT5Linear = kCols <= V::kT5LinearCols;
template <class V, bool kLinear>
struct T5DotChoice {
    using Type = T5LinearDot<V>;
};
template <class V>
struct T5DotChoice<V, false> {
    using Type = T5DigitDot<V>;
};
template <class V, int kCols>
using T5Dot = typename T5DotChoice<V, kT5Linear<V, kCols>>::Type;

// One digit of every byte: x moves on to the next.
template <class V, int kRows, int kCols, class Dot>
inline __attribute__((always_inline)) void t5_step(Dot (&dots)[kRows][kCols], typename V::Int (&x)[kRows],
                                                   const int8_t* acts, int64_t act_stride) {
    using Int = typename V::Int;
    Int a[kCols];
#pragma GCC unroll 4
    for (int c = 0; c < kCols; ++c) a[c] = V::load(acts + c * act_stride);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
        const Int next = add8(add8(x[r], x[r]), x[r]);
        if constexpr (kT5Linear<V, kCols>) {
#pragma GCC unroll 4
            for (int c = 0; c < kCols; ++c) dots[r][c].step(x[r], next, a[c]);
        } else {
            const Int digit = t5_digit(x[r]);
#pragma GCC unroll 4
            for (int c = 0; c < kCols; ++c) dots[r][c].step(digit, a[c]);
        }
        x[r] = next;
    }
}

// sums[r * kCols + c] = sum(digit * q) of the row at rows[r] and the column at acts + c * act_stride, of weights where T5Dot says so.
template <class V, int kRows, int kCols>
inline void t5_dots(const uint8_t* const (&rows)[kRows], const int8_t* acts, int64_t act_stride, int64_t pieces,
                    int32_t (&sums)[power_of_two_from(kRows * kCols)]) {
    using Int = typename V::Int;
    using Dot = T5Dot<V, kCols>;
    Dot dots[kRows][kCols];
    const int64_t steps = pieces / 5;
    const auto load = [&rows](int64_t s, Int(&x)[kRows]) {
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) {
            const uint8_t* p = rows[r] + s * V::kBytes;
            prefetch_ahead(p);
            x[r] = Dot::first(V::load(p));
        }
    };
    const auto fold = [&dots] {
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
            for (int c = 0; c < kCols; ++c) dots[r][c].fold();
        }
    };
    const int64_t fold_steps = V::kSums16 ? kT5FoldSteps : steps;
    for (int64_t begin = 0; begin < steps; begin += fold_steps) {
        const int64_t end = steps - begin < fold_steps ? steps : begin + fold_steps;
#pragma GCC unroll 1
        for (int64_t s = begin; s < end; ++s) {
            Int x[kRows];
            load(s, x);
            const int8_t* p = acts + s * 5 * V::kBytes;
            t5_step<V, kRows, kCols>(dots, x, p, act_stride);
            t5_step<V, kRows, kCols>(dots, x, p + V::kBytes, act_stride);
            t5_step<V, kRows, kCols>(dots, x, p + 2 * V::kBytes, act_stride);
            t5_step<V, kRows, kCols>(dots, x, p + 3 * V::kBytes, act_stride);
            t5_step<V, kRows, kCols>(dots, x, p + 4 * V::kBytes, act_stride);
        }
        fold();
    }
    if (pieces % 5 != 0) {  // behind the last piece the activations end
        Int x[kRows];
        load(steps, x);
#pragma GCC unroll 1
        for (int64_t piece = steps * 5; piece < pieces; ++piece) {
            t5_step<V, kRows, kCols>(dots, x, acts + piece * V::kBytes, act_stride);
        }
        fold();
    }
    constexpr int kTotals = power_of_two_from(kRows * kCols);
    Int totals[kTotals];
#pragma GCC unroll 16
    for (int i = 0; i < kTotals; ++i) totals[i] = i < kRows * kCols ? dots[i / kCols][i % kCols].total() : V::zero();
    V::add_lanes(totals, sums);
}

template <class V, int kRows, int kCols>
inline void t5_direct_rows(const MulMatArgs& args, const ActColumns& columns, int64_t row, int64_t part, int64_t col,
                           const float (&scales)[kCols]) {
    const int64_t row_bytes = t5_row_bytes<V::kBytes>(args.k);
    const uint8_t* rows[kRows];
    for (int r = 0; r < kRows; ++r) {
        rows[r] = static_cast<const uint8_t*>(args.weights) + (row + r * part) * row_bytes;
    }
    int32_t sums[power_of_two_from(kRows * kCols)];
    t5_dots<V, kRows, kCols>(rows, columns.values(col), columns.stride, packed_pieces<V::kBytes>(args.k), sums);
    for (int c = 0; c < kCols; ++c) {
        const int32_t sum = T5Dot<V, kCols>::kOfWeights ? 0 : columns.header(col + c).sum;
        float* out = args.out + (col + c) * args.out_stride + row;
        for (int r = 0; r < kRows; ++r) out[r * part] = static_cast<float>(sums[r * kCols + c] - sum) * scales[c];
    }
}

template <class V, int kCols>
void t5_direct(const MulMatArgs& args, int64_t col) {
    constexpr int kStreams = kCols == 1 ? 4 : 2;
    const ActColumns columns(args);
    float scales[kCols];
    for (int c = 0; c < kCols; ++c) scales[c] = args.weight_scale / columns.header(col + c).act_scale;
    const int64_t part = (args.row_end - args.row_begin) / kStreams;
    for (int64_t i = 0; i < part; ++i) {
        t5_direct_rows<V, kStreams, kCols>(args, columns, args.row_begin + i, part, col, scales);
    }
    for (int64_t row = args.row_begin + part * kStreams; row < args.row_end; ++row) {
        t5_direct_rows<V, 1, kCols>(args, columns, row, 0, col, scales);
    }
}

constexpr int64_t kT5DirectCols = 8;

template <class V>
void t5_direct_any(const MulMatArgs& args) {
    direct_passes<4>(args, t5_row_bytes<V::kBytes>(args.k), [](auto count, const MulMatArgs& part, int64_t col) {
        t5_direct<V, decltype(count)::value>(part, col);
    });
}

}  // namespace
}  // namespace kern
