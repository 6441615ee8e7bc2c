// Exponential and logarithm in double from + - * / alone: the C library's differ between systems in the last digit, and
// what the sampler picks must not.
#pragma once

namespace bitnet {

inline constexpr double kLn2 = 0x1.62e42fefa39efp-1;

// Within 2 ulp for results in the normal range; 0 below it, infinity above it. x must not be NaN.
double natural_exp(double x) noexcept;
// Of a positive normal number, within 2 ulp.
double natural_log(double x) noexcept;

}  // namespace bitnet
