// The numbers of the library's exp, shared by its form for single values (exact_math.h), which GPU kernels use as well,
// and its vector form (cpu/vec_generic.h).
// exp(x) = 2^n * (1 + r + r^2 * P(r)) with n = round(x / ln 2), r = x - n * ln 2 in two steps, |r| <= 0.3466.
#pragma once

namespace kern::exp_coefficients {

// Below kLow the result rounds to 0, above kHigh to infinity; x is limited to them so that n stays within -150..128.
inline constexpr float kLow = -104.0f;
inline constexpr float kHigh = 89.0f;
inline constexpr float kLog2E = 0x1.715476p+0f;
// Adding and subtracting 1.5 * 2^23 rounds to an integer, half to even, for |x| < 2^22.
inline constexpr float kRound = 0x1.8p+23f;
// ln 2 = kLn2High + kLn2Low; the high part has 16 bits, so n * kLn2High is exact (n has 8).
inline constexpr float kLn2High = 0x1.62e4p-1f;
inline constexpr float kLn2Low = 0x1.7f7d1cp-20f;
// Minimax for (exp(r) - 1 - r) / r^2 on [-0.3466, 0.3466], highest power first (found by a Remez exchange). No array:
// a GPU's code sees the host's constants, but not its memory.
inline constexpr float kP0 = 0x1.6a241cp-10f;
inline constexpr float kP1 = 0x1.1239fp-7f;
inline constexpr float kP2 = 0x1.5558f2p-5f;
inline constexpr float kP3 = 0x1.555492p-3f;
inline constexpr float kP4 = 0x1.fffffcp-2f;

}  // namespace kern::exp_coefficients
