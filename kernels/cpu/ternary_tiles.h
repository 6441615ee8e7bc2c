// Ternary matrix times many columns, the part both types share: rows are unpacked to one byte a code, transposed so
// that a register lane is a row, and every register of codes is used on a tile of columns.
//   codes, as expanded:  [k / 4][rows / kLanes][kLanes rows][4 codes]
//   one tile step:       load kRegs registers of codes; for every column broadcast its four activations and add
//                        code * q of four weights into lane "row" of kRegs accumulators
// Nothing is added across lanes, outputs leave as kLanes neighbouring rows, and the activations stay as they were
// packed (four neighbouring values are together in every order). The order of the k / 4 groups is that of the
// activations. The loops around it: i2s_tiles.h, tq2_tiles.h. Few columns: ternary_direct.h.
#pragma once

#include "kernels/cpu/ternary_layout_fields.h"

namespace kern {
namespace {

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
            const uint8_t* p =
                Layout::template step<V::kBytes>(static_cast<const uint8_t*>(args.weights) + first * row_bytes, g);
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

// Expanded codes and the activations they meet: `steps` groups of four weights, a multiple of 4 * kLanes.
struct TileInput {
    const uint8_t* codes;
    int64_t steps;
    const int8_t* acts;  // of the tile's first column
    int64_t act_stride;
};

// sums[r][c] += codes of register r times column c.
// The callers are functions of their own, and every sum passes V::keep: else g++ keeps the accumulators in memory
// beside the registers and loses half the speed.
template <class V, int kRegs, int kCols>
inline __attribute__((always_inline)) void tile_dots(const TileInput& in, typename V::Int (&sums)[kRegs][kCols]) {
    using Int = typename V::Int;
    constexpr int kLineSteps = 16;  // steps that share a cache line of every column's activations
    const uint8_t* codes = in.codes;
    const int8_t* acts = in.acts;
    const int64_t act_stride = in.act_stride;
#pragma GCC unroll 1
    for (int64_t line = 0; line < in.steps; line += kLineSteps) {
        // The same line of the next tile: short runs of many columns are nothing the hardware sees coming.
        const int8_t* next = acts + kCols * act_stride;
#pragma GCC unroll 32
        for (int c = 0; c < kCols; ++c) __builtin_prefetch(next + c * act_stride);
        if constexpr (V::kSums16) {
            static_assert(kLineSteps <= V::kTileFold);
            Int sums16[kRegs][kCols];
#pragma GCC unroll 8
            for (int r = 0; r < kRegs; ++r) {
#pragma GCC unroll 32
                for (int c = 0; c < kCols; ++c) sums16[r][c] = V::zero();
            }
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
                        sums16[r][c] = V::dot16(sums16[r][c], code[r], four);
                        V::keep(sums16[r][c]);
                    }
                }
                codes += kRegs * V::kBytes;
                acts += 4;
            }
#pragma GCC unroll 8
            for (int r = 0; r < kRegs; ++r) {
#pragma GCC unroll 32
                for (int c = 0; c < kCols; ++c) sums[r][c] = V::add32(sums[r][c], V::widen16(sums16[r][c]));
            }
        } else {
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
                        sums[r][c] = V::dot32(sums[r][c], code[r], four);
                        V::keep(sums[r][c]);
                    }
                }
                codes += kRegs * V::kBytes;
                acts += 4;
            }
        }
    }
}

// tile[r * kN + c]: the sums of a tile so far; with first they begin at 0.
template <class V, int kRegs, int kN>
[[gnu::noinline]] void add_tile(const TileInput& in, bool first, typename V::Int* tile) {
    typename V::Int sums[kRegs][kN];
#pragma GCC unroll 8
    for (int r = 0; r < kRegs; ++r) {
#pragma GCC unroll 32
        for (int c = 0; c < kN; ++c) sums[r][c] = first ? V::zero() : tile[r * kN + c];
    }
    tile_dots<V, kRegs, kN>(in, sums);
#pragma GCC unroll 8
    for (int r = 0; r < kRegs; ++r) {
#pragma GCC unroll 32
        for (int c = 0; c < kN; ++c) tile[r * kN + c] = sums[r][c];
    }
}

// The outputs of kRegs registers of rows from `row` on and n columns from col on, whose weights share one scale.
template <class V, int kRegs>
void write_tile(const MulMatArgs& args, const ActColumns& columns, int64_t row, int64_t col, int n,
                const typename V::Int* tile) {
    for (int c = 0; c < n; ++c) {
        const ActColumn& header = columns.header(col + c);
        const typename V::Int sum = V::set32(header.sum);
        const typename V::Float scale = V::set_float(args.weight_scale / header.act_scale);
        float* out = args.out + (col + c) * args.out_stride + row;
        for (int r = 0; r < kRegs; ++r) {
            const int64_t left = args.row_end - row - r * V::kLanes;
            if (left <= 0) break;
            V::store_lanes(out + r * V::kLanes, V::mul(V::to_float(V::sub32(tile[r * n + c], sum)), scale),
                           left < V::kLanes ? left : V::kLanes);
        }
    }
}

}  // namespace
}  // namespace kern
