// The arithmetic of int8 and int4 blocks. One IEEE operation at a time, halves go to even.
#include "src/quantizer/affine_blocks.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/codec_rounding.h"

namespace bitnet {
namespace {

void put_code(const QuantFormat& format, uint8_t* codes, int64_t i, int code) {
    if (format.bits == 8) {
        codes[i] = static_cast<uint8_t>(code);  // symmetric: two's complement
        return;
    }
    uint8_t& byte = codes[i / 2];
    byte = static_cast<uint8_t>(i % 2 == 0 ? code : byte | code << 4);
}

int get_code(const QuantFormat& format, const uint8_t* codes, int64_t i) {
    if (format.bits == 8) return format.asymmetric ? codes[i] : static_cast<int8_t>(codes[i]);
    return codes[i / 2] >> (4 * (i % 2)) & 15;
}

// What is taken off a code of a symmetric block: a nibble has no sign of its own.
int fixed_zero_point(const QuantFormat& format) { return format.bits == 4 ? 8 : 0; }

void encode_symmetric(const QuantFormat& format, const float* src, int64_t first, uint8_t* codes, float* scale) {
    const int most = format.bits == 8 ? 127 : 7;
    float largest = 0.0f;
    for (int64_t i = 0; i < format.block; ++i) largest = std::max(largest, std::fabs(src[first + i]));
    *scale = largest / static_cast<float>(most);
    for (int64_t i = first; i < first + format.block; ++i) {
        const int q = *scale == 0.0f ? 0 : kern::round_half_even(src[i] / *scale, -most, most);
        put_code(format, codes, i, q + fixed_zero_point(format));
    }
}

AffineFault encode_asymmetric(const QuantFormat& format, const float* src, int64_t first, uint8_t* codes, float* scale,
                              uint8_t* zero_point) {
    const int levels = format.bits == 8 ? 255 : 15;
    const auto [low, high] = std::minmax_element(src + first, src + first + format.block);
    const float range = *high - *low;
    const int64_t block = first / format.block;
    if (!std::isfinite(range)) return {AffineProblem::range, block, 0};
    *scale = range / static_cast<float>(levels);
    double zero = 0;
    if (*scale != 0.0f) {
        zero = -static_cast<double>(*low) / static_cast<double>(*scale);
    } else if (*low != 0.0f) {
        zero = *low > 0.0f ? -HUGE_VAL : HUGE_VAL;  // one value, and no step that reaches it
    }
    const double rounded = zero >= -0.5 && zero <= levels + 0.5 ? std::nearbyint(zero) : zero;
    if (!(rounded >= 0 && rounded <= levels)) return {AffineProblem::zero_point, block, zero};
    const int z = static_cast<int>(rounded);
    *zero_point = static_cast<uint8_t>(z);
    for (int64_t i = first; i < first + format.block; ++i) {
        const int q = *scale == 0.0f ? 0 : kern::round_half_even(src[i] / *scale, -levels, levels);
        put_code(format, codes, i, std::clamp(q + z, 0, levels));
    }
    return {};
}

}  // namespace

AffineFault encode_affine(const QuantFormat& format, const float* src, int64_t n, uint8_t* codes, float* scales,
                          uint8_t* zero_points) {
    for (int64_t block = 0; block < n / format.block; ++block) {
        const int64_t first = block * format.block;
        if (!format.asymmetric) {
            encode_symmetric(format, src, first, codes, scales + block);
            continue;
        }
        const AffineFault fault = encode_asymmetric(format, src, first, codes, scales + block, zero_points + block);
        if (fault.problem != AffineProblem::none) return fault;
    }
    return {};
}

void decode_affine(const QuantFormat& format, const uint8_t* codes, const float* scales, const uint8_t* zero_points,
                   int64_t n, float* dst) {
    for (int64_t i = 0; i < n; ++i) {
        const int64_t block = i / format.block;
        const int zero = format.asymmetric ? zero_points[block] : fixed_zero_point(format);
        dst[i] = scales[block] * static_cast<float>(get_code(format, codes, i) - zero);
    }
}

}  // namespace bitnet
