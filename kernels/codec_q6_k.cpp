// Q6_K: 256 weights, 16 signed scales of 16 weights each, one half-precision scale over them (picture:
// block_layouts.h). The encoder searches a scale for every 16 weights, then rounds the weights again with the scales
// as they will be read.
#include <cstring>

#include "kernels/block_layouts.h"
#include "kernels/codec_rounding.h"
#include "kernels/codecs.h"
#include "kernels/vec_kernels.h"

namespace kern {
namespace {

constexpr int kGroup = 16;  // weights that share one 8-bit scale
constexpr int kGroups = kQ6KBlock / kGroup;
constexpr float kNoScaleBelow = 1e-15f;  // magnitudes below this count as an all-zero group

// The scale s for which 16 weights x ~ s * q, q in -32..31, are nearest in the sense of least x^2-weighted squares.
// For given q the best s is sum(w x q) / sum(w q^2) with w = x^2, and the error it leaves falls as
// sum(w x q)^2 / sum(w q^2) grows; 19 roundings around "the largest magnitude becomes -32" are tried.
float search_scale(const float* x) {
    float peak = 0.0f;
    for (int i = 0; i < kGroup; ++i) {
        if (std::fabs(x[i]) > std::fabs(peak)) peak = x[i];
    }
    if (std::fabs(peak) < kNoScaleBelow) return 0.0f;
    float best_scale = 0.0f;
    float best_gain = 0.0f;
    constexpr int kSteps[] = {0, -9, -8, -7, -6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    for (const int step : kSteps) {
        const float inverse = -(32.0f + 0.1f * static_cast<float>(step)) / peak;
        float sum_xq = 0.0f;
        float sum_qq = 0.0f;
        for (int i = 0; i < kGroup; ++i) {
            const float q = static_cast<float>(round_half_even(inverse * x[i], -32, 31));
            const float weight = x[i] * x[i];
            sum_xq += weight * x[i] * q;
            sum_qq += weight * q * q;
        }
        // Strictly better only: ties keep the rounding nearest to the plain one.
        if (sum_qq > 0.0f && sum_xq * sum_xq > best_gain * sum_qq) {
            best_scale = sum_xq / sum_qq;
            best_gain = best_scale * sum_xq;
        }
    }
    return finite_or_zero(best_scale);
}

// Index of weight i (0..127) of half h in ql and qh, and the bit positions there.
void put_code(BlockQ6K& block, int half, int i, unsigned code) {
    const int quarter = i / 32;  // 0..3: which of w[l], w[32+l], w[64+l], w[96+l]
    const int l = i % 32;
    uint8_t& low = block.ql[64 * half + 32 * (quarter & 1) + l];
    uint8_t& high = block.qh[32 * half + l];
    low = static_cast<uint8_t>(low | (code & 15u) << (quarter >= 2 ? 4 : 0));
    high = static_cast<uint8_t>(high | (code >> 4) << (2 * quarter));
}

int get_code(const BlockQ6K& block, int half, int i) {
    const int quarter = i / 32;
    const int l = i % 32;
    const int low = block.ql[64 * half + 32 * (quarter & 1) + l] >> (quarter >= 2 ? 4 : 0) & 15;
    const int high = block.qh[32 * half + l] >> (2 * quarter) & 3;
    return low | high << 4;
}

void encode_block(const float* x, BlockQ6K& block) {
    float scales[kGroups];
    float peak_scale = 0.0f;
    for (int g = 0; g < kGroups; ++g) {
        scales[g] = search_scale(x + g * kGroup);
        if (std::fabs(scales[g]) > std::fabs(peak_scale)) peak_scale = scales[g];
    }
    if (std::fabs(peak_scale) < kNoScaleBelow) return;  // all zero, as the block came in
    const float inverse = -128.0f / peak_scale;         // the largest group scale becomes -128
    block.d = f32_to_f16_value(1.0f / inverse);
    const float d = f16_to_f32_value(block.d);
    for (int g = 0; g < kGroups; ++g) {
        block.scales[g] = static_cast<int8_t>(round_half_even(inverse * scales[g], -128, 127));
        const float step = d * static_cast<float>(block.scales[g]);
        for (int i = g * kGroup; i < (g + 1) * kGroup; ++i) {
            // step 0 (a tiny group beside a large one, or d below the halves): any code decodes to 0, take the middle.
            const int q = step == 0.0f ? 0 : round_half_even(x[i] / step, -32, 31);
            put_code(block, i / 128, i % 128, static_cast<unsigned>(q + 32));
        }
    }
}

}  // namespace

void decode_q6_k(const void* src, float, int64_t n, float* dst) {
    const unsigned char* bytes = static_cast<const unsigned char*>(src);
    for (int64_t b = 0; b < n / kQ6KBlock; ++b, bytes += sizeof(BlockQ6K), dst += kQ6KBlock) {
        BlockQ6K block;
        std::memcpy(&block, bytes, sizeof block);
        const float d = f16_to_f32_value(block.d);
        for (int i = 0; i < kQ6KBlock; ++i) {
            const float step = d * static_cast<float>(block.scales[i / kGroup]);
            dst[i] = step * static_cast<float>(get_code(block, i / 128, i % 128) - 32);
        }
    }
}

void encode_q6_k(const float* src, float, int64_t n, void* dst) {
    unsigned char* bytes = static_cast<unsigned char*>(dst);
    for (int64_t b = 0; b < n / kQ6KBlock; ++b, bytes += sizeof(BlockQ6K), src += kQ6KBlock) {
        float x[kQ6KBlock];
        for (int i = 0; i < kQ6KBlock; ++i) x[i] = finite_or_zero(src[i]);
        BlockQ6K block = {};
        encode_block(x, block);
        std::memcpy(bytes, &block, sizeof block);
    }
}

}  // namespace kern
