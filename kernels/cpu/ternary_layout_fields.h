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
        : base(static_cast<const uint8_t*>(args.acts)),
          stride(act_column_bytes(args.k)),
          sums_offset(act_sums_offset(args.k)) {}

    const ActColumn& header(int64_t c) const { return *reinterpret_cast<const ActColumn*>(base + c * stride); }
    const int8_t* values(int64_t c) const {
        return reinterpret_cast<const int8_t*>(base + c * stride + act_values_offset());
    }
    const int32_t* block_sums(int64_t c) const {
        return reinterpret_cast<const int32_t*>(base + c * stride + sums_offset);
    }
};

}  // namespace
}  // namespace kern
