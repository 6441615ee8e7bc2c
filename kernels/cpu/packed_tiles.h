// T5, TL1 and TL2 (packed_layouts.h) times many columns: as I2_S in i2s_tiles.h, but that codes are taken out of these layouts. A
// Layout says how:
//   kPiece        positions taken out at a time, so that their codes of kRows rows fit the first-level cache; a multiple of 64 and of
//                 what expand takes out in one step
//   expand(args, row, first, end, codes)   codes of positions [first, end) of the strip's rows as ternary_tiles.h wants them;
//                 rows at or behind row_end may be anything, none is read behind the last one packed
// The including file has its packed_simd_avx.h or packed_simd_pair.h before.
#pragma once

#include "kernels/cpu/ternary_tiles.h"
#include "kernels/packed_layouts.h"

namespace kern {
namespace {

constexpr int kPackedCodeBytes = 32 * 1024;

template <class V, int kRegs>
struct T5Tiles {
    using Int = typename V::Int;
    static constexpr int kGroup = 320;  // whole registers of T5 and whole lines of activations
    static constexpr int64_t kPiece = kPackedCodeBytes / (kRegs * V::kLanes) / kGroup * kGroup;

    static void expand(const MulMatArgs& args, int64_t row, int64_t first, int64_t end, uint8_t* codes) {
        const int64_t row_bytes = t5_row_bytes<V::kBytes>(args.k);
        constexpr int64_t kStep = 5 * V::kBytes;
        constexpr int kNext = kRegs * V::kBytes;  // from one group of four positions to the next
        for (int64_t position = first; position < end; position += kStep) {
#pragma GCC unroll 1
            for (int reg = 0; reg < kRegs; ++reg) {
                const int64_t begin = row + reg * V::kLanes;
                const uint8_t* p = static_cast<const uint8_t*>(args.weights) + begin * row_bytes + position / 5;
                Int x[V::kLanes];
                if (begin + V::kLanes <= args.row_end) {
#pragma GCC unroll 16
                    for (int i = 0; i < V::kLanes; ++i) x[i] = V::load(p + i * row_bytes);
                } else {
                    for (int i = 0; i < V::kLanes; ++i)
                        x[i] = begin + i < args.row_end ? V::load(p + i * row_bytes) : V::zero();
                }
                V::transpose(x);
                uint8_t* out = codes + (position - first) * kRegs * V::kLanes + reg * V::kBytes;
#pragma GCC unroll 16
                for (int j = 0; j < V::kLanes; ++j) {
                    Int v = x[j];
#pragma GCC unroll 5
                    for (int n = 0; n < 5; ++n) {
                        V::store(out + (n * V::kLanes + j) * kNext, t5_digit(v));
                        v = add8(add8(v, v), v);
                    }
                }
            }
        }
    }
};

template <class V, class Lut>
struct LutTiles {
    using Int = typename V::Int;
    static constexpr int kReg = V::kBytes;
    static constexpr int kUnit = Lut::kWeights * kLutUnitEntries;
    static constexpr int64_t kChunk = kUnit * kLutChunkUnits;
    // Pieces end where chunks do.
    static constexpr int64_t kPiece = kChunk / (kReg == 32 ? (kChunk > 1024 ? 2 : 1) : (kChunk > 1024 ? 4 : 2));
    static_assert(kPiece * kReg <= kPackedCodeBytes && kPiece % 64 == 0 && kPiece % kUnit == 0);

    static void expand(const MulMatArgs& args, int64_t row, int64_t first, int64_t end, uint8_t* codes) {
        const int64_t n_tiles = (args.n_rows + kReg - 1) / kReg;
        const int64_t unit = first / kUnit;
        const uint8_t* p = static_cast<const uint8_t*>(args.weights) +
                           lut_offset<Lut, kReg>(args.k, n_tiles, unit / kLutChunkUnits, row / kReg) +
                           lut_tile_bytes<Lut, kReg>(unit % kLutChunkUnits);
        for (int64_t position = first; position < end; position += kUnit) {
            expand_unit(p, codes);
            p += Lut::kUnitRegs * kReg;
            codes += kUnit * kReg;
        }
    }

private:
    static void put(Int a, Int b, Int c, Int d, uint8_t* codes) {
        Int out[4];
        interleave(a, b, c, d, out);
        for (int i = 0; i < 4; ++i) V::store(codes + i * kReg, out[i]);
    }

    static void expand_unit(const uint8_t* p, uint8_t* codes) {
        if constexpr (Lut::kWeights == 2) {
            for (int i = 0; i < 4; ++i, codes += 4 * kReg) {
                const Int packed = V::load(p + i * kReg);
                put(V::template field<0>(packed), V::template field<2>(packed), V::template field<4>(packed),
                    V::template field<6>(packed), codes);
            }
        } else {
            alignas(16) static constexpr int8_t kWeights[3][16] = {
                {0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0},
                {0, 0, 1, 1, 1, -1, -1, -1, 0, 0, 0, 1, 1, 1, 0, 0},
                {0, 1, -1, 0, 1, -1, 0, 1, -1, 0, 1, -1, 0, 1, 0, 0}};
            Int table[3], one;
            for (int w = 0; w < 3; ++w) load_table(table[w], reinterpret_cast<const uint8_t*>(kWeights[w]));
            set_bytes(one, 1);
            Int signs = V::load(p + 4 * kReg);
            Int of[24];
            for (int e = 0; e < 8; ++e) {
                const Int packed = V::load(p + e / 2 * kReg);
                const Int index = e % 2 == 0 ? low_nibbles(packed) : high_nibbles(packed);
                const auto negated = signs_of(signs);
                for (int w = 0; w < 3; ++w) of[3 * e + w] = add8(negated.negate(look_up(table[w], index)), one);
                signs = add8(signs, signs);
            }
            for (int i = 0; i < 6; ++i, codes += 4 * kReg) {
                put(of[4 * i], of[4 * i + 1], of[4 * i + 2], of[4 * i + 3], codes);
            }
        }
    }
};

// One strip: kRegs * kLanes rows, tiles of up to kMax columns; the loops are those of I2sStrip.
template <class V, class Layout, int kRegs, int kMax>
class PackedStrip {
public:
    static constexpr int kRows = kRegs * V::kLanes;

    PackedStrip(const MulMatArgs& args, const ActColumns& columns, int64_t row)
        : args_(args), columns_(columns), row_(row) {}

    void run() {
        const int64_t parts = (args_.n_cols + kCols - 1) / kCols;
        const int64_t part = ((args_.n_cols + parts - 1) / parts + kMax - 1) / kMax * kMax;
        for (int64_t col = 0; col < args_.n_cols; col += part) {
            run_columns(col, args_.n_cols - col < part ? args_.n_cols - col : part);
        }
    }

private:
    using Int = typename V::Int;
    static constexpr int kSumBytes = 24 * 1024;
    static constexpr int kCols = kSumBytes / (kRegs * V::kBytes) / kMax * kMax;

    void run_columns(int64_t col, int64_t n) {
        const int64_t n_positions = packed_pieces<V::kBytes>(args_.k) * V::kBytes;
        for (int64_t first = 0; first < n_positions; first += Layout::kPiece) {
            const bool last = n_positions - first <= Layout::kPiece;
            const int64_t end = last ? n_positions : first + Layout::kPiece;
            Layout::expand(args_, row_, first, end, codes_);
            for_tiles<kMax>(col, n, [&](auto count, int64_t tile_col, int64_t done) {
                constexpr int kN = decltype(count)::value;
                Int* tile = sums_ + done * kRegs;
                const TileInput in = {codes_, (end - first) / 4, columns_.values(tile_col) + first, columns_.stride};
                add_tile<V, kRegs, kN>(in, first == 0, tile);
                if (last) write_tile<V, kRegs>(args_, columns_, row_, tile_col, kN, tile);
            });
        }
    }

    const MulMatArgs& args_;
    const ActColumns& columns_;
    int64_t row_;
    alignas(64) uint8_t codes_[Layout::kPiece * kRows];
    alignas(64) Int sums_[kCols * kRegs];
};

// All rows of a call in strips.
template <class V, class Layout, int kRegs, int kMax>
void packed_strips(const MulMatArgs& args) {
    const ActColumns columns(args);
    using Strip = PackedStrip<V, Layout, kRegs, kMax>;
    for (int64_t row = args.row_begin; row < args.row_end; row += Strip::kRows) Strip(args, columns, row).run();
}

}  // namespace
}  // namespace kern
