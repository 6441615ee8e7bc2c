// Packing of I2_S rows into T5, TL1 and TL2 (packed_layouts.h), and the names of the layouts.
#include "kernels/packed_layouts.h"

#include <array>
#include <cstring>

namespace kern {
namespace {

// ceil(256 v / 243) of five digits; codes 3 are promised not to come, and stay within the table if they do.
constexpr auto kT5Bytes = [] {
    std::array<uint8_t, 243> bytes{};
    for (int v = 0; v < 243; ++v) bytes[static_cast<size_t>(v)] = static_cast<uint8_t>((256 * v + 242) / 243);
    return bytes;
}();

// The codes of a piece of kReg positions of an I2_S row.
template <int kReg>
void codes_of_piece(const uint8_t* row, int64_t row_bytes, int64_t piece, uint8_t* codes) {
    const int64_t first = piece / 4 * kReg;
    const int n = static_cast<int>(row_bytes - first < kReg ? row_bytes - first : kReg);
    const int shift = static_cast<int>(6 - 2 * (piece % 4));
    for (int i = 0; i < n; ++i) codes[i] = row[first + i] >> shift & 3;
    for (int i = n; i < kReg; ++i) codes[i] = 1;
}

struct Tl2Entry {
    uint8_t index;
    uint8_t negated;
};

Tl2Entry tl2_entry(const uint8_t* codes) {
    const int sum = 9 * codes[0] + 3 * codes[1] + codes[2] - 13;
    return {static_cast<uint8_t>(sum < 0 ? -sum : sum), static_cast<uint8_t>(sum < 0 ? 1 : 0)};
}

// One row's bytes of one unit: to[i * kReg] for register i. Returns how many of its entries are negated.
template <class Lut, int kReg>
int pack_unit(const uint8_t* codes, uint8_t* to) {
    if constexpr (Lut::kWeights == 2) {
        for (int i = 0; i < 4; ++i, codes += 4) {
            to[i * kReg] = static_cast<uint8_t>(codes[0] | codes[1] << 2 | codes[2] << 4 | codes[3] << 6);
        }
        return 0;
    } else {
        unsigned signs = 0;
        int n = 0;
        for (int i = 0; i < 4; ++i, codes += 6) {
            const Tl2Entry low = tl2_entry(codes), high = tl2_entry(codes + 3);
            to[i * kReg] = static_cast<uint8_t>(low.index | high.index << 4);
            signs = signs << 2 | static_cast<unsigned>(low.negated << 1 | high.negated);
            n += low.negated + high.negated;
        }
        to[4 * kReg] = static_cast<uint8_t>(signs);
        return n;
    }
}

constexpr const char* kNames[kWeightLayoutCount] = {"i2s", "t5", "tl1", "tl2"};

}  // namespace

template <int kReg>
size_t t5_packed_bytes(int64_t n_rows, int64_t k) {
    return static_cast<size_t>(n_rows) * static_cast<size_t>(t5_row_bytes<kReg>(k));
}

template <int kReg>
void t5_pack(const void* i2s, int64_t, int64_t k, int64_t row_begin, int64_t row_end, void* packed) {
    const int64_t i2s_bytes = k / kI2sBlock * kI2sBlockBytes, bytes = t5_row_bytes<kReg>(k);
    const int64_t pieces = packed_pieces<kReg>(k);
    for (int64_t r = row_begin; r < row_end; ++r) {
        const uint8_t* row = static_cast<const uint8_t*>(i2s) + r * i2s_bytes;
        uint8_t* to = static_cast<uint8_t*>(packed) + r * bytes;
        for (int64_t piece = 0; piece < pieces; piece += 5, to += kReg) {
            uint8_t values[kReg] = {}, codes[kReg];
            for (int64_t n = piece; n < piece + 5; ++n) {
                std::memset(codes, 0, sizeof codes);
                if (n < pieces) codes_of_piece<kReg>(row, i2s_bytes, n, codes);
                for (int i = 0; i < kReg; ++i) {
                    values[i] = static_cast<uint8_t>(values[i] * 3 + (codes[i] > 2 ? 2 : codes[i]));
                }
            }
            for (int i = 0; i < kReg; ++i) to[i] = kT5Bytes[values[i]];
        }
    }
}

template <class Lut, int kReg>
size_t lut_packed_bytes(int64_t n_rows, int64_t k) {
    const int64_t tiles = (n_rows + kReg - 1) / kReg;
    const int64_t counts = Lut::kWeights == 3 ? tiles * kReg * static_cast<int64_t>(sizeof(int32_t)) : 0;
    return static_cast<size_t>(lut_counts_offset<Lut, kReg>(k, tiles) + counts);
}

template <class Lut, int kReg>
void lut_pack(const void* i2s, int64_t n_rows, int64_t k, int64_t row_begin, int64_t row_end, void* packed) {
    // A piece of positions that is whole units and whole pieces, one after the other.
    constexpr int kPieces = 3 * (kReg == 32 ? 4 : 2);  // 384 positions
    constexpr int kUnit = Lut::kWeights * kLutUnitEntries;
    static_assert(kPieces * kReg % kUnit == 0);
    const int64_t i2s_bytes = k / kI2sBlock * kI2sBlockBytes;
    const int64_t pieces = packed_pieces<kReg>(k), units = lut_units<Lut, kReg>(k);
    const int64_t n_tiles = (n_rows + kReg - 1) / kReg;
    uint8_t* const to = static_cast<uint8_t*>(packed);
    const int64_t end = row_end == n_rows ? n_tiles * kReg : row_end;
    for (int64_t r = row_begin; r < end; ++r) {
        const int64_t tile = r / kReg;
        const int byte = lut_byte_of_row<kReg>(static_cast<int>(r % kReg));
        int32_t negated = 0;
        for (int64_t first = 0, unit = 0; unit < units; first += kPieces) {
            uint8_t codes[kPieces * kReg];
            std::memset(codes, 1, sizeof codes);
            for (int64_t n = first; n < first + kPieces && n < pieces && r < n_rows; ++n) {
                codes_of_piece<kReg>(static_cast<const uint8_t*>(i2s) + r * i2s_bytes, i2s_bytes, n,
                                     codes + (n - first) * kReg);
            }
            for (int i = 0; i < kPieces * kReg / kUnit && unit < units; ++i, ++unit) {
                const int64_t offset = lut_offset<Lut, kReg>(k, n_tiles, unit / kLutChunkUnits, tile) +
                                       lut_tile_bytes<Lut, kReg>(unit % kLutChunkUnits);
                negated += pack_unit<Lut, kReg>(codes + i * kUnit, to + offset + byte);
            }
        }
        if constexpr (Lut::kWeights == 3) {
            std::memcpy(to + lut_counts_offset<Lut, kReg>(k, n_tiles) + r * static_cast<int64_t>(sizeof negated),
                        &negated, sizeof negated);
        }
    }
}

template size_t t5_packed_bytes<32>(int64_t, int64_t);
template size_t t5_packed_bytes<64>(int64_t, int64_t);
template void t5_pack<32>(const void*, int64_t, int64_t, int64_t, int64_t, void*);
template void t5_pack<64>(const void*, int64_t, int64_t, int64_t, int64_t, void*);
template size_t lut_packed_bytes<Tl1, 32>(int64_t, int64_t);
template size_t lut_packed_bytes<Tl1, 64>(int64_t, int64_t);
template size_t lut_packed_bytes<Tl2, 32>(int64_t, int64_t);
template size_t lut_packed_bytes<Tl2, 64>(int64_t, int64_t);
template void lut_pack<Tl1, 32>(const void*, int64_t, int64_t, int64_t, int64_t, void*);
template void lut_pack<Tl1, 64>(const void*, int64_t, int64_t, int64_t, int64_t, void*);
template void lut_pack<Tl2, 32>(const void*, int64_t, int64_t, int64_t, int64_t, void*);
template void lut_pack<Tl2, 64>(const void*, int64_t, int64_t, int64_t, int64_t, void*);

const char* weight_layout_name(WeightLayout layout) { return kNames[static_cast<int>(layout)]; }

bool find_weight_layout(const char* name, WeightLayout* out) {
    for (int i = 0; i < kWeightLayoutCount; ++i) {
        if (std::strcmp(name, kNames[i]) != 0) continue;
        *out = static_cast<WeightLayout>(i);
        return true;
    }
    return false;
}

bool weight_layout_takes(WeightLayout layout, int64_t k) { return layout != WeightLayout::t5 || k <= kT5LargestK; }

}  // namespace kern
