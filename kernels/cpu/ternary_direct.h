// Ternary matrix times a few columns: packed codes go straight from memory into dot products, no row is stored
// unpacked. For one column the run is bound by reading the weights, so the code is arranged around the memory:
//  - a call's rows are cut into 2 or 4 contiguous parts and one row of each is walked together. The parts are far
//    apart; neighbouring rows in flight are slower than one row alone, their short jumps defeat the hardware
//    prefetcher;
//  - every stream prefetches 2 KiB ahead (into the rows that follow; past the end a prefetch does nothing);
//  - codes are masked in place where that saves shifts (the vocabulary's Dot).
// Vocabulary V: ternary_simd_avx2.h, _avxvnni.h, _avx512vnni.h, _neon.h, _dotprod.h. Many columns: ternary_tiles.h.
#pragma once

#include "kernels/cpu/row_pieces.h"
#include "kernels/cpu/ternary_layout_fields.h"

namespace kern {
namespace {

constexpr int64_t kPrefetchAhead = 2048;

inline void prefetch_ahead(const uint8_t* p) {
    __builtin_prefetch(p + kPrefetchAhead);
}

// One register of codes of kRows rows times kCols columns. Where there are registers enough (V::kShareActs) the
// activations are loaded once for all rows; else one row follows the other and has all its fields in registers.
template <class V, int kField, int kRows, int kCols, class Dot>
inline __attribute__((always_inline)) void step_field(Dot (&dots)[kRows][kCols],
                                                      const typename Dot::Fields (&fields)[kRows], const int8_t* acts,
                                                      int64_t act_stride) {
#pragma GCC unroll 8
    for (int c = 0; c < kCols; ++c) {
        const typename V::Int a = V::load(acts + c * act_stride + kField * V::kBytes);
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) dots[r][c].template step<kField>(fields[r], a);
    }
}

// The same for four rows, whose fields are taken out one at a time: codes, one field of each, sixteen sums and a register
// of activations are all in registers at once.
template <class V, int kField, int kRows, int kCols, class Dot>
inline __attribute__((always_inline)) void step_one_field(Dot (&dots)[kRows][kCols],
                                                          const typename V::Int (&packed)[kRows], const int8_t* acts,
                                                          int64_t act_stride) {
    typename V::Int fields[kRows];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) fields[r] = Dot::template field<kField>(packed[r]);
#pragma GCC unroll 8
    for (int c = 0; c < kCols; ++c) {
        const typename V::Int a = V::load(acts + c * act_stride + kField * V::kBytes);
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) dots[r][c].template add<kField>(fields[r], a);
    }
}

template <class V, int kCols, class Dot>
inline __attribute__((always_inline)) void step_row(Dot (&dots)[kCols], typename V::Int packed, const int8_t* acts,
                                                    int64_t act_stride) {
    const typename Dot::Fields fields(packed);
#pragma GCC unroll 8
    for (int c = 0; c < kCols; ++c) {
        const int8_t* p = acts + c * act_stride;
        dots[c].template step<0>(fields, V::load(p));
        dots[c].template step<1>(fields, V::load(p + V::kBytes));
        dots[c].template step<2>(fields, V::load(p + 2 * V::kBytes));
        dots[c].template step<3>(fields, V::load(p + 3 * V::kBytes));
    }
}

template <class V, int kRows, int kCols, class Dot>
inline __attribute__((always_inline)) void step_rows(Dot (&dots)[kRows][kCols], const typename V::Int (&packed)[kRows],
                                                     const int8_t* acts, int64_t act_stride) {
    if constexpr (V::kShareActs && kRows == 4 && kCols > 1) {
        step_one_field<V, 0>(dots, packed, acts, act_stride);
        step_one_field<V, 1>(dots, packed, acts, act_stride);
        step_one_field<V, 2>(dots, packed, acts, act_stride);
        step_one_field<V, 3>(dots, packed, acts, act_stride);
    } else if constexpr (V::kShareActs && kRows == 2 && kCols > 2) {
        const typename Dot::Fields fields[2] = {typename Dot::Fields(packed[0]), typename Dot::Fields(packed[1])};
        step_field<V, 0>(dots, fields, acts, act_stride);
        step_field<V, 1>(dots, fields, acts, act_stride);
        step_field<V, 2>(dots, fields, acts, act_stride);
        step_field<V, 3>(dots, fields, acts, act_stride);
    } else {
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) step_row<V>(dots[r], packed[r], acts, act_stride);
    }
}

constexpr int power_of_two_from(int n) {
    int p = 1;
    while (p < n) p *= 2;
    return p;
}

// sums[r * kCols + c] = sum(code * q) of the row at rows[r] and the column at acts + c * act_stride.
template <class V, int kRows, int kCols>
inline void i2s_dots(const uint8_t* const (&rows)[kRows], const int8_t* acts, int64_t act_stride, int64_t k,
                     int32_t (&sums)[power_of_two_from(kRows * kCols)]) {
    using Dot = typename V::template DotFor<I2sFields, kCols>;
    constexpr int kStepWeights = 4 * V::kBytes;
    Dot dots[kRows][kCols];
    const int64_t steps = k / kStepWeights;
    for (int64_t begin = 0; begin < steps; begin += V::kDirectFold) {
        const int64_t end = steps - begin < V::kDirectFold ? steps : begin + V::kDirectFold;
#pragma GCC unroll 1
        for (int64_t s = begin; s < end; ++s) {
            typename V::Int packed[kRows];
#pragma GCC unroll 4
            for (int r = 0; r < kRows; ++r) {
                const uint8_t* p = rows[r] + s * V::kBytes;
                prefetch_ahead(p);
                packed[r] = V::load(p);
            }
            step_rows<V>(dots, packed, acts + s * kStepWeights, act_stride);
        }
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
            for (int c = 0; c < kCols; ++c) dots[r][c].fold();
        }
    }
    if constexpr (kStepWeights > kI2sBlock) {
        if (k % kStepWeights != 0) {  // one last block of 128: half a register; the activations are padded with zeros
#pragma GCC unroll 4
            for (int r = 0; r < kRows; ++r) {
                step_row<V>(dots[r], V::load_half(rows[r] + steps * V::kBytes), acts + steps * kStepWeights,
                            act_stride);
            }
        }
    }
    constexpr int kTotals = power_of_two_from(kRows * kCols);
    static_assert(kTotals <= 16, "add_lanes takes no more");
    typename V::Int totals[kTotals];
#pragma GCC unroll 16
    for (int i = 0; i < kTotals; ++i) totals[i] = i < kRows * kCols ? dots[i / kCols][i % kCols].total() : V::zero();
    V::add_lanes(totals, sums);
}

// Rows row, row + part, ... (kRows of them) times columns col .. col + kCols - 1.
template <class V, int kRows, int kCols>
inline void i2s_direct_rows(const MulMatArgs& args, const ActColumns& columns, int64_t row, int64_t part, int64_t col,
                            const float (&scales)[kCols]) {
    const int64_t row_bytes = I2sFields::row_bytes(args.k);
    const uint8_t* rows[kRows];
    for (int r = 0; r < kRows; ++r) {
        rows[r] = static_cast<const uint8_t*>(args.weights) + (row + r * part) * row_bytes;
    }
    int32_t sums[power_of_two_from(kRows * kCols)];
    i2s_dots<V, kRows, kCols>(rows, columns.values(col), columns.stride, args.k, sums);
    for (int c = 0; c < kCols; ++c) {
        const int32_t sum = columns.header(col + c).sum;
        float* out = args.out + (col + c) * args.out_stride + row;
        for (int r = 0; r < kRows; ++r) out[r * part] = static_cast<float>(sums[r * kCols + c] - sum) * scales[c];
    }
}

template <class V, int kCols>
void i2s_direct(const MulMatArgs& args, int64_t col) {
    constexpr int kStreams = V::direct_streams(kCols);
    const ActColumns columns(args);
    float scales[kCols];
    for (int c = 0; c < kCols; ++c) scales[c] = args.weight_scale / columns.header(col + c).act_scale;
    const int64_t part = (args.row_end - args.row_begin) / kStreams;
    for (int64_t i = 0; i < part; ++i) {
        i2s_direct_rows<V, kStreams, kCols>(args, columns, args.row_begin + i, part, col, scales);
    }
    for (int64_t row = args.row_begin + part * kStreams; row < args.row_end; ++row) {
        i2s_direct_rows<V, 1, kCols>(args, columns, row, 0, col, scales);
    }
}

// Rows row, row + part, ... times columns col .. col + kCols - 1, sixteen blocks at a time: their dot products stay
// spread over the lanes of a register each until all sixteen are added up together.
template <class V, int kRows, int kCols>
inline void tq2_direct_rows(const MulMatArgs& args, const ActColumns& columns, int64_t row, int64_t part, int64_t col,
                            const float (&scales)[kCols]) {
    const int64_t row_bytes = Tq2Fields::row_bytes(args.k);
    const int64_t n_blocks = args.k / kTqBlock;
    const uint8_t* rows[kRows];
    for (int r = 0; r < kRows; ++r) {
        rows[r] = static_cast<const uint8_t*>(args.weights) + (row + r * part) * row_bytes;
    }
    using BlockDot = typename V::template BlockDot<Tq2Fields>;
    using Float = typename V::Float;
    constexpr int kLaneRegs = 16 / V::kLanes;
    Float lanes[kRows][kCols][kLaneRegs];
    for (auto& of_row : lanes) {
        for (auto& of_output : of_row) {
            for (Float& lane : of_output) lane = V::zero_float();
        }
    }
    typename V::Int dots[kRows][kCols][16];  // kRows * kCols KiB at most: 16 KiB
    uint16_t halves[kRows][16] = {};
    for (int64_t first = 0; first < n_blocks; first += 16) {
        const int n = static_cast<int>(n_blocks - first < 16 ? n_blocks - first : 16);
        for (int b = 0; b < n; ++b) {
            BlockDot block_dots[kRows][kCols];
            const uint8_t* block[kRows];
#pragma GCC unroll 4
            for (int r = 0; r < kRows; ++r) {
                block[r] = rows[r] + (first + b) * static_cast<int64_t>(sizeof(BlockTq2_0));
                prefetch_ahead(block[r]);
                std::memcpy(&halves[r][b], block[r] + offsetof(BlockTq2_0, d), sizeof(uint16_t));
            }
            const int8_t* acts = columns.values(col) + (first + b) * kActBlock;
#pragma GCC unroll 2
            for (int i = 0; i < V::kBlockRegs; ++i) {
                typename V::Int packed[kRows];
#pragma GCC unroll 4
                for (int r = 0; r < kRows; ++r) packed[r] = V::load(block[r] + i * V::kBytes);
                step_rows<V>(block_dots, packed, acts + i * 4 * V::kBytes, columns.stride);
            }
#pragma GCC unroll 4
            for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
                for (int c = 0; c < kCols; ++c) {
                    block_dots[r][c].fold();
                    dots[r][c][b] = block_dots[r][c].total();
                }
            }
        }
        // Blocks that do not exist add float(0 - 0) * 0 = +0 to their lanes, which changes none: a lane is never -0,
        // since all start at +0. (The block sums are padded with zeros to a multiple of sixteen.)
        for (int r = 0; r < kRows; ++r) {
            for (int b = n; b < 16; ++b) halves[r][b] = 0;
            for (int c = 0; c < kCols; ++c) {
                for (int b = n; b < 16; ++b) dots[r][c][b] = V::zero();
                int32_t sums[16];
                V::add_lanes(dots[r][c], sums);
                const int32_t* act_sums = columns.block_sums(col + c) + first;
#pragma GCC unroll 2
                for (int i = 0; i < kLaneRegs; ++i) {
                    const typename V::Int s =
                        V::sub32(V::load(sums + i * V::kLanes), V::load(act_sums + i * V::kLanes));
                    const Float d = V::halves_to_float(halves[r] + i * V::kLanes);
                    lanes[r][c][i] = V::add(lanes[r][c][i], V::mul(V::to_float(s), d));
                }
            }
        }
    }
    for (int r = 0; r < kRows; ++r) {
        for (int c = 0; c < kCols; ++c) {
            args.out[(col + c) * args.out_stride + row + r * part] = V::add_16_lanes(lanes[r][c]) * scales[c];
        }
    }
}

template <class V, int kCols>
void tq2_direct(const MulMatArgs& args, int64_t col) {
    constexpr int kStreams = V::block_streams(kCols);
    const ActColumns columns(args);
    float scales[kCols];
    for (int c = 0; c < kCols; ++c) scales[c] = 1.0f / columns.header(col + c).act_scale;
    const int64_t part = (args.row_end - args.row_begin) / kStreams;
    for (int64_t i = 0; i < part; ++i) {
        tq2_direct_rows<V, kStreams, kCols>(args, columns, args.row_begin + i, part, col, scales);
    }
    for (int64_t row = args.row_begin + part * kStreams; row < args.row_end; ++row) {
        tq2_direct_rows<V, 1, kCols>(args, columns, row, 0, col, scales);
    }
}

// All columns, in passes of up to kMax columns and about equal widths.
template <int kMax, class Pass>
inline void direct_passes(const MulMatArgs& args, int64_t row_bytes, const Pass& pass) {
    for_row_pieces(args, row_bytes, args.n_cols > kMax, [&](const MulMatArgs& part) {
        for_tiles<kMax>(0, args.n_cols, [&](auto count, int64_t col, int64_t) { pass(count, part, col); });
    });
}

// Up to these many columns the passes here are faster than unpacking the rows for ternary_tiles.h: measured at every
// level, the cross-over lies a little above.
constexpr int64_t kI2sDirectCols = 16;
constexpr int64_t kTq2DirectCols = 7;

template <class V>
void i2s_direct_any(const MulMatArgs& args) {
    direct_passes<V::kDirectCols>(
        args, I2sFields::row_bytes(args.k),
        [](auto count, const MulMatArgs& part, int64_t col) { i2s_direct<V, decltype(count)::value>(part, col); });
}

template <class V>
void tq2_direct_any(const MulMatArgs& args) {
    direct_passes<4>(args, Tq2Fields::row_bytes(args.k), [](auto count, const MulMatArgs& part, int64_t col) {
        tq2_direct<V, decltype(count)::value>(part, col);
    });
}

}  // namespace
}  // namespace kern
