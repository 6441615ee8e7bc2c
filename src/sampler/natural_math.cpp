// Argument reduction by powers of two, then a series.
#include "src/sampler/natural_math.h"

#include <bit>
#include <cstdint>
#include <limits>

namespace bitnet {
namespace {

// 1 / n! for n = 13 .. 0; the next term of the series, r^14 / 14!, is below 2^-57.
constexpr double kInverseFactorials[] = {
    1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040,
    1.0 / 720,        1.0 / 120,       1.0 / 24,       1.0 / 6,       0.5,          1,           1};

}  // namespace

double natural_exp(double x) noexcept {
    // Outside of these the result is no normal number, and 2^k below would not be one either.
    if (x < -708) return 0;
    if (x > 709) return std::numeric_limits<double>::infinity();
    // x = k ln 2 + r with |r| <= ln 2 / 2. Adding 1.5 * 2^52 rounds to the integer k and leaves it in the low bits. ln 2
    // comes in two parts, the first with so few bits that k times it is exact.
    constexpr double kRounder = 0x1.8p52;
    constexpr double kLn2High = 0x1.62e42feep-1;
    constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
    const double shifted = x * (1 / kLn2) + kRounder;
    const double steps = shifted - kRounder;
    const double r = (x - steps * kLn2High) - steps * kLn2Low;
    double sum = 0;
    for (const double coefficient : kInverseFactorials) sum = sum * r + coefficient;
    // 2^k from k in the low bits: only its lowest 11 reach the exponent field.
    return sum * std::bit_cast<double>((std::bit_cast<uint64_t>(shifted) + 1023) << 52);
}

double natural_log(double x) noexcept {
    // x = 2^e * m with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh(f), f = (m - 1) / (m + 1), |f| < 0.1716.
    const uint64_t bits = std::bit_cast<uint64_t>(x);
    int64_t exponent = static_cast<int64_t>(bits >> 52) - 1023;
    double m = std::bit_cast<double>((bits & 0xfffffffffffffull) | (1023ull << 52));
    if (m > 1.4142135623730951) {
        m *= 0.5;
        ++exponent;
    }
    const double f = (m - 1) / (m + 1);
    const double square = f * f;
    // f^23 / 23 < 2^-62: the terms up to f^21 suffice.
    double series = 0;
    for (int k = 21; k >= 3; k -= 2) series = (series + 1.0 / k) * square;
    return static_cast<double>(exponent) * kLn2 + (2 * f + 2 * f * series);
}

}  // namespace bitnet
