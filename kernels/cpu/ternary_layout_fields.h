// Where the fast ternary kernels find a register of packed codes, and at which bits field f (f = 0..3, the f-th 32
// weights of each 128) stands. The rest of ternary_direct.h and ternary_tiles.h is the same for both types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/cpu/act_i8.h"
#include "kernels/mul_mat_kernel.h"
#include "kernels/ternary_layouts.h"

namespace kern {
namespace {

struct I2sFields {
    static constexpr int shift(int f) { return 6 - 2 * f; }
    static constexpr int64_t row_bytes(int64_t k) { return k / kI2sBlock * kI2sBlockBytes; }
    // Step s is the s-th register of kBytes in a row.
    template <int kBytes>
    static const uint8_t* step(const uint8_t* row, int64_t s) {
        return row + s * kBytes;
    }
};

struct Tq2Fields {
    static constexpr int shift(int f) { return 2 * f; }
    static constexpr int64_t row_bytes(int64_t k) { return k / kTqBlock * static_cast<int64_t>(sizeof(BlockTq2_0)); }
    template <int kBytes>
    static const uint8_t* step(const uint8_t* row, int64_t s) {
        constexpr int kPerBlock = static_cast<int>(sizeof(BlockTq2_0::qs)) / kBytes;
        return row + s / kPerBlock * static_cast<int64_t>(sizeof(BlockTq2_0)) + s % kPerBlock * kBytes;
    }
};

// The activation columns of a call.
struct ActColumns {
    const uint8_t* base;
    int64_t stride;
    int64_t sums_offset;

    explicit ActColumns(const MulMatArgs& args)
        : base(static_cast<const uint8_t*>(args.acts)), stride(act_column_bytes(args.k)),
          sums_offset(act_sums_offset(args.k)) {}

    const ActColumn& header(int64_t c) const { return *reinterpret_cast<const ActColumn*>(base + c * stride); }
    const int8_t* values(int64_t c) const {
        return reinterpret_cast<const int8_t*>(base + c * stride + act_values_offset());
    }
    const int32_t* block_sums(int64_t c) const {
        return reinterpret_cast<const int32_t*>(base + c * stride + sums_offset);
    }
};

template <int kN>
struct Count {
    static constexpr int value = kN;
};

// visit(Count<n>{}) for the n in 1..kMax known only at run time.
template <int kMax, class Visit>
inline void with_count(int64_t n, const Visit& visit) {
    if constexpr (kMax > 1) {
        if (n < kMax) return with_count<kMax - 1>(n, visit);
    }
    visit(Count<kMax>{});
}

// Cuts n columns from `col` on into as few tiles of at most kMax as possible, of widths as equal as possible.
// visit(Count<width>{}, first column, columns before it).
template <int kMax, class Visit>
inline void for_tiles(int64_t col, int64_t n, const Visit& visit) {
    for (int64_t done = 0; done < n;) {
        const int64_t tiles = (n - done + kMax - 1) / kMax;
        const int64_t width = (n - done + tiles - 1) / tiles;
        with_count<kMax>(width, [&](auto count) { visit(count, col + done, done); });
        done += width;
    }
}

}  // namespace
}  // namespace kern
