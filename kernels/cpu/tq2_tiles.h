// TQ2_0 times many columns: tiles of columns as in ternary_tiles.h, but int32 sums end with every block of 256, and
// float(sum) * d goes into one of 16 lanes that meet in a fixed tree (ternary_kernels.h).
//
// Sixteen lanes for every output would fill the first-level cache with 24 outputs a row register. So the lanes are
// computed one after the other, each over its own blocks (j, j + 16, ...), in the order in which the tree needs them:
//   0 8 | 4 12 | 2 10 | 6 14 | 1 9 | 5 13 | 3 11 | 7 15
// and finished subtrees are added at once: at most five values an output wait at any time, and the columns met between
// two expansions of a block are more.
#pragma once

#include "kernels/cpu/ternary_tiles.h"

namespace kern {
namespace {

// One strip: kRegs * kLanes rows, tiles of up to kMax columns.
template <class V, int kRegs, int kMax>
class Tq2Strip {
public:
    static constexpr int kRows = kRegs * V::kLanes;

    Tq2Strip(const MulMatArgs& args, const ActColumns& columns, int64_t row)
        : args_(args), columns_(columns), row_(row) {
        n_rows_ = args.row_end - row < kRows ? args.row_end - row : kRows;
    }

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
    using Float = typename V::Float;
    static constexpr int kGroupsPerBlock = kTqBlock / (4 * V::kBytes);
    static constexpr int kDepth = 5;  // values waiting: one per level of the tree over 16 lanes, and the newest
    static constexpr int kCols = 80 * 1024 / kDepth / (kRegs * V::kBytes) / kMax * kMax;
    static_assert(kCols > 0);

    void run_columns(int64_t col, int64_t n) {
        constexpr int kLaneOrder[16] = {0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15};
        const int64_t n_blocks = args_.k / kTqBlock;
        const int64_t n_values = n * kRegs;
        bool filled[kDepth];
        int depth = 0;
        for (int i = 0; i < 16; ++i) {
            for (int64_t b = kLaneOrder[i]; b < n_blocks; b += 16) add_block(b, col, n, waiting_[depth]);
            filled[depth++] = kLaneOrder[i] < n_blocks;
            // Every trailing one bit of i says that this leaf completes a subtree. A right half without blocks would
            // add +0 to values that are never -0, so it is left out; its left half has the lower lanes and fills up
            // first.
            for (int bits = i; (bits & 1) != 0; bits >>= 1) {
                --depth;
                if (!filled[depth]) continue;
                for (int64_t v = 0; v < n_values; ++v) {
                    waiting_[depth - 1][v] = V::add(waiting_[depth - 1][v], waiting_[depth][v]);
                }
            }
        }
        for_tiles<kMax>(col, n, [&](auto count, int64_t first, int64_t done) {
            write_tile(first, decltype(count)::value, waiting_[0] + done * kRegs);
        });
    }

    // lane[...] += float(sum of block b) * d, for n columns; the lane's first block, b < 16, meets a lane of zeros.
    void add_block(int64_t b, int64_t col, int64_t n, Float* lane) {
        expand_rows<V, Tq2Fields, kRegs>(args_, row_, b * kGroupsPerBlock, (b + 1) * kGroupsPerBlock, codes_);
        const int64_t row_bytes = Tq2Fields::row_bytes(args_.k);
        const uint8_t* d_of_row = static_cast<const uint8_t*>(args_.weights) + row_ * row_bytes +
                                  b * static_cast<int64_t>(sizeof(BlockTq2_0)) + offsetof(BlockTq2_0, d);
        uint16_t halves[kRows] = {};
        for (int64_t i = 0; i < n_rows_; ++i) std::memcpy(&halves[i], d_of_row + i * row_bytes, sizeof(uint16_t));
        for_tiles<kMax>(col, n, [&](auto count, int64_t first, int64_t done) {
            const TileInput in = {codes_, kTqBlock / 4, columns_.values(first) + b * kActBlock, columns_.stride};
            add_tile<decltype(count)::value>(in, columns_.block_sums(first) + b, halves, b < 16, lane + done * kRegs);
        });
    }

    template <int kN>
    [[gnu::noinline]] static void add_tile(const TileInput& in, const int32_t* block_sum, const uint16_t* halves,
                                           bool first, Float* lane) {
        Int sums[kRegs][kN];
#pragma GCC unroll 8
        for (int r = 0; r < kRegs; ++r) {
#pragma GCC unroll 32
            for (int c = 0; c < kN; ++c) sums[r][c] = V::zero();
        }
        tile_dots<V, kRegs, kN>(in, sums);
#pragma GCC unroll 8
        for (int r = 0; r < kRegs; ++r) {
            const Float d = V::halves_to_float(halves + r * V::kLanes);
#pragma GCC unroll 32
            for (int c = 0; c < kN; ++c) {
                int32_t act_sum;
                std::memcpy(&act_sum, reinterpret_cast<const uint8_t*>(block_sum) + c * in.act_stride, sizeof act_sum);
                const Float term = V::mul(V::to_float(V::sub32(sums[r][c], V::set32(act_sum))), d);
                lane[r * kN + c] = V::add(first ? V::zero_float() : lane[r * kN + c], term);
            }
        }
    }

    void write_tile(int64_t col, int n, const Float* values) {
        for (int c = 0; c < n; ++c) {
            const Float scale = V::set_float(1.0f / columns_.header(col + c).act_scale);
            float* out = args_.out + (col + c) * args_.out_stride + row_;
            for (int r = 0; r < kRegs; ++r) {
                const int64_t left = n_rows_ - r * V::kLanes;
                if (left <= 0) break;
                V::store_lanes(out + r * V::kLanes, V::mul(values[r * n + c], scale),
                               left < V::kLanes ? left : V::kLanes);
            }
        }
    }

    const MulMatArgs& args_;
    const ActColumns& columns_;
    int64_t row_;
    int64_t n_rows_;
    alignas(64) uint8_t codes_[kTqBlock * kRows];
    alignas(64) Float waiting_[kDepth][kCols * kRegs];
};

}  // namespace
}  // namespace kern
