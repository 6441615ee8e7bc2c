// Half precision and bfloat16 by bit arithmetic, for code that may not assume F16C. The results are those of VCVTPH2PS
// and VCVTPS2PH with rounding to nearest even, NaNs included, so every level of kernels agrees.
// Everything is static: the header may be included by files built for any instruction set (see STYLE, ODR trap).
#pragma once

#include <cstdint>

#include "kernels/host_device.h"

namespace kern {

KERN_HOST_DEVICE static inline uint32_t float_bits(float f) { return __builtin_bit_cast(uint32_t, f); }

KERN_HOST_DEVICE static inline float float_from_bits(uint32_t u) { return __builtin_bit_cast(float, u); }

// NaN: the payload moves to the top of the wider mantissa and the quiet bit is set.
// Chooses with masks, not conditions: the compiler would make branches of those, and a loop would not become vectors.
KERN_HOST_DEVICE static inline float f16_bits_to_f32(uint16_t h) {
    const int32_t mag = h & 0x7fff;
    const int32_t is_denormal = (mag - 0x400) >> 31;  // all ones or zero
    const int32_t is_special = (0x7bff - mag) >> 31;  // infinity, NaN
    const int32_t is_nan = (0x7c00 - mag) >> 31;
    const int32_t rebias = (112 << 23) + (is_special & (112 << 23));  // exponent 15 -> 127, 31 -> 255
    const int32_t normal = ((mag << 13) + rebias) | (is_nan & 0x400000);
    // A denormal half is mag * 2^-24; the conversion and the product are exact.
    const int32_t denormal = static_cast<int32_t>(float_bits(static_cast<float>(mag) * 0x1p-24f));
    const int32_t result = (denormal & is_denormal) | (normal & ~is_denormal);
    return float_from_bits(static_cast<uint32_t>(result) | static_cast<uint32_t>(h & 0x8000) << 16);
}

// Half to even; above 65519.99 infinity; NaN keeps the top ten payload bits and becomes quiet.
KERN_HOST_DEVICE static inline uint16_t f32_to_f16_bits(float f) {
    const uint32_t bits = float_bits(f);
    const int32_t mag = static_cast<int32_t>(bits & 0x7fffffffu);
    const int32_t is_denormal = (mag - 0x38800000) >> 31;  // below 2^-14
    const int32_t is_overflow = (0x477fefff - mag) >> 31;  // 65520 and up: rounds past the largest half
    const int32_t is_nan = (0x7f800000 - mag) >> 31;
    // Adding half an ulp less one, plus the last kept bit, rounds half to even; a carry moves into the exponent.
    const int32_t normal = (mag - (112 << 23) + 0xfff + (mag >> 13 & 1)) >> 13;
    // A float just above 0.5 has an ulp of 2^-24, a half's denormal step, so the addition does the rounding.
    const float small = float_from_bits(static_cast<uint32_t>(mag & is_denormal));
    const int32_t denormal = static_cast<int32_t>(float_bits(small + 0.5f)) - 0x3f000000;
    const int32_t finite = (denormal & is_denormal) | (normal & ~is_denormal);
    const int32_t nan = 0x200 | (mag >> 13 & 0x3ff);
    const int32_t limited = (finite & ~is_overflow) | (is_overflow & 0x7c00) | (is_nan & nan);
    return static_cast<uint16_t>(static_cast<uint32_t>(limited) | (bits >> 16 & 0x8000u));
}

KERN_HOST_DEVICE static inline float bf16_bits_to_f32(uint16_t h) {
    return float_from_bits(static_cast<uint32_t>(h) << 16);
}

// The one NaN that results of arithmetic have. Which payload and sign a processor makes of two NaNs or of inf - inf
// depends on the processor and on the order a compiler gives the operands, so every kernel replaces them by this one.
inline constexpr uint32_t kQuietNanBits = 0x7fc00000u;

KERN_HOST_DEVICE static inline float canonical_nan(float f) { return f == f ? f : float_from_bits(kQuietNanBits); }

}  // namespace kern
