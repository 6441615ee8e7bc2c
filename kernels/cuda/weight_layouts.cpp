// The fields of every type's blocks, and their distribution over planes.
#include "kernels/cuda/weight_layouts.h"

#include <cstring>

#include "kernels/block_layouts.h"
#include "kernels/ternary_layouts.h"

namespace kern::gpu {
namespace {

struct Field {
    int at, bytes;  // within a block
};

struct Layout {
    QuantType type;
    int block_bytes;  // of what is distributed: for TQ1_0 a block of TQ2_0
    int n_fields;
    Field fields[kMaxPlanes];
};

// clang-format off
#define FIELD(Block, name) {static_cast<int>(offsetof(Block, name)), static_cast<int>(sizeof(Block::name))}
// clang-format on

constexpr Layout kLayouts[] = {
    {QuantType::f32, 4, 1, {{0, 4}}},
    {QuantType::f16, 2, 1, {{0, 2}}},
    {QuantType::bf16, 2, 1, {{0, 2}}},
    {QuantType::i2_s, kI2sBlockBytes, 1, {{0, kI2sBlockBytes}}},
    {QuantType::tq2_0, sizeof(BlockTq2_0), 2, {FIELD(BlockTq2_0, qs), FIELD(BlockTq2_0, d)}},
    {QuantType::tq1_0, sizeof(BlockTq2_0), 2, {FIELD(BlockTq2_0, qs), FIELD(BlockTq2_0, d)}},
    {QuantType::q8_0, sizeof(BlockQ8_0), 2, {FIELD(BlockQ8_0, q), FIELD(BlockQ8_0, d)}},
    {QuantType::q4_0, sizeof(BlockQ4_0), 2, {FIELD(BlockQ4_0, q), FIELD(BlockQ4_0, d)}},
    {QuantType::q4_1, sizeof(BlockQ4_1), 3, {FIELD(BlockQ4_1, q), FIELD(BlockQ4_1, d), FIELD(BlockQ4_1, m)}},
    {QuantType::q1_0, sizeof(BlockQ1_0), 2, {FIELD(BlockQ1_0, q), FIELD(BlockQ1_0, d)}},
    {QuantType::q2_0, sizeof(BlockQ2_0), 2, {FIELD(BlockQ2_0, q), FIELD(BlockQ2_0, d)}},
    {QuantType::q2_0_g128, sizeof(BlockQ2_0G128), 2, {FIELD(BlockQ2_0G128, q), FIELD(BlockQ2_0G128, d)}},
    {QuantType::q6_k,
     sizeof(BlockQ6K),
     4,
     {FIELD(BlockQ6K, ql), FIELD(BlockQ6K, qh), FIELD(BlockQ6K, scales), FIELD(BlockQ6K, d)}},
    {QuantType::iq2_s,
     sizeof(BlockIq2S),
     5,
     {FIELD(BlockIq2S, qs), FIELD(BlockIq2S, signs), FIELD(BlockIq2S, qh), FIELD(BlockIq2S, scales),
      FIELD(BlockIq2S, d)}},
};

#undef FIELD

// Two bits a magnitude, as IQ2_S indexes them.
constexpr uint16_t kIq2SRows[1024] = {
#include "kernels/iq2s_grid_data.inc"
};

const Layout* find_layout(QuantType type) {
    for (const Layout& layout : kLayouts) {
        if (layout.type == type) return &layout;
    }
    return nullptr;
}

int64_t plane_end(int64_t n_bytes) { return (n_bytes + 255) / 256 * 256; }

int64_t blocks_of(QuantType type, int64_t k, int64_t n_rows) {
    return k / static_cast<int64_t>(quant_type_info(type).block_length) * n_rows;
}

// TQ1_0 blocks that are repacked at once: they wait on the stack.
constexpr int64_t kRepackedBlocks = 64;

}  // namespace

bool gpu_has_type(QuantType type) { return find_layout(type) != nullptr; }

bool lies_as_in_file(QuantType type) { return find_layout(type)->n_fields == 1; }

WeightPlanes weight_planes(QuantType type, int64_t k, int64_t n_rows) {
    const Layout& layout = *find_layout(type);
    const int64_t n_blocks = blocks_of(type, k, n_rows);
    WeightPlanes planes;
    planes.file_row_bytes = static_cast<int64_t>(quant_row_bytes(type, k));
    for (int f = 0; f < layout.n_fields; ++f) {
        planes.offset[f] = planes.bytes;
        planes.bytes += plane_end(n_blocks * layout.fields[f].bytes);
    }
    if (type == QuantType::iq2_s) {
        planes.offset[layout.n_fields] = planes.bytes;
        planes.bytes += plane_end(sizeof kIq2SRows);
    }
    return planes;
}

int64_t packed_scratch_bytes(QuantType type, int64_t k, int64_t n_rows) {
    return blocks_of(type, k, n_rows) * find_layout(type)->block_bytes;
}

int pack_weight_rows(QuantType type, int64_t k, int64_t n_rows, int64_t row_begin, int64_t row_end,
                     const uint8_t* file_rows, uint8_t* scratch, PackedPiece* pieces) {
    const Layout& layout = *find_layout(type);
    const WeightPlanes planes = weight_planes(type, k, n_rows);
    const int64_t first = blocks_of(type, k, row_begin);
    const int64_t n_blocks = blocks_of(type, k, row_end - row_begin);
    for (int f = 0; f < layout.n_fields; ++f) {
        const int64_t field_bytes = layout.fields[f].bytes;
        pieces[f] = {planes.offset[f] + first * field_bytes, scratch, n_blocks * field_bytes};
        scratch += n_blocks * field_bytes;
    }
    const auto distribute = [&](const uint8_t* blocks, int64_t begin, int64_t n) {
        for (int f = 0; f < layout.n_fields; ++f) {
            const size_t field_bytes = static_cast<size_t>(layout.fields[f].bytes);
            uint8_t* to = const_cast<uint8_t*>(pieces[f].from) + begin * layout.fields[f].bytes;
            const uint8_t* from = blocks + layout.fields[f].at;
            for (int64_t b = 0; b < n; ++b, to += field_bytes, from += layout.block_bytes) {
                std::memcpy(to, from, field_bytes);
            }
        }
    };
    if (type == QuantType::tq1_0) {
        uint8_t repacked[kRepackedBlocks * sizeof(BlockTq2_0)];
        for (int64_t b = 0; b < n_blocks; b += kRepackedBlocks) {
            const int64_t n = n_blocks - b < kRepackedBlocks ? n_blocks - b : kRepackedBlocks;
            tq1_0_repack_as_tq2_0(file_rows + b * static_cast<int64_t>(sizeof(BlockTq1_0)), static_cast<size_t>(n),
                                  repacked);
            distribute(repacked, b, n);
        }
    } else {
        distribute(file_rows, 0, n_blocks);
    }
    int n_pieces = layout.n_fields;
    if (type == QuantType::iq2_s && row_begin == 0) {
        pieces[n_pieces] = {planes.offset[layout.n_fields], reinterpret_cast<const uint8_t*>(kIq2SRows),
                            sizeof kIq2SRows};
        ++n_pieces;
    }
    return n_pieces;
}

}  // namespace kern::gpu
