// Single values: exp, rotary angles and half conversions without the platform's libm, whose last bit differs between
// systems. Only IEEE operations with one rounding are used, so every build gives the same bits. The vector forms of exp
// and of the conversions (cpu/vec_generic.h) follow the same steps.
#include "kernels/exact_math.h"
#include "kernels/f16_bits.h"
#include "kernels/vec_kernels.h"

namespace kern {
namespace {

using namespace exact;

Pair divide(Pair a, double b) {
    const double quotient = a.high / b;
    const Pair back = two_product(quotient, b);
    const double rest = ((a.high - back.high) - back.low + a.low) / b;
    return fast_two_sum(quotient, rest);
}

// 2^n for -1022 <= n <= 1023.
double power_of_two(int n) { return __builtin_bit_cast(double, static_cast<uint64_t>(n + 1023) << 52); }

constexpr Pair kLn2 = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};

// exp(x) with a relative error below 2^-77, for |x| < 700.
Pair exp_pair(Pair x) {
    const double n = round_to_integer(x.high * 0x1.71547652b82fep+0);
    Pair r = add(x, multiply(kLn2, -n));
    // exp(r) = exp(r / 32)^32; |r / 32| < 2^-6.5, so the terms of fourth order and above need only one double: their
    // rounding errors are near 2^-83, 32 times that in the result.
    constexpr int kSquarings = 5;
    constexpr double kShrink = 1.0 / (1 << kSquarings);
    r = {r.high * kShrink, r.low * kShrink};
    const double s = r.high;
    const double tail =
        1.0 / 24 + s * (1.0 / 120 + s * (1.0 / 720 + s * (1.0 / 5040 + s * (1.0 / 40320 + s * (1.0 / 362880)))));
    const Pair r2 = multiply(r, r);
    constexpr Pair kSixth = {0x1.5555555555555p-3, 0x1.5555555555555p-57};
    Pair sum = add(multiply(multiply(r2, r), kSixth), {r2.high * r2.high * tail, 0.0});
    sum = add({r2.high / 2, r2.low / 2}, sum);
    sum = add(r, sum);
    // Squared as y -> 2 y + y^2 with y = exp - 1: y stays small, so its relative error does not reach the whole.
    for (int i = 0; i < kSquarings; ++i) sum = add({2 * sum.high, 2 * sum.low}, multiply(sum, sum));
    sum = add({1.0, 0.0}, sum);
    const double factor = power_of_two(static_cast<int>(n));
    return {sum.high * factor, sum.low * factor};
}

// ln(x) for 2^-900 < x < 2^900.
Pair log_pair(double x) {
    const uint64_t bits = __builtin_bit_cast(uint64_t, x);
    int exponent = static_cast<int>(bits >> 52) - 1023;
    double m = __builtin_bit_cast(double, (bits & 0xfffffffffffffu) | 0x3ff0000000000000u);
    if (m > 0x1.6a09e667f3bcdp+0) {  // sqrt 2: m in [0.707, 1.414]
        m /= 2;
        ++exponent;
    }
    // ln m = 2 artanh(s) = 2 (s + s^3/3 + ...), |s| <= 0.1716; the first term left out is below 2^-59.
    const double s = (m - 1) / (m + 1);
    const double s2 = s * s;
    double series = 0;
    for (int k = 21; k >= 1; k -= 2) series = series * s2 + 1.0 / k;
    const double first = exponent * kLn2.high + 2 * s * series;
    // One step of Newton with exp: ln x = first + ln(1 + e), e = x exp(-first) - 1, |e| near 2^-50.
    Pair e = multiply(exp_pair({-first, 0.0}), x);
    e = add(e, {-1.0, 0.0});
    return add({first, 0.0}, add(e, {-0.5 * e.high * e.high, 0.0}));
}

}  // namespace

float exp_f32(float x) { return exact::exp_value(x); }

RopeFrequency rope_frequency(int64_t i, int64_t n_dims, double freq_base, double factor) {
    const double nan = float_from_bits(kQuietNanBits);
    if (!(freq_base > 0x1p-900 && freq_base < 0x1p+900) || n_dims <= 0) return {nan, nan};
    // base^(-2i / n_dims) / factor. For i = 0 every step is exact and it is 1 / factor.
    const Pair exponent =
        divide(multiply(log_pair(freq_base), -2.0 * static_cast<double>(i)), static_cast<double>(n_dims));
    if (!(exponent.high > -700.0 && exponent.high < 700.0)) return {nan, nan};
    const Pair frequency = divide(exp_pair(exponent), factor);
    return {frequency.high, frequency.low};
}

void rope_angle(int64_t pos, RopeFrequency frequency, float* out_cos, float* out_sin) {
    exact::angle_value(pos, {frequency.high, frequency.low}, out_cos, out_sin);
}

float f16_to_f32_value(uint16_t h) { return f16_bits_to_f32(h); }

uint16_t f32_to_f16_value(float f) { return f32_to_f16_bits(f); }

}  // namespace kern
