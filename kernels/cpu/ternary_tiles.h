// Ternary matrix times many columns: rows are unpacked to one byte a code, transposed so that a register lane is a row,
// and every register of codes is used on a tile of columns.
//   codes, as expanded:  [k / 4][rows / kLanes][kLanes rows][4 codes]
//   one tile step:       load kRegs registers of codes; for every column broadcast its four activations and add
//                        code * q of four weights into lane "row" of kRegs accumulators
// Nothing is added across lanes, outputs leave as kLanes neighbouring rows, and the activations stay as they were packed
// (four neighbouring values are together in every order). The order of the k / 4 groups is that of the activations.
#pragma once

#include "kernels/cpu/ternary_layout_fields.h"

namespace kern {
namespace {

// Bytes of stack for expanded codes: with one tile's outputs it stays within a 48 KiB first-level cache.
constexpr int kCodeBytes = 32 * 1024;
constexpr int kSumBytes = 24 * 1024;

// Expands groups [group_begin, group_end) of 4 * kBytes weights of rows row .. row + kRegs * kLanes - 1; rows at or
// after row_end, and weights at or after k, become code 0.
template <class V, class Layout, int kRegs>
inline void expand_rows(const MulMatArgs& args, int64_t row, int64_t group_begin, int64_t group_end, uint8_t* codes) {
    using Int = typename V::Int;
    constexpr int kGroupWeights = 4 * V::kBytes;
    const int64_t row_bytes = Layout::row_bytes(args.k);
    for (int64_t g = group_begin; g < group_end; ++g) {
        const bool half = kGroupWeights > kI2sBlock && (g + 1) * kGroupWeights > args.k;
#pragma GCC unroll 1
        for (int reg = 0; reg < kRegs; ++reg) {
            const int64_t first = row + reg * V::kLanes;
            const uint8_t* p = Layout::template step<V::kBytes>(
                static_cast<const uint8_t*>(args.weights) + first * row_bytes, g);
            Int t[V::kLanes];
            if (first + V::kLanes <= args.row_end && !half) {
#pragma GCC unroll 16
                for (int i = 0; i < V::kLanes; ++i) t[i] = V::load(p + i * row_bytes);
            } else {
                for (int i = 0; i < V::kLanes; ++i) {
                    t[i] = V::zero();
                    if (first + i >= args.row_end) continue;
                    if constexpr (kGroupWeights > kI2sBlock) {
                        t[i] = half ? V::load_half(p + i * row_bytes) : V::load(p + i * row_bytes);
                    } else {
                        t[i] = V::load(p + i * row_bytes);
                    }
                }
            }
            V::transpose(t);
            uint8_t* out = codes + ((g - group_begin) * 4 * V::kLanes * kRegs + reg) * V::kBytes;
            constexpr int kNext = kRegs * V::kBytes;  // from one group of four weights to the next
#pragma GCC unroll 16
            for (int j = 0; j < V::kLanes; ++j) {
                V::store(out + (0 * V::kLanes + j) * kNext, V::template field<Layout::shift(0)>(t[j]));
                V::store(out + (1 * V::kLanes + j) * kNext, V::template field<Layout::shift(1)>(t[j]));
                V::store(out + (2 * V::kLanes + j) * kNext, V::template field<Layout::shift(2)>(t[j]));
                V::store(out + (3 * V::kLanes + j) * kNext, V::template field<Layout::shift(3)>(t[j]));
            }
        }
    }
}

// sums[r * kCols + c] += codes of register r times column c, over `steps` groups of four weights (a multiple of
// 4 * kLanes).
// A function of its own, with its sums in a local array that is copied in and out: inlined into its callers, g++ keeps
// the accumulators in memory as well and loses half the speed.
template <class V, int kRegs, int kCols>
[[gnu::noinline]] void tile_dots(const uint8_t* codes, int64_t steps, const int8_t* acts, int64_t act_stride,
                                 typename V::Int* sums) {
    using Int = typename V::Int;
    constexpr int kLineSteps = 16;  // four activations each
    if constexpr (V::kSums16) {
        static_assert(4 * V::kLanes % V::kTileFold == 0);
        for (int64_t begin = 0; begin < steps; begin += V::kTileFold) {
            Int sums16[kRegs][kCols];
#pragma GCC unroll 8
            for (int r = 0; r < kRegs; ++r) {
#pragma GCC unroll 32
                for (int c = 0; c < kCols; ++c) sums16[r][c] = V::zero();
            }
#pragma GCC unroll 1
            for (int i = 0; i < V::kTileFold; ++i) {
                Int code[kRegs];
#pragma GCC unroll 8
                for (int r = 0; r < kRegs; ++r) code[r] = V::load(codes + r * V::kBytes);
#pragma GCC unroll 32
                for (int c = 0; c < kCols; ++c) {
                    const Int four = V::broadcast4(acts + c * act_stride);
#pragma GCC unroll 8
                    for (int r = 0; r < kRegs; ++r) sums16[r][c] = V::dot16(sums16[r][c], code[r], four);
                }
                codes += kRegs * V::kBytes;
                acts += 4;
            }
#pragma GCC unroll 8
            for (int r = 0; r < kRegs; ++r) {
#pragma GCC unroll 32
                for (int c = 0; c < kCols; ++c) {
                    sums[r * kCols + c] = V::add32(sums[r * kCols + c], V::widen16(sums16[r][c]));
                }
            }
        }
    } else {
        Int local[kRegs][kCols];
#pragma GCC unroll 8
        for (int r = 0; r < kRegs; ++r) {
#pragma GCC unroll 32
            for (int c = 0; c < kCols; ++c) local[r][c] = sums[r * kCols + c];
        }
        // One cache line of activations a column at a time, each with a prefetch of the same line of the next tile:
        // short runs of many columns are nothing the hardware sees coming.
#pragma GCC unroll 1
        for (int64_t line = 0; line < steps; line += kLineSteps) {
            const int8_t* next = acts + kCols * act_stride;
#pragma GCC unroll 32
            for (int c = 0; c < kCols; ++c) __builtin_prefetch(next + c * act_stride);
#pragma GCC unroll 1
            for (int s = 0; s < kLineSteps; ++s) {
                Int code[kRegs];
#pragma GCC unroll 8
                for (int r = 0; r < kRegs; ++r) code[r] = V::load(codes + r * V::kBytes);
#pragma GCC unroll 32
                for (int c = 0; c < kCols; ++c) {
                    const Int four = V::broadcast4(acts + c * act_stride);
#pragma GCC unroll 8
                    for (int r = 0; r < kRegs; ++r) {
                        local[r][c] = V::dot32(local[r][c], code[r], four);
                        V::keep(local[r][c]);
                    }
                }
                codes += kRegs * V::kBytes;
                acts += 4;
            }
        }
#pragma GCC unroll 8
        for (int r = 0; r < kRegs; ++r) {
#pragma GCC unroll 32
            for (int c = 0; c < kCols; ++c) sums[r * kCols + c] = local[r][c];
        }
    }
}

// ---- I2_S: int32 sums over the whole of k. ----

// The columns a strip of rows meets between two expansions of the same codes: their sums wait on the stack (24 KiB)
// from one piece of k to the next, not in the output, whose columns lie pages apart.
template <class V, int kRegs, int kMax>
struct Strip {
    using Int = typename V::Int;
    static constexpr int kTiles = kSumBytes / (kRegs * kMax * V::kBytes);
    static constexpr int kCols = kTiles * kMax;
    static constexpr int kGroupWeights = 4 * V::kBytes;
    static constexpr int64_t kGroups = kCodeBytes / (kGroupWeights * kRegs * V::kLanes);  // expanded at a time

    const MulMatArgs& args;
    const ActColumns& columns;
    int64_t row;  // first of kRegs * kLanes
    alignas(64) uint8_t codes[kCodeBytes];
    Int sums[kTiles * kMax * kRegs];

    // Adds k from `begin` on, `steps` groups of four, of kN <= kMax columns to the sums of one tile.
    template <int kN>
    void add_tile(int64_t col, int64_t begin, int64_t steps, Int* tile) {
        tile_dots<V, kRegs, kN>(codes, steps, columns.values(col) + begin, columns.stride, tile);
    }
    template <int kN>
    void write_tile(int64_t col, const Int* tile) {
        for (int c = 0; c < kN; ++c) {
            const ActColumn& header = columns.header(col + c);
            const Int sum = V::set32(header.sum);
            const typename V::Float scale = V::set_float(args.weight_scale / header.act_scale);
            float* out = args.out + (col + c) * args.out_stride + row;
            for (int r = 0; r < kRegs; ++r) {
                const int64_t left = args.row_end - row - r * V::kLanes;
                if (left <= 0) break;
                V::store_lanes(out + r * V::kLanes, V::mul(V::to_float(V::sub32(tile[r * kN + c], sum)), scale),
                               left < V::kLanes ? left : V::kLanes);
            }
        }
    }
    // Calls add_tile or write_tile for n <= kCols columns: whole tiles, then one of the columns left over.
    template <class Whole>
    void for_tiles(int64_t col, int64_t n, Whole visit) {
        Int* tile = sums;
        for (; n >= kMax; n -= kMax, col += kMax, tile += kRegs * kMax) visit(Count<kMax>{}, col, tile);
        static_assert(kMax <= 6);
        switch (n) {
            case 1: visit(Count<1>{}, col, tile); break;
            case 2: visit(Count<2>{}, col, tile); break;
            case 3: visit(Count<3>{}, col, tile); break;
            case 4: visit(Count<4>{}, col, tile); break;
            case 5: visit(Count<5>{}, col, tile); break;
            default: break;
        }
    }
    template <int kN>
    struct Count {
        static constexpr int value = kN;
    };

    // The output lines a tile will write: fetched while it is computed, they lie in other pages than the last ones.
    template <int kN>
    void prefetch_outputs(int64_t col) {
        for (int c = 0; c < kN; ++c) {
            const float* out = args.out + (col + c) * args.out_stride + row;
            for (int r = 0; r < kRegs; ++r) __builtin_prefetch(out + r * V::kLanes, 1);
        }
    }
    // The packed codes of group `group` of the rows from `first` on, into the second-level cache.
    void prefetch_codes(int64_t first, int64_t group) {
        const int64_t row_bytes = I2sFields::row_bytes(args.k);
        const uint8_t* p = static_cast<const uint8_t*>(args.weights) + first * row_bytes + group * V::kBytes;
        for (int i = 0; i < kRegs * V::kLanes; ++i, p += row_bytes) {
            for (int64_t byte = 0; byte < kGroups * V::kBytes; byte += 64) __builtin_prefetch(p + byte, 0, 2);
        }
    }

    void run_columns(int64_t col, int64_t n) {
        for (Int& s : sums) s = V::zero();
        const int64_t n_groups = (args.k + kGroupWeights - 1) / kGroupWeights;
        for (int64_t group = 0; group < n_groups; group += kGroups) {
            const bool last = n_groups - group <= kGroups;
            const int64_t end = last ? n_groups : group + kGroups;
            expand_rows<V, I2sFields, kRegs>(args, row, group, end, codes);
            if (last) {
                prefetch_codes(row + kRegs * V::kLanes, 0);
            } else {
                prefetch_codes(row, end);
            }
            for_tiles(col, n, [&](auto count, int64_t first, Int* tile) {
                constexpr int kN = decltype(count)::value;
                if (last) prefetch_outputs<kN>(first);
                add_tile<kN>(first, group * kGroupWeights, (end - group) * 4 * V::kLanes, tile);
                if (last) write_tile<kN>(first, tile);
            });
        }
    }
};

// Rows row .. row + kRegs * kLanes - 1 (those before row_end) times all columns.
template <class V, int kRegs, int kMax>
void i2s_strip(const MulMatArgs& args, const ActColumns& columns, int64_t row) {
    Strip<V, kRegs, kMax> strip = {args, columns, row, {}, {}};
    for (int64_t col = 0; col < args.n_cols; col += strip.kCols) {
        strip.run_columns(col, args.n_cols - col < strip.kCols ? args.n_cols - col : strip.kCols);
    }
}

// ---- TQ2_0: int32 sums over one block, then floats in 16 lanes of blocks. ----

// kRegs * kLanes rows from `row` times columns col .. col + kCols - 1. The lanes of all outputs (24 KiB for 32 rows x 12
// columns) and one expanded block share the first-level cache; that is why codes are expanded again for every tile.
template <class V, int kRegs, int kCols>
void tq2_tile(const MulMatArgs& args, const ActColumns& columns, int64_t row, int64_t col) {
    using Int = typename V::Int;
    using Float = typename V::Float;
    constexpr int kGroupsPerBlock = kTqBlock / (4 * V::kBytes);
    constexpr int kRows = kRegs * V::kLanes;
    const int64_t row_bytes = Tq2Fields::row_bytes(args.k);
    const int64_t n_rows = args.row_end - row < kRows ? args.row_end - row : kRows;
    alignas(64) uint8_t codes[kTqBlock * kRows];
    Float lanes[16][kRegs * kCols];
    for (auto& lane : lanes) {
        for (Float& value : lane) value = V::zero_float();
    }
    const int64_t n_blocks = args.k / kTqBlock;
    for (int64_t b = 0; b < n_blocks; ++b) {
        expand_rows<V, Tq2Fields, kRegs>(args, row, b * kGroupsPerBlock, (b + 1) * kGroupsPerBlock, codes);
        uint16_t halves[kRows] = {};
        const uint8_t* d_of_row = static_cast<const uint8_t*>(args.weights) + row * row_bytes +
                                  b * static_cast<int64_t>(sizeof(BlockTq2_0)) + offsetof(BlockTq2_0, d);
        for (int64_t i = 0; i < n_rows; ++i) std::memcpy(&halves[i], d_of_row + i * row_bytes, sizeof(uint16_t));
        Int sums[kRegs * kCols];
        for (Int& sum : sums) sum = V::zero();
        tile_dots<V, kRegs, kCols>(codes, kTqBlock / 4, columns.values(col) + b * kActBlock, columns.stride, sums);
        Float* lane = lanes[b % 16];
        for (int r = 0; r < kRegs; ++r) {
            const Float d = V::halves_to_float(halves + r * V::kLanes);
            for (int c = 0; c < kCols; ++c) {
                const Int s = V::sub32(sums[r * kCols + c], V::set32(columns.block_sums(col + c)[b]));
                lane[r * kCols + c] = V::add(lane[r * kCols + c], V::mul(V::to_float(s), d));
            }
        }
    }
    for (int width = 8; width > 0; width /= 2) {
        for (int i = 0; i < width; ++i) {
            for (int v = 0; v < kRegs * kCols; ++v) lanes[i][v] = V::add(lanes[i][v], lanes[i + width][v]);
        }
    }
    for (int c = 0; c < kCols; ++c) {
        const Float scale = V::set_float(1.0f / columns.header(col + c).act_scale);
        for (int r = 0; r < kRegs; ++r) {
            const int64_t left = n_rows - r * V::kLanes;
            if (left <= 0) break;
            V::store_lanes(args.out + (col + c) * args.out_stride + row + r * V::kLanes,
                           V::mul(lanes[0][r * kCols + c], scale), left < V::kLanes ? left : V::kLanes);
        }
    }
}

// All columns of kRegs * kLanes rows: tiles of kCols, the rest in halving sizes.
template <class V, int kRegs, int kCols>
void tq2_tiles(const MulMatArgs& args, const ActColumns& columns, int64_t row, int64_t col) {
    for (; col + kCols <= args.n_cols; col += kCols) tq2_tile<V, kRegs, kCols>(args, columns, row, col);
    if constexpr (kCols > 1) tq2_tiles<V, kRegs, kCols / 2>(args, columns, row, col);
}

}  // namespace
}  // namespace kern
