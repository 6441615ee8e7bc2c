// Q8_0, Q4_0 and Q4_1: 32 weights and one half-precision scale (Q4_1: and minimum) a block. Rounding follows ggml's reference quantiser, so a
// file written here equals one written there: codes come from the unrounded scale, the stored scale is its half.
#include <cstring>

#include "kernels/block_layouts.h"
#include "kernels/codec_rounding.h"
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
void store_block(void* dst, int64_t index, const Block& block) {
    std::memcpy(static_cast<unsigned char*>(dst) + index * static_cast<int64_t>(sizeof(Block)), &block, sizeof block);
}

}  // namespace

void decode_q8_0(const void* src, float, int64_t n, float* dst) {
    for (int64_t b = 0; b < n / kQ8_0Block; ++b, dst += kQ8_0Block) {
        const BlockQ8_0 block = load_block<BlockQ8_0>(src, b);
        const float d = f16_to_f32_value(block.d);
        for (int i = 0; i < kQ8_0Block; ++i) dst[i] = d * static_cast<float>(block.q[i]);
    }
}

// d = absmax / 127; q = x / d, half away from zero.
void encode_q8_0(const float* src, float, int64_t n, void* dst) {
    for (int64_t b = 0; b < n / kQ8_0Block; ++b, src += kQ8_0Block) {
        float abs_max = 0.0f;
        for (int i = 0; i < kQ8_0Block; ++i) abs_max = std::fmax(abs_max, std::fabs(finite_or_zero(src[i])));
        const float d = abs_max / 127.0f;
        const float inverse = inverse_or_zero(d);
        BlockQ8_0 block;
        block.d = f32_to_f16_value(d);
        for (int i = 0; i < kQ8_0Block; ++i) {
            block.q[i] = static_cast<int8_t>(round_half_away(finite_or_zero(src[i]) * inverse, -127, 127));
        }
        store_block(dst, b, block);
    }
}

void decode_q4_0(const void* src, float, int64_t n, float* dst) {
    for (int64_t b = 0; b < n / kQ4_0Block; ++b, dst += kQ4_0Block) {
        const BlockQ4_0 block = load_block<BlockQ4_0>(src, b);
        const float d = f16_to_f32_value(block.d);
        for (int i = 0; i < 16; ++i) {
            dst[i] = d * static_cast<float>((block.q[i] & 15) - 8);
            dst[16 + i] = d * static_cast<float>((block.q[i] >> 4) - 8);
        }
    }
}

// The value of the largest magnitude, sign and all, becomes code 0 (= -8): d = peak / -8. That spends the one code that
// has no mirror image on the value that matters most. code = floor(x / d + 8.5), at most 15.
void encode_q4_0(const float* src, float, int64_t n, void* dst) {
    for (int64_t b = 0; b < n / kQ4_0Block; ++b, src += kQ4_0Block) {
        float peak = 0.0f;
        for (int i = 0; i < kQ4_0Block; ++i) {
            const float x = finite_or_zero(src[i]);
            if (std::fabs(x) > std::fabs(peak)) peak = x;
        }
        const float d = peak / -8.0f;
        const float inverse = inverse_or_zero(d);
        const auto code = [inverse](float x) {
            const float shifted = finite_or_zero(x) * inverse + 8.5f;
            if (!(shifted > 0.0f)) return 0u;
            return shifted >= 15.0f ? 15u : static_cast<unsigned>(shifted);
        };
        BlockQ4_0 block;
        block.d = f32_to_f16_value(d);
        for (int i = 0; i < 16; ++i) block.q[i] = static_cast<uint8_t>(code(src[i]) | code(src[16 + i]) << 4);
        store_block(dst, b, block);
    }
}

void decode_q4_1(const void* src, float, int64_t n, float* dst) {
    for (int64_t b = 0; b < n / kQ4_1Block; ++b, dst += kQ4_1Block) {
        const BlockQ4_1 block = load_block<BlockQ4_1>(src, b);
        const float d = f16_to_f32_value(block.d), m = f16_to_f32_value(block.m);
        for (int i = 0; i < 16; ++i) {
            dst[i] = d * static_cast<float>(block.q[i] & 15) + m;
            dst[16 + i] = d * static_cast<float>(block.q[i] >> 4) + m;
        }
    }
}

// m = the smallest value, d = (largest - smallest) / 15; code = floor((x - m) / d + 0.5), at most 15.
void encode_q4_1(const float* src, float, int64_t n, void* dst) {
    for (int64_t b = 0; b < n / kQ4_1Block; ++b, src += kQ4_1Block) {
        float low = finite_or_zero(src[0]), high = low;
        for (int i = 1; i < kQ4_1Block; ++i) {
            low = std::fmin(low, finite_or_zero(src[i]));
            high = std::fmax(high, finite_or_zero(src[i]));
        }
        const float d = (high - low) / 15.0f;
        const float inverse = inverse_or_zero(d);
        const auto code = [=](float x) {
            const float shifted = (finite_or_zero(x) - low) * inverse + 0.5f;
            if (!(shifted > 0.0f)) return 0u;
            return shifted >= 15.0f ? 15u : static_cast<unsigned>(shifted);
        };
        BlockQ4_1 block;
        block.d = f32_to_f16_value(d);
        block.m = f32_to_f16_value(low);
        for (int i = 0; i < 16; ++i) block.q[i] = static_cast<uint8_t>(code(src[i]) | code(src[16 + i]) << 4);
        store_block(dst, b, block);
    }
}

}  // namespace kern
