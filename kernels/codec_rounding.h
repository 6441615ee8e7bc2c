// The roundings the encoders share. Every one clamps before it converts, so no float reaches an int it does not fit.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace kern {

inline float finite_or_zero(float x) { return (std::bit_cast<uint32_t>(x) & 0x7f800000u) == 0x7f800000u ? 0.0f : x; }

// 1 / x, or 0 where that is not finite (x zero or so small that every quotient would overflow).
inline float inverse_or_zero(float x) { return x == 0.0f ? 0.0f : finite_or_zero(1.0f / x); }

// Half to even (the default rounding mode of every host we run on), then within low..high.
inline int round_half_even(float x, int low, int high) {
    if (!(x > static_cast<float>(low))) return low;
    if (x >= static_cast<float>(high)) return high;
    return static_cast<int>(std::lrintf(x));
}

// Half away from zero, then within low..high.
inline int round_half_away(float x, int low, int high) {
    if (!(x > static_cast<float>(low))) return low;
    if (x >= static_cast<float>(high)) return high;
    return static_cast<int>(std::lroundf(x));
}

}  // namespace kern
