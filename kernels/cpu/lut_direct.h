// TL1 and TL2 (packed_layouts.h) times a few columns: for every entry a table of sixteen sums is made of the activations, and a
// register of indices - one of each row of a tile - looks its sums up, low and high bytes one by one. A chunk of tables lies
// in the first-level cache while all rows of the call pass by, a tile or two far apart at a time (V::kLutTiles); between chunks
// a row's sum waits in the output.
// The including file has its packed_simd_avx.h or packed_simd_pair.h before.
// Sums of an entry are -381..508 (unchecked codes 3 in TL1 included), those of 64 entries fit int16.
#pragma once

#include "kernels/cpu/ternary_direct.h"
#include "kernels/packed_layouts.h"

namespace kern {
namespace {

constexpr int kTableBytes = 32;  // of an entry: sixteen low bytes, sixteen high ones
constexpr int64_t kLutFoldUnits = 8;
static_assert(kLutFoldUnits * kLutUnitEntries * 508 <= 32767);

// Weight i of index 0..15.
template <class Lut>
constexpr int lut_weight(int index, int i) {
    if (Lut::kWeights == 2) return (i == 0 ? index % 4 : index / 4) - 1;
    const int digits = index + 13;  // above 26 no index, and no digit
    return digits > 26 ? 0 : (i == 0 ? digits / 9 : i == 1 ? digits / 3 % 3 : digits % 3) - 1;
}
template <class Lut>
struct LutWeights {
    alignas(32) int16_t of[Lut::kWeights][16];
    constexpr LutWeights() : of() {
        for (int i = 0; i < Lut::kWeights; ++i) {
            for (int index = 0; index < 16; ++index) of[i][index] = static_cast<int16_t>(lut_weight<Lut>(index, i));
        }
    }
};

// Tables of entries [entry, entry + n), whose activations begin at q; behind the last of n_values they are 0.
template <class Lut>
inline void make_tables(const int8_t* q, int64_t n_values, int64_t n, uint8_t* tables) {
    static constexpr LutWeights<Lut> kWeights;
    for (int64_t e = 0; e < n; ++e) {
        TableSums sums;
        for (int i = 0; i < Lut::kWeights; ++i) {
            const int64_t at = e * Lut::kWeights + i;
            sums.add(kWeights.of[i], at < n_values ? q[at] : int8_t{0});
        }
        sums.store(tables + e * kTableBytes);
    }
}

// A unit of kTiles tiles.
template <class V, class Lut, int kTiles>
inline __attribute__((always_inline)) void add_unit(const uint8_t* const (&codes)[kTiles], const uint8_t* tables,
                                                    LutSums<V> (&sums)[kTiles]) {
    using Int = typename V::Int;
    Int signs[kTiles];
    if constexpr (Lut::kWeights == 3) {
#pragma GCC unroll 2
        for (int t = 0; t < kTiles; ++t) signs[t] = V::load(codes[t] + 4 * V::kBytes);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        Int packed[kTiles];
#pragma GCC unroll 2
        for (int t = 0; t < kTiles; ++t) packed[t] = V::load(codes[t] + i * V::kBytes);
#pragma GCC unroll 2
        for (int half = 0; half < 2; ++half) {
            Int low_table, high_table;
            load_table(low_table, tables + (2 * i + half) * kTableBytes);
            load_table(high_table, tables + (2 * i + half) * kTableBytes + 16);
#pragma GCC unroll 2
            for (int t = 0; t < kTiles; ++t) {
                const Int index = half == 0 ? low_nibbles(packed[t]) : high_nibbles(packed[t]);
                Int low = look_up(low_table, index), high = look_up(high_table, index);
                if constexpr (Lut::kWeights == 3) {
                    const auto negated = signs_of(signs[t]);
                    low = negated.flip(low);
                    high = negated.flip(high);
                    signs[t] = add8(signs[t], signs[t]);
                }
                sums[t].add(low, high);
            }
        }
    }
}

// by_row[t][r]: sum of `units` units of row r of tile t, codes as they lie at codes[t].
template <class V, class Lut, int kTiles>
inline void add_chunk(const uint8_t* const (&codes)[kTiles], const uint8_t* tables, int64_t units,
                      int32_t (&by_row)[kTiles][V::kBytes]) {
    typename V::Int sums[kTiles][4];
    for (auto& of_tile : sums) {
        for (auto& sum : of_tile) sum = V::zero();
    }
    LutSums<V> sums16[kTiles];
    for (int64_t begin = 0; begin < units; begin += kLutFoldUnits) {
        const int64_t end = units - begin < kLutFoldUnits ? units : begin + kLutFoldUnits;
#pragma GCC unroll 1
        for (int64_t unit = begin; unit < end; ++unit) {
            const uint8_t* at[kTiles];
#pragma GCC unroll 2
            for (int t = 0; t < kTiles; ++t) {
                at[t] = codes[t] + lut_tile_bytes<Lut, V::kBytes>(unit);
                for (int line = 0; line < Lut::kUnitRegs * V::kBytes; line += 64) prefetch_ahead(at[t] + line);
            }
            add_unit<V, Lut, kTiles>(at, tables + unit * kLutUnitEntries * kTableBytes, sums16);
        }
#pragma GCC unroll 2
        for (int t = 0; t < kTiles; ++t) sums16[t].fold(sums[t]);
    }
    for (int t = 0; t < kTiles; ++t) {
        int32_t by_byte[V::kBytes];
        for (int i = 0; i < 4; ++i) {
            int32_t lanes[V::kLanes];
            V::store(lanes, sums[t][i]);
            for (int lane = 0; lane < V::kLanes; ++lane) by_byte[LutSums<V>::position(i, lane)] = lanes[lane];
        }
        for (int r = 0; r < V::kBytes; ++r) by_row[t][r] = by_byte[lut_byte_of_row<V::kBytes>(r)];
    }
}

// One chunk of one column over the tiles of a call.
template <class V, class Lut>
class LutPass {
public:
    static constexpr int kReg = V::kBytes;

    LutPass(const MulMatArgs& args, int64_t chunk, int64_t col, const uint8_t* tables)
        : args_(args), chunk_(chunk), col_(col), tables_(tables), n_tiles_((args.n_rows + kReg - 1) / kReg) {
        const int64_t left = lut_units<Lut, kReg>(args.k) - chunk * kLutChunkUnits;
        last_ = left <= kLutChunkUnits;
        units_ = last_ ? left : kLutChunkUnits;
        scale_ = args.weight_scale / ActColumns(args).header(col).act_scale;
    }

    void run() {
        const int64_t begin = args_.row_begin / kReg, end = (args_.row_end + kReg - 1) / kReg;
        if constexpr (V::kLutTiles == 2) {
            const int64_t part = (end - begin) / 2;
            for (int64_t i = 0; i < part; ++i) tiles<2>({begin + i, begin + part + i});
            if ((end - begin) % 2 != 0) tiles<1>({end - 1});
        } else {
            for (int64_t tile = begin; tile < end; ++tile) tiles<1>({tile});
        }
    }

private:
    template <int kTiles>
    void tiles(const int64_t (&tile)[kTiles]) {
        const uint8_t* codes[kTiles];
        for (int t = 0; t < kTiles; ++t) {
            codes[t] =
                static_cast<const uint8_t*>(args_.weights) + lut_offset<Lut, kReg>(args_.k, n_tiles_, chunk_, tile[t]);
        }
        int32_t sums[kTiles][kReg];
        add_chunk<V, Lut, kTiles>(codes, tables_, units_, sums);
        for (int t = 0; t < kTiles; ++t) finish(tile[t] * kReg, sums[t]);
    }

    // Floats have room for the int32 sums of earlier chunks.
    void finish(int64_t row, int32_t (&sums)[kReg]) {
        const int64_t n = args_.row_end - row < kReg ? args_.row_end - row : kReg;
        float* out = args_.out + col_ * args_.out_stride + row;
        int32_t earlier[kReg] = {};
        if (chunk_ > 0) std::memcpy(earlier, out, static_cast<size_t>(n) * sizeof(int32_t));
        for (int i = 0; i < kReg; ++i) sums[i] += earlier[i];
        if (last_ && Lut::kWeights == 3) {
            std::memcpy(earlier,
                        static_cast<const uint8_t*>(args_.weights) + lut_counts_offset<Lut, kReg>(args_.k, n_tiles_) +
                            row * static_cast<int64_t>(sizeof(int32_t)),
                        sizeof earlier);
            for (int i = 0; i < kReg; ++i) sums[i] += earlier[i];
        }
        if (!last_) {
            std::memcpy(out, sums, static_cast<size_t>(n) * sizeof(int32_t));
            return;
        }
        for (int64_t i = 0; i < n; ++i) out[i] = static_cast<float>(sums[i]) * scale_;
    }

    const MulMatArgs& args_;
    int64_t chunk_;
    int64_t col_;
    const uint8_t* tables_;
    int64_t n_tiles_;
    int64_t units_;
    bool last_;
    float scale_;
};

// Up to so many columns; more are better served by codes taken out once (packed_tiles.h).
constexpr int64_t kLutDirectCols = 4;

template <class V, class Lut>
void lut_direct_any(const MulMatArgs& args) {
    alignas(64) uint8_t tables[kLutChunkUnits * kLutUnitEntries * kTableBytes];
    const ActColumns columns(args);
    const int64_t units = lut_units<Lut, V::kBytes>(args.k);
    const int64_t n_values = packed_pieces<V::kBytes>(args.k) * V::kBytes;
    for (int64_t chunk = 0; chunk * kLutChunkUnits < units; ++chunk) {
        const int64_t left = units - chunk * kLutChunkUnits;
        const int64_t entries = (left < kLutChunkUnits ? left : kLutChunkUnits) * kLutUnitEntries;
        const int64_t first = chunk * kLutChunkUnits * kLutUnitEntries * Lut::kWeights;
        for (int64_t col = 0; col < args.n_cols; ++col) {
            make_tables<Lut>(columns.values(col) + first, n_values - first, entries, tables);
            LutPass<V, Lut>(args, chunk, col, tables).run();
        }
    }
}

}  // namespace
}  // namespace kern
