// IQ2_S (picture: block_layouts.h): read only. The table of magnitudes is a fact of the format; iq2s_grid.py takes it from the
// `gguf` package.
#include <cstring>

#include "kernels/block_layouts.h"
#include "kernels/codecs.h"
#include "kernels/vec_kernels.h"

namespace kern {
namespace {

constexpr uint16_t kGrid[1024] = {
#include "kernels/iq2s_grid_data.inc"
};

constexpr uint64_t magnitudes(uint16_t row) {
    constexpr uint64_t kMagnitudes[] = {8, 25, 43};
    uint64_t eight = 0;
    for (int j = 0; j < 8; ++j) eight |= kMagnitudes[row >> (2 * j) & 3] << (8 * j);
    return eight;
}

constexpr uint64_t sign_bytes(unsigned bits) {
    uint64_t eight = 0;
    for (int j = 0; j < 8; ++j) eight |= (bits >> j & 1) != 0 ? uint64_t{255} << (8 * j) : 0;
    return eight;
}

constexpr Iq2STables make_tables() {
    Iq2STables tables = {};
    for (int i = 0; i < 1024; ++i) tables.magnitudes[i] = magnitudes(kGrid[i]);
    for (unsigned i = 0; i < 256; ++i) tables.signs[i] = sign_bytes(i);
    return tables;
}

}  // namespace

constinit const Iq2STables kIq2STables = make_tables();

void decode_iq2_s(const void* src, float, int64_t n, float* dst) {
    const unsigned char* bytes = static_cast<const unsigned char*>(src);
    for (int64_t b = 0; b < n / kIq2SBlock; ++b, bytes += sizeof(BlockIq2S)) {
        BlockIq2S block;
        std::memcpy(&block, bytes, sizeof block);
        const float d = f16_to_f32_value(block.d);
        for (int g = 0; g < kIq2SBlock / 8; ++g) {
            const int scale = block.scales[g / 4] >> (g % 4 / 2 * 4) & 15;
            const float step = d * (0.5f + static_cast<float>(scale)) * 0.25f;
            const uint16_t row = kGrid[block.qs[g] | (block.qh[g / 4] >> (g % 4 * 2) & 3) << 8];
            for (int j = 0; j < 8; ++j, ++dst) {
                constexpr float kMagnitudes[] = {8, 25, 43};
                const float magnitude = kMagnitudes[row >> (2 * j) & 3];
                *dst = step * ((block.signs[g] >> j & 1) != 0 ? -magnitude : magnitude);
            }
        }
    }
}

}  // namespace kern
