// Single values: exp, rotary angles and half conversions without the platform's libm, whose last bit differs between
// systems. Only IEEE operations with one rounding are used, so every build gives the same bits. The vector forms of exp
// and of the conversions (cpu/vec_generic.h) follow the same steps.
#include "kernels/exp_coefficients.h"
#include "kernels/f16_bits.h"
#include "kernels/vec_kernels.h"

namespace kern {
namespace {

// A number as an unevaluated sum of two doubles, |low| <= ulp(high) / 2: about 104 bits. Needed because an angle of
// 2^31 radians keeps only 22 bits behind the point in one double, fewer than the float result has.
struct Pair {
    double high;
    double low;
};

// a + b exactly, for |a| >= |b| or a = 0 (Dekker).
Pair fast_two_sum(double a, double b) {
    const double sum = a + b;
    return {sum, b - (sum - a)};
}

// a + b exactly (Knuth).
Pair two_sum(double a, double b) {
    const double sum = a + b;
    const double b_part = sum - a;
    return {sum, (a - (sum - b_part)) + (b - b_part)};
}

// a * b exactly, by splitting both into halves of 26 bits (Dekker, Veltkamp); |a|, |b| < 2^996.
Pair two_product(double a, double b) {
    constexpr double kSplit = 0x1.0000002p+27;  // 2^27 + 1
    const double a_scaled = kSplit * a;
    const double b_scaled = kSplit * b;
    const double a_high = a_scaled - (a_scaled - a);
    const double b_high = b_scaled - (b_scaled - b);
    const double a_low = a - a_high;
    const double b_low = b - b_high;
    const double product = a * b;
    return {product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low};
}

Pair add(Pair a, Pair b) {
    const Pair high = two_sum(a.high, b.high);
    const Pair low = two_sum(a.low, b.low);
    const Pair middle = fast_two_sum(high.high, high.low + low.high);
    return fast_two_sum(middle.high, middle.low + low.low);
}

Pair multiply(Pair a, double b) {
    const Pair product = two_product(a.high, b);
    return fast_two_sum(product.high, product.low + a.low * b);
}

Pair multiply(Pair a, Pair b) {
    const Pair product = two_product(a.high, b.high);
    return fast_two_sum(product.high, product.low + (a.high * b.low + a.low * b.high));
}

Pair divide(Pair a, double b) {
    const double quotient = a.high / b;
    const Pair back = two_product(quotient, b);
    const double rest = ((a.high - back.high) - back.low + a.low) / b;
    return fast_two_sum(quotient, rest);
}

// Half to even, for |x| < 2^51.
double round_to_integer(double x) {
    constexpr double kMagic = 0x1.8p+52;
    return (x + kMagic) - kMagic;
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

// sin(r) and cos(r) for |r| <= pi/4 + a little, as Taylor sums; the first terms left out are below 2^-62.
void sin_cos_reduced(Pair r, double* out_sin, double* out_cos) {
    static constexpr double kSin[] = {
        1.0 / 355687428096000, -1.0 / 1307674368000, 1.0 / 6227020800, -1.0 / 39916800,
        1.0 / 362880,          -1.0 / 5040,          1.0 / 120,        -1.0 / 6};  // r^17 .. r^3
    static constexpr double kCos[] = {
        -1.0 / 6402373705728000, 1.0 / 20922789888000, -1.0 / 87178291200, 1.0 / 479001600,
        -1.0 / 3628800,          1.0 / 40320,          -1.0 / 720,         1.0 / 24};  // r^18 .. r^4
    const double r2 = r.high * r.high;
    double sin_sum = 0;
    for (double c : kSin) sin_sum = sin_sum * r2 + c;
    double cos_sum = 0;
    for (double c : kCos) cos_sum = cos_sum * r2 + c;
    // The low part enters to first order: sin' = cos = 1 - r^2/2, cos' = -sin = -r + r^3/6.
    *out_sin = r.high + (r.high * r2 * sin_sum + r.low * (1.0 - 0.5 * r2));
    *out_cos = 1.0 - (0.5 * r2 - (r2 * r2 * cos_sum - r.low * (r.high - r.high * r2 / 6)));
}

}  // namespace

float exp_f32(float x) {
    using namespace exp_coefficients;
    if (!(x == x)) return float_from_bits(kQuietNanBits);
    float limited = x > kLow ? x : kLow;
    limited = limited < kHigh ? limited : kHigh;
    const float n = (limited * kLog2E + kRound) - kRound;
    const float r = (limited - n * kLn2High) - n * kLn2Low;
    float p = kP[0];
    for (int i = 1; i < 5; ++i) p = p * r + kP[i];
    const float y = 1.0f + (r + r * r * p);
    // Two factors, because 2^n itself need not be a normal float. The first product is exact, so one rounding remains.
    const int whole = static_cast<int>(n);
    const int half = whole >> 1;
    const float first = float_from_bits(static_cast<uint32_t>(half + 127) << 23);
    const float second = float_from_bits(static_cast<uint32_t>(whole - half + 127) << 23);
    return y * first * second;
}

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
    *out_cos = *out_sin = float_from_bits(kQuietNanBits);
    const Pair angle = multiply(Pair{frequency.high, frequency.low}, static_cast<double>(pos));
    if (!(angle.high > -0x1p+50 && angle.high < 0x1p+50)) return;
    // angle = k * pi/2 + r. pi/2 is given to 160 bits, so r keeps its accuracy where the angle nearly is a multiple.
    constexpr double kHalfPi[3] = {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54, -0x1.f1976b7ed8fbcp-110};
    const double k = round_to_integer(angle.high * 0x1.45f306dc9c883p-1);
    Pair r = add(angle, two_product(k, -kHalfPi[0]));
    r = add(r, two_product(k, -kHalfPi[1]));
    r = add(r, {k * -kHalfPi[2], 0.0});
    double sin_r = 0;
    double cos_r = 0;
    sin_cos_reduced(r, &sin_r, &cos_r);
    // Each quarter turn takes (cos, sin) to (-sin, cos).
    const double turned[5] = {cos_r, -sin_r, -cos_r, sin_r, cos_r};
    const int quarter = static_cast<int>(static_cast<int64_t>(k) & 3);
    *out_cos = static_cast<float>(turned[quarter]);
    *out_sin = static_cast<float>(quarter == 0 ? sin_r : turned[quarter - 1]);
}

float f16_to_f32_value(uint16_t h) { return f16_bits_to_f32(h); }

uint16_t f32_to_f16_value(float f) { return f32_to_f16_bits(f); }

}  // namespace kern
