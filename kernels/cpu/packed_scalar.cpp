// The reference kernels of the packed layouts T5, TL1 and TL2: what packed_layouts.h says, one value at a time. What they compute
// is what the I2_S kernels compute (ternary_kernels.h), bit for bit.
#include <cstring>

#include "kernels/cpu/act_i8.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/packed_layouts.h"

namespace kern {
namespace {

constexpr int kReg = 32;  // positions are those of k then

struct Column {
    float act_scale;
    int32_t sum;
    const int8_t* q;
};

Column column_at(const MulMatArgs& args, int64_t c) {
    const unsigned char* bytes = static_cast<const unsigned char*>(args.acts) + c * act_column_bytes(args.k);
    ActColumn header;
    std::memcpy(&header, bytes, sizeof header);
    return {header.act_scale, header.sum, reinterpret_cast<const int8_t*>(bytes + act_values_offset())};
}

// sum(digit * q) of a row, by the identity of packed_layouts.h, whose two sums fit 64 bits for any row.
int32_t t5_dot(const uint8_t* row, int64_t pieces, const int8_t* q) {
    int64_t sum = 0;
    for (int64_t i = 0; i < (pieces + 4) / 5 * kReg; ++i) {
        unsigned x = row[i];
        for (int64_t piece = i / kReg * 5; piece < i / kReg * 5 + 5 && piece < pieces; ++piece) {
            const unsigned next = 3 * x & 255;
            sum += (3 * static_cast<int>(x) - static_cast<int>(next)) * q[piece * kReg + i % kReg];
            x = next;
        }
    }
    return static_cast<int32_t>(sum / 256);
}

void run_t5(const MulMatArgs& args) {
    const int64_t row_bytes = t5_row_bytes<kReg>(args.k);
    for (int64_t c = 0; c < args.n_cols; ++c) {
        const Column column = column_at(args, c);
        const float scale = args.weight_scale / column.act_scale;
        for (int64_t r = args.row_begin; r < args.row_end; ++r) {
            const int32_t sum = t5_dot(static_cast<const uint8_t*>(args.weights) + r * row_bytes,
                                       packed_pieces<kReg>(args.k), column.q);
            args.out[c * args.out_stride + r] = static_cast<float>(sum - column.sum) * scale;
        }
    }
}

// What entry `index` of a table holds for the activations q: the sum it stands for.
template <class Lut>
int table_value(int index, const int8_t* q) {
    if constexpr (Lut::kWeights == 2) return (index % 4 - 1) * q[0] + (index / 4 - 1) * q[1];
    const int digits = index + 13;  // 9 w0 + 3 w1 + w2 = index, each w -1..1
    return (digits / 9 - 1) * q[0] + (digits / 3 % 3 - 1) * q[1] + (digits % 3 - 1) * q[2];
}

template <class Lut>
void run_lut(const MulMatArgs& args) {
    const int64_t n_tiles = (args.n_rows + kReg - 1) / kReg;
    const int64_t units = lut_units<Lut, kReg>(args.k);
    const uint8_t* const weights = static_cast<const uint8_t*>(args.weights);
    for (int64_t c = 0; c < args.n_cols; ++c) {
        const Column column = column_at(args, c);
        const float scale = args.weight_scale / column.act_scale;
        for (int64_t r = args.row_begin; r < args.row_end; ++r) {
            const int byte = lut_byte_of_row<kReg>(static_cast<int>(r % kReg));
            int32_t sum = 0;
            for (int64_t unit = 0; unit < units; ++unit) {
                const uint8_t* at = weights + lut_offset<Lut, kReg>(args.k, n_tiles, unit / kLutChunkUnits, r / kReg) +
                                    lut_tile_bytes<Lut, kReg>(unit % kLutChunkUnits) + byte;
                for (int e = 0; e < kLutUnitEntries; ++e) {
                    const int64_t first = (unit * kLutUnitEntries + e) * Lut::kWeights;
                    int8_t q[Lut::kWeights] = {};
                    for (int i = 0; i < Lut::kWeights; ++i) q[i] = first + i < args.k ? column.q[first + i] : int8_t{0};
                    const int value = table_value<Lut>(at[e / 2 * kReg] >> (e % 2 * 4) & 15, q);
                    const bool negated = Lut::kWeights == 3 && (at[4 * kReg] >> (7 - e) & 1) != 0;
                    sum += negated ? -value : value;
                }
            }
            args.out[c * args.out_stride + r] = static_cast<float>(sum) * scale;
        }
    }
}

}  // namespace

constinit const MulMatKernel t5_scalar = {.name = "t5_scalar",
                                          .level = "scalar",
                                          .type = QuantType::i2_s,
                                          .needs = CPU_BASE,
                                          .exact = true,
                                          .act = &act_i8_scalar,
                                          .row_tile = 1,
                                          .packed_bytes = t5_packed_bytes<kReg>,
                                          .pack = t5_pack<kReg>,
                                          .run = run_t5,
                                          .layout = WeightLayout::t5};

constinit const MulMatKernel tl1_scalar = {.name = "tl1_scalar",
                                           .level = "scalar",
                                           .type = QuantType::i2_s,
                                           .needs = CPU_BASE,
                                           .exact = true,
                                           .act = &act_i8_scalar,
                                           .row_tile = kReg,
                                           .packed_bytes = lut_packed_bytes<Tl1, kReg>,
                                           .pack = lut_pack<Tl1, kReg>,
                                           .run = run_lut<Tl1>,
                                           .layout = WeightLayout::tl1};

constinit const MulMatKernel tl2_scalar = {.name = "tl2_scalar",
                                           .level = "scalar",
                                           .type = QuantType::i2_s,
                                           .needs = CPU_BASE,
                                           .exact = true,
                                           .act = &act_i8_scalar,
                                           .row_tile = kReg,
                                           .packed_bytes = lut_packed_bytes<Tl2, kReg>,
                                           .pack = lut_pack<Tl2, kReg>,
                                           .run = run_lut<Tl2>,
                                           .layout = WeightLayout::tl2};

}  // namespace kern
