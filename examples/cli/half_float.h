// Rounding of floats to 16 bits and back, half to even, in integers: for recognising files whose values were rounded.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace cli {

// The float nearest to value that f16 can hold; infinite beyond 65504.
inline float rounded_to_half(float value) {
    if (!std::isfinite(value) || value == 0) return value;
    const float size = std::fabs(value);
    if (size >= 65520.0f) return std::copysign(INFINITY, value);
    // The distance between two such numbers: 2^-24 below 2^-14, 2^-10 of the power of two from there on.
    const int exponent = std::ilogb(size) < -14 ? -14 : std::ilogb(size);
    const float step = std::ldexp(1.0f, exponent - 10);
    return std::copysign(std::nearbyint(size / step) * step, value);
}

inline float rounded_to_bf16(float value) {
    if (std::isnan(value)) return value;
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    return std::bit_cast<float>((bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u);
}

}  // namespace cli
