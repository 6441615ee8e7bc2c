// Q1_0 and Q2_0: one or two bits a weight under one half-precision scale a block (pictures: block_layouts.h). They are
// read as floats: the models published in them were not trained for int8 activations.
#include <cstring>

#include "kernels/block_layouts.h"
#include "kernels/codecs.h"
#include "kernels/vec_kernels.h"

namespace kern {
namespace {

template <class Block>
Block load_block(const void* src, int64_t index) {
    Block block;
    std::memcpy(&block, static_cast<const unsigned char*>(src) + index * static_cast<int64_t>(sizeof(Block)),
                sizeof block);
    return block;
}

template <class Block>
void decode_two_bits(const void* src, int64_t n, float* dst) {
    constexpr int kLength = 4 * sizeof(Block::q);
    for (int64_t b = 0; b < n / kLength; ++b, dst += kLength) {
        const Block block = load_block<Block>(src, b);
        const float d = f16_to_f32_value(block.d);
        for (int i = 0; i < kLength; ++i) {
            dst[i] = d * static_cast<float>((block.q[i / 4] >> (2 * (i % 4)) & 3) - 1);
        }
    }
}

}  // namespace

void decode_q1_0(const void* src, float, int64_t n, float* dst) {
    for (int64_t b = 0; b < n / kQ1_0Block; ++b, dst += kQ1_0Block) {
        const BlockQ1_0 block = load_block<BlockQ1_0>(src, b);
        const float d = f16_to_f32_value(block.d);
        for (int i = 0; i < kQ1_0Block; ++i) dst[i] = d * ((block.q[i / 8] >> (i % 8) & 1) != 0 ? 1.0f : -1.0f);
    }
}

void decode_q2_0(const void* src, float, int64_t n, float* dst) { decode_two_bits<BlockQ2_0>(src, n, dst); }

void decode_q2_0_g128(const void* src, float, int64_t n, float* dst) { decode_two_bits<BlockQ2_0G128>(src, n, dst); }

}  // namespace kern
