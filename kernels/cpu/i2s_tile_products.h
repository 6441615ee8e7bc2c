// I2_S times many columns with products of tile registers (AMX): a tile of activations, 16 columns of 64 values as they
// were packed, times a tile of codes, 64 weights of 16 rows, expanded and transposed by ternary_tiles.h. The sums come out
// as 16 rows for each column, which is how outputs lie, so nothing is turned afterwards.
//   step:  2 x 16 columns of activations, 2 x 16 rows of codes, four products; every tile is loaded for two of them
// The loops: columns that fit the second-level cache, strips of 32 rows, pieces of 512 weights expanded into 16 KiB and
// used at once on all the columns. The sums wait in memory from one piece to the next.
//
// V: the vocabulary of ternary_tiles.h with registers of 64 bytes. T: eight tile registers of 16 rows of 64 bytes,
//   T::configure(n), T::release()     tiles 0..5 have n rows, 1..16, tiles 6 and 7 sixteen
//   T::zero<t>(), T::load<t>(p, stride), T::store<t>(p, stride)
//   T::multiply<t>()                  t = 0..3: sums t += activations 4 + t / 2 times codes 6 + t % 2
//   T::settle()                       what was written to memory before is what a load reads
// A second T in plain C++ is in tests/support/tile_emulation.h.
#pragma once

#include "kernels/cpu/ternary_tiles.h"

namespace kern {
namespace {

template <class V, class T>
class I2sTileProducts {
public:
    static void run(const MulMatArgs& args) {
        const ActColumns columns(args);
        const int64_t most = most_columns(columns.stride);
        const int64_t parts = (args.n_cols + most - 1) / most;
        const int64_t part = round_up((args.n_cols + parts - 1) / parts, 2 * kTileCols);
        T::configure(static_cast<int>(args.n_cols < kTileCols ? args.n_cols : kTileCols));
        for (int64_t col = 0; col < args.n_cols; col += part) {
            const int64_t n = args.n_cols - col < part ? args.n_cols - col : part;
            for (int64_t row = args.row_begin; row < args.row_end; row += kRows) {
                I2sTileProducts(args, columns, row, col, n).run_strip();
            }
        }
        T::release();
    }

private:
    static constexpr int kRegs = 2;
    static constexpr int kRows = kRegs * V::kLanes;
    static constexpr int kTileCols = 16;
    static constexpr int64_t kMaxCols = 256;
    static constexpr int64_t kTileWeights = 64;
    static constexpr int kGroupWeights = 4 * V::kBytes;
    static constexpr int64_t kGroups = 2;  // expanded at a time
    static constexpr int64_t kGroupTiles = kGroupWeights / kTileWeights;
    // The activations of the columns met between two readings of the weights: with more than this the second-level
    // cache no longer feeds the tiles.
    static constexpr int64_t kActBytes = 1200 * 1024;
    static constexpr int64_t kSumStride = kRows * static_cast<int64_t>(sizeof(int32_t));
    static_assert(V::kLanes == 16 && V::kBytes == 64 && kGroupWeights == kActBlock);

    static constexpr int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
    static int64_t most_columns(int64_t stride) {
        const int64_t n = kActBytes / stride / (2 * kTileCols) * (2 * kTileCols);
        return n < 2 * kTileCols ? 2 * kTileCols : n < kMaxCols ? n : kMaxCols;
    }

    I2sTileProducts(const MulMatArgs& args, const ActColumns& columns, int64_t row, int64_t col, int64_t n)
        : args_(args), columns_(columns), row_(row), col_(col), n_tiles_((n + kTileCols - 1) / kTileCols) {}

    // Tiles begin at multiples of 16 columns, only the last one of the call where 16 are left: columns it shares with its
    // neighbour are computed twice.
    int64_t tile_col(int64_t tile) const {
        const int64_t first = col_ + tile * kTileCols, last = args_.n_cols - kTileCols;
        return first < last || last < 0 ? first : last;
    }

    void run_strip() {
        const int64_t n_groups = (args_.k + kGroupWeights - 1) / kGroupWeights;
        for (int64_t group = 0; group < n_groups; group += kGroups) {
            const bool last = n_groups - group <= kGroups;
            const int64_t end = last ? n_groups : group + kGroups;
            expand_rows<V, I2sFields, kRegs>(args_, row_, group, end, codes_);
            const int64_t n_pairs = (n_tiles_ + 1) / 2;
            for (int64_t pair = 0; pair < n_pairs; ++pair) {
                prefetch_codes(last ? row_ + kRows : row_, last ? 0 : end, kRows * pair / n_pairs,
                               kRows * (pair + 1) / n_pairs);
                const int64_t tile = 2 * pair;
                if (tile + 1 < n_tiles_) {
                    multiply<2>(tile, group, end);
                } else {
                    multiply<1>(tile, group, end);
                }
                if (!last) continue;
                write(tile);
                if (tile + 1 < n_tiles_) write(tile + 1);
            }
        }
    }

    // The expanded groups [group, end) times kPair tiles of columns.
    template <int kPair>
    void multiply(int64_t tile, int64_t group, int64_t end) {
        const uint8_t* codes = codes_;
        const int8_t* acts0 = columns_.values(tile_col(tile)) + group * kGroupWeights;
        const int8_t* acts1 = kPair == 2 ? columns_.values(tile_col(tile + 1)) + group * kGroupWeights : acts0;
        const int64_t stride = columns_.stride;
        int32_t* sums0 = sums_ + tile * kTileCols * kRows;
        int32_t* sums1 = sums0 + kTileCols * kRows;
        T::settle();
        if (group == 0) {
            T::template zero<0>();
            T::template zero<1>();
            if constexpr (kPair == 2) {
                T::template zero<2>();
                T::template zero<3>();
            }
        } else {
            T::template load<0>(sums0, kSumStride);
            T::template load<1>(sums0 + V::kLanes, kSumStride);
            if constexpr (kPair == 2) {
                T::template load<2>(sums1, kSumStride);
                T::template load<3>(sums1 + V::kLanes, kSumStride);
            }
        }
        constexpr int kLineBytes = kRegs * V::kBytes;  // of a group of four weights
        for (int64_t i = 0; i < (end - group) * kGroupTiles; ++i) {
            T::template load<4>(acts0, stride);
            T::template load<6>(codes, kLineBytes);
            T::template multiply<0>();
            T::template load<7>(codes + V::kBytes, kLineBytes);
            T::template multiply<1>();
            if constexpr (kPair == 2) {
                T::template load<5>(acts1, stride);
                T::template multiply<2>();
                T::template multiply<3>();
            }
            acts0 += kTileWeights;
            acts1 += kTileWeights;
            codes += kTileWeights / 4 * kLineBytes;
        }
        T::template store<0>(sums0, kSumStride);
        T::template store<1>(sums0 + V::kLanes, kSumStride);
        if constexpr (kPair == 2) {
            T::template store<2>(sums1, kSumStride);
            T::template store<3>(sums1 + V::kLanes, kSumStride);
        }
    }

    void write(int64_t tile) {
        const int64_t first = tile_col(tile);
        const int64_t n = args_.n_cols - first < kTileCols ? args_.n_cols - first : kTileCols;
        for (int64_t c = 0; c < n; ++c) {
            const int32_t* sums = sums_ + (tile * kTileCols + c) * kRows;
            const ActColumn& header = columns_.header(first + c);
            const typename V::Int act_sum = V::set32(header.sum);
            const typename V::Float scale = V::set_float(args_.weight_scale / header.act_scale);
            float* out = args_.out + (first + c) * args_.out_stride + row_;
            for (int r = 0; r < kRegs; ++r) {
                const int64_t left = args_.row_end - row_ - r * V::kLanes;
                if (left <= 0) break;
                const typename V::Int sum = V::sub32(V::load(sums + r * V::kLanes), act_sum);
                V::store_lanes(out + r * V::kLanes, V::mul(V::to_float(sum), scale),
                               left < V::kLanes ? left : V::kLanes);
            }
        }
    }

    // Some rows of the packed codes expanded next, into the second-level cache.
    void prefetch_codes(int64_t row, int64_t group, int64_t from, int64_t to) {
        const int64_t row_bytes = I2sFields::row_bytes(args_.k);
        const uint8_t* p = static_cast<const uint8_t*>(args_.weights) + (row + from) * row_bytes + group * V::kBytes;
        for (int64_t i = from; i < to; ++i, p += row_bytes) {
            for (int64_t g = 0; g < kGroups; ++g) __builtin_prefetch(p + g * V::kBytes, 0, 2);
        }
    }

    const MulMatArgs& args_;
    const ActColumns& columns_;
    const int64_t row_, col_, n_tiles_;
    alignas(64) uint8_t codes_[kGroups * kGroupWeights * kRows];
    alignas(64) int32_t sums_[kMaxCols * kRows];
};

}  // namespace
}  // namespace kern
