// I2_S times many columns: strips of rows, pieces of k, tiles of columns (ternary_tiles.h), int32 sums over all of k.
// The sums of a strip wait on the stack from one piece of k to the next, not in the output, whose columns lie pages
// apart. That bounds the columns met between two expansions of the same codes: 264 where a register has 64 bytes.
#pragma once

#include "kernels/cpu/ternary_tiles.h"

namespace kern {
namespace {

// One strip: kRegs * kLanes rows, tiles of up to kMax columns. Measured on cores with 48 KiB of first-level cache:
// with 16 KiB of codes the activations stay beside them; the sums are touched once a piece and may lie further away.
template <class V, int kRegs, int kMax>
class I2sStrip {
public:
    static constexpr int kRows = kRegs * V::kLanes;

    I2sStrip(const MulMatArgs& args, const ActColumns& columns, int64_t row)
        : args_(args), columns_(columns), row_(row) {}

    // All columns, in about equal parts of at most kCols.
    void run() {
        const int64_t parts = (args_.n_cols + kCols - 1) / kCols;
        const int64_t part = ((args_.n_cols + parts - 1) / parts + kMax - 1) / kMax * kMax;
        for (int64_t col = 0; col < args_.n_cols; col += part) {
            run_columns(col, args_.n_cols - col < part ? args_.n_cols - col : part);
        }
    }

private:
    using Int = typename V::Int;
    static constexpr int kCodeBytes = 16 * 1024;
    static constexpr int kSumBytes = 66 * 1024;
    static constexpr int kGroupWeights = 4 * V::kBytes;
    static constexpr int64_t kGroups = kCodeBytes / (kGroupWeights * kRows);  // expanded at a time
    static constexpr int kCols = kSumBytes / (kRegs * V::kBytes) / kMax * kMax;

    void run_columns(int64_t col, int64_t n) {
        const int64_t n_groups = (args_.k + kGroupWeights - 1) / kGroupWeights;
        for (int64_t group = 0; group < n_groups; group += kGroups) {
            const bool last = n_groups - group <= kGroups;
            const int64_t end = last ? n_groups : group + kGroups;
            expand_rows<V, I2sFields, kRegs>(args_, row_, group, end, codes_);
            if (last) {
                prefetch_codes(row_ + kRows, 0);
            } else {
                prefetch_codes(row_, end);
            }
            const int64_t steps = (end - group) * 4 * V::kLanes;
            for_tiles<kMax>(col, n, [&](auto count, int64_t first, int64_t done) {
                constexpr int kN = decltype(count)::value;
                Int* tile = sums_ + done * kRegs;
                const TileInput in = {codes_, steps, columns_.values(first) + group * kGroupWeights, columns_.stride};
                if (last) prefetch_outputs(first, kN);
                add_tile<V, kRegs, kN>(in, group == 0, tile);
                if (last) write_tile<V, kRegs>(args_, columns_, row_, first, kN, tile);
            });
        }
    }

    // The output lines a tile will write, while it is computed: they lie in other pages than the last ones.
    void prefetch_outputs(int64_t col, int n) {
        for (int c = 0; c < n; ++c) {
            const float* out = args_.out + (col + c) * args_.out_stride + row_;
            for (int r = 0; r < kRegs; ++r) __builtin_prefetch(out + r * V::kLanes, 1);
        }
    }

    // The packed codes expanded next, into the second-level cache.
    void prefetch_codes(int64_t row, int64_t group) {
        const int64_t row_bytes = I2sFields::row_bytes(args_.k);
        const uint8_t* p = static_cast<const uint8_t*>(args_.weights) + row * row_bytes + group * V::kBytes;
        for (int i = 0; i < kRows; ++i, p += row_bytes) {
            for (int64_t byte = 0; byte < kGroups * V::kBytes; byte += 64) __builtin_prefetch(p + byte, 0, 2);
        }
    }

    const MulMatArgs& args_;
    const ActColumns& columns_;
    int64_t row_;
    alignas(64) uint8_t codes_[kCodeBytes];
    alignas(64) Int sums_[kCols * kRegs];
};

}  // namespace
}  // namespace kern
