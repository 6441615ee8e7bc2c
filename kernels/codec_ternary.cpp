// I2_S, TQ2_0 and TQ1_0 in plain scalar code (pictures: ternary_layouts.h). The scale of I2_S belongs to the whole
// tensor and lies in its tail, which the caller reads and writes; the TQ types carry one half per 256 weights.
#include <cstring>

#include "kernels/codec_rounding.h"
#include "kernels/codecs.h"
#include "kernels/ternary_layouts.h"
#include "kernels/vec_kernels.h"

namespace kern {
namespace {

constexpr unsigned kPow3[5] = {1, 3, 9, 27, 81};

// Digit n of the base-3 fraction a TQ1_0 byte stands for.
unsigned trit_of(unsigned byte, int n) { return ((byte * kPow3[n] & 255u) * 3u) >> 8; }

unsigned char byte_of_trits(unsigned v) { return static_cast<unsigned char>((v * 256u + 242u) / 243u); }

float weight_of(unsigned code) { return static_cast<float>(static_cast<int>(code) - 1); }

// lround(x / d) + 1 for |x| <= d: halves go away from zero.
unsigned code_of(float x, float inverse_d) {
    const float v = x * inverse_d;
    return v >= 0.5f ? 2u : v <= -0.5f ? 0u : 1u;
}

// The codes and the scale of one TQ block: d is the largest magnitude. A block of only tiny (or no) values is all zero.
float block_codes(const float* src, unsigned char* codes) {
    float d = 0.0f;
    for (int i = 0; i < kTqBlock; ++i) d = std::fmax(d, std::fabs(finite_or_zero(src[i])));
    const float inverse = inverse_or_zero(d);
    for (int i = 0; i < kTqBlock; ++i) {
        codes[i] = static_cast<unsigned char>(code_of(finite_or_zero(src[i]), inverse));
    }
    return d;
}

}  // namespace

void decode_i2_s(const void* src, float tensor_scale, int64_t n, float* dst) {
    const unsigned char* bytes = static_cast<const unsigned char*>(src);
    for (int64_t b = 0; b < n / kI2sBlock; ++b, bytes += kI2sBlockBytes, dst += kI2sBlock) {
        for (int i = 0; i < kI2sBlock; ++i) {
            dst[i] = tensor_scale * weight_of(bytes[i % 32] >> (6 - 2 * (i / 32)) & 3u);
        }
    }
}

// Only the sign is kept: the input is expected to be {-s, 0, +s} already, s the scale the caller writes to the tail.
void encode_i2_s(const float* src, float, int64_t n, void* dst) {
    unsigned char* bytes = static_cast<unsigned char*>(dst);
    for (int64_t b = 0; b < n / kI2sBlock; ++b, bytes += kI2sBlockBytes, src += kI2sBlock) {
        unsigned char block[kI2sBlockBytes] = {};
        for (int i = 0; i < kI2sBlock; ++i) {
            const unsigned code = src[i] >= kI2sZeroBelow ? 2u : src[i] <= -kI2sZeroBelow ? 0u : 1u;  // NaN: 1
            block[i % 32] = static_cast<unsigned char>(block[i % 32] | code << (6 - 2 * (i / 32)));
        }
        std::memcpy(bytes, block, sizeof block);
    }
}

void decode_tq2_0(const void* src, float, int64_t n, float* dst) {
    const unsigned char* bytes = static_cast<const unsigned char*>(src);
    for (int64_t b = 0; b < n / kTqBlock; ++b, bytes += sizeof(BlockTq2_0), dst += kTqBlock) {
        BlockTq2_0 block;
        std::memcpy(&block, bytes, sizeof block);
        const float d = f16_to_f32_value(block.d);
        for (int i = 0; i < kTqBlock; ++i) {
            dst[i] = d * weight_of(block.qs[32 * (i / 128) + i % 32] >> (2 * (i % 128 / 32)) & 3u);
        }
    }
}

void encode_tq2_0(const float* src, float, int64_t n, void* dst) {
    unsigned char* bytes = static_cast<unsigned char*>(dst);
    for (int64_t b = 0; b < n / kTqBlock; ++b, bytes += sizeof(BlockTq2_0), src += kTqBlock) {
        unsigned char codes[kTqBlock];
        BlockTq2_0 block = {};
        block.d = f32_to_f16_value(block_codes(src, codes));
        for (int i = 0; i < kTqBlock; ++i) {
            uint8_t& byte = block.qs[32 * (i / 128) + i % 32];
            byte = static_cast<uint8_t>(byte | codes[i] << (2 * (i % 128 / 32)));
        }
        std::memcpy(bytes, &block, sizeof block);
    }
}

void decode_tq1_0(const void* src, float, int64_t n, float* dst) {
    const unsigned char* bytes = static_cast<const unsigned char*>(src);
    for (int64_t b = 0; b < n / kTqBlock; ++b, bytes += sizeof(BlockTq1_0), dst += kTqBlock) {
        BlockTq1_0 block;
        std::memcpy(&block, bytes, sizeof block);
        const float d = f16_to_f32_value(block.d);
        for (int i = 0; i < 160; ++i) dst[i] = d * weight_of(trit_of(block.qs[i % 32], i / 32));
        for (int i = 0; i < 80; ++i) dst[160 + i] = d * weight_of(trit_of(block.qs[32 + i % 16], i / 16));
        for (int i = 0; i < 16; ++i) dst[240 + i] = d * weight_of(trit_of(block.qh[i % 4], i / 4));
    }
}

void encode_tq1_0(const float* src, float, int64_t n, void* dst) {
    unsigned char* bytes = static_cast<unsigned char*>(dst);
    for (int64_t b = 0; b < n / kTqBlock; ++b, bytes += sizeof(BlockTq1_0), src += kTqBlock) {
        unsigned char codes[kTqBlock];
        BlockTq1_0 block = {};
        block.d = f32_to_f16_value(block_codes(src, codes));
        // Five digits, `stride` weights apart, the first most significant.
        const auto number = [&codes](int first, int stride, int digits) {
            unsigned v = 0;
            for (int n_digit = 0; n_digit < digits; ++n_digit) v = 3 * v + codes[first + n_digit * stride];
            return v;
        };
        for (int m = 0; m < 32; ++m) block.qs[m] = byte_of_trits(number(m, 32, 5));
        for (int m = 0; m < 16; ++m) block.qs[32 + m] = byte_of_trits(number(160 + m, 16, 5));
        for (int j = 0; j < 4; ++j) block.qh[j] = byte_of_trits(3 * number(240 + j, 4, 4));
        std::memcpy(bytes, &block, sizeof block);
    }
}

}  // namespace kern
