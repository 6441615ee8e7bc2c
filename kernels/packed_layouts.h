// Ternary matrices packed at load from I2_S rows, denser or for look-ups: sizes, pictures and packing. They hold codes 0, 1
// and 2 only (ternary_codes_valid).
//
// Positions. All three follow the activations as a kernel has them (act_i8.h): in pieces of kReg bytes, 32 for the order "i8",
// 64 for "i8x64". Position p of piece j = p / kReg is field j % 4 of byte p % kReg of the I2_S row's register j / 4. Where a row ends
// within its last register, positions behind the row are weights 0.
//
// T5: five weights in a byte, 1.6 bits a weight. Byte i of register s of a row holds positions (5s + n) kReg + i, n = 0..4, as
// the digits of v in base 3, n = 0 the most significant, and is x0 = ceil(256 v / 243). With x(n+1) = 3 x(n) mod 256 digit n is
// (3 x(n) - x(n+1)) / 256. So  sum of digit * a = (3 sum of x(n) a(n) - sum of x(n+1) a(n)) / 256  and no digit needs to be
// taken out. Positions past the last piece are digits 0.
//
// TL1 and TL2: tiles of kReg rows, a byte position for each row, so that one table serves a whole register. Entry e of a row is the
// weights of positions 2e, 2e + 1 (TL1) or 3e .. 3e + 2 (TL2), eight entries are a unit:
//   register i = 0..3 of a unit   bits 3:0 of every byte: the index of entry 2i; bits 7:4: of entry 2i + 1
//   register 4, TL2 only          bit 7 - e of every byte: 1 where the sum of entry e is to be negated
//   TL1 index  code of the first position + 4 * code of the second: a byte is four codes, the first lowest
//   TL2 index  |9 w0 + 3 w1 + w2|, 0..13; negated where that sum is below 0
// 64 units are a chunk, for whose tables there is room in the first-level cache. In memory: chunk by chunk, in each tile by tile, in each
// unit by unit. TL2 has an int32 for each row behind all that: how many of its entries are negated, since sums are negated as
// -x = ~x + 1.
// Rows that make the last tile whole are weights 0. Row r of a tile is at byte lut_byte_of_row(r).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/mul_mat_kernel.h"
#include "kernels/ternary_layouts.h"

namespace kern {

// A T5 product keeps 256 * sum in each of 8 or 16 int32 lanes: 256 * 254 * k / 8 < 2^31.
inline constexpr int64_t kT5LargestK = int64_t{1} << 18;

// static: files built for wide instruction sets must not lend their copies to the rest of the program.
template <int kReg>
static constexpr int64_t packed_pieces(int64_t k) {
    return kReg == 32 ? k / 32 : (k + 255) / 256 * 4;
}
template <int kReg>
static constexpr int64_t t5_row_bytes(int64_t k) {
    return (packed_pieces<kReg>(k) + 4) / 5 * kReg;
}

inline constexpr int kLutUnitEntries = 8;
inline constexpr int64_t kLutChunkUnits = 64;

struct Tl1 {
    static constexpr int kWeights = 2;  // of an entry
    static constexpr int kUnitRegs = 4;
};
struct Tl2 {
    static constexpr int kWeights = 3;
    static constexpr int kUnitRegs = 5;
};

template <class Lut, int kReg>
static constexpr int64_t lut_units(int64_t k) {
    constexpr int64_t kUnit = Lut::kWeights * kLutUnitEntries;
    return (packed_pieces<kReg>(k) * kReg + kUnit - 1) / kUnit;
}
template <class Lut, int kReg>
static constexpr int64_t lut_tile_bytes(int64_t units) {
    return units * Lut::kUnitRegs * kReg;
}
// Where the codes of a tile begin within chunk `chunk` of a matrix of n_tiles tiles, and where the counts of TL2 do.
template <class Lut, int kReg>
static constexpr int64_t lut_offset(int64_t k, int64_t n_tiles, int64_t chunk, int64_t tile) {
    const int64_t left = lut_units<Lut, kReg>(k) - chunk * kLutChunkUnits;
    const int64_t units = left < kLutChunkUnits ? left : kLutChunkUnits;
    return lut_tile_bytes<Lut, kReg>(chunk * kLutChunkUnits * n_tiles + units * tile);
}
template <class Lut, int kReg>
static constexpr int64_t lut_counts_offset(int64_t k, int64_t n_tiles) {
    return lut_tile_bytes<Lut, kReg>(lut_units<Lut, kReg>(k) * n_tiles);
}
// Interleaving four registers of bytes as 32-bit lanes, as AVX does it, then gives rows in order.
template <int kReg>
static constexpr int lut_byte_of_row(int row) {
    constexpr int kLanes = kReg / 4;
    return row / kLanes * 4 + row % kLanes / 4 * 16 + row % 4;
}

// MulMatKernel::packed_bytes and ::pack; kReg 32 and 64. TL1 and TL2: rows in whole tiles.
template <int kReg>
size_t t5_packed_bytes(int64_t n_rows, int64_t k);
template <int kReg>
void t5_pack(const void* i2s, int64_t n_rows, int64_t k, int64_t row_begin, int64_t row_end, void* packed);
template <class Lut, int kReg>
size_t lut_packed_bytes(int64_t n_rows, int64_t k);
template <class Lut, int kReg>
void lut_pack(const void* i2s, int64_t n_rows, int64_t k, int64_t row_begin, int64_t row_end, void* packed);

// "i2s" (stored), "t5", "tl1", "tl2": as in the ABI and options. False for another name.
const char* weight_layout_name(WeightLayout layout);
bool find_weight_layout(const char* name, WeightLayout* out);
// Whether an I2_S matrix with rows of k weights (in whole blocks) can be packed so.
bool weight_layout_takes(WeightLayout layout, int64_t k);

}  // namespace kern
