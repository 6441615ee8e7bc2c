// Exponential and logarithm from + - * / alone: the C library's differ between systems in the last digit, and the
// figures of `bitnet perplexity` are to be compared digit for digit between machines.
#pragma once

#include <bit>
#include <cstdint>

namespace cli {

inline constexpr double kLn2 = 0x1.62e42fefa39efp-1;

// Within 2 ulp for results in the normal range; below it 0. x at most 700. Free of branches, and inline, so that a loop
// over a vocabulary becomes vector code; every vector width gives the same bits.
inline double portable_exp(double x) {
    // x = k ln 2 + r with |r| <= ln 2 / 2. Adding 1.5 * 2^52 rounds to the integer k and leaves it in the low bits. ln 2
    // comes in two parts, the first with so few bits that k times it is exact.
    constexpr double kRounder = 0x1.8p52;
    constexpr double kLn2High = 0x1.62e42feep-1;
    constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
    const double bounded = x < -708 ? -708 : x;
    const double shifted = bounded * (1 / kLn2) + kRounder;
    const double steps = shifted - kRounder;
    const double r = (bounded - steps * kLn2High) - steps * kLn2Low;
    double sum = 1.0 / 6227020800;  // 1 / 13!; the next term, r^14 / 14!, is below 2^-57
    sum = sum * r + 1.0 / 479001600;
    sum = sum * r + 1.0 / 39916800;
    sum = sum * r + 1.0 / 3628800;
    sum = sum * r + 1.0 / 362880;
    sum = sum * r + 1.0 / 40320;
    sum = sum * r + 1.0 / 5040;
    sum = sum * r + 1.0 / 720;
    sum = sum * r + 1.0 / 120;
    sum = sum * r + 1.0 / 24;
    sum = sum * r + 1.0 / 6;
    sum = sum * r + 0.5;
    sum = sum * r + 1;
    sum = sum * r + 1;
    // 2^k from k in the low bits: only its lowest 11 reach the exponent field.
    const double power = std::bit_cast<double>((std::bit_cast<uint64_t>(shifted) + 1023) << 52);
    return x < -708 ? 0 : sum * power;
}

// Within 2 ulp; x must be positive and normal.
inline double portable_log(double x) {
    // x = 2^e m with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh(f) with f = (m - 1) / (m + 1), |f| < 0.1716.
    const uint64_t bits = std::bit_cast<uint64_t>(x);
    int64_t exponent = static_cast<int64_t>(bits >> 52) - 1023;
    double m = std::bit_cast<double>((bits & 0xfffffffffffffull) | (1023ull << 52));
    if (m > 1.4142135623730951) {
        m *= 0.5;
        ++exponent;
    }
    const double f = (m - 1) / (m + 1);
    const double square = f * f;
    double series = 0;  // f^23 / 23 is below 2^-62
    for (int i = 21; i >= 3; i -= 2) series = (series + 1.0 / i) * square;
    return static_cast<double>(exponent) * kLn2 + (2 * f + 2 * f * series);
}

}  // namespace cli
