// exp of a float, and cosine and sine of a rope angle, by IEEE operations alone, so that the CPU's single values
// (float_math.cpp) and GPU kernels run one text and give one result. Everything is static: files built for any
// instruction set may include it (see f16_bits.h).
#pragma once

#include "kernels/exp_coefficients.h"
#include "kernels/f16_bits.h"
#include "kernels/host_device.h"

namespace kern::exact {

// The steps of exp_f32.
KERN_HOST_DEVICE static inline float exp_value(float x) {
    using namespace exp_coefficients;
    if (!(x == x)) return float_from_bits(kQuietNanBits);
    float limited = x > kLow ? x : kLow;
    limited = limited < kHigh ? limited : kHigh;
    const float n = (limited * kLog2E + kRound) - kRound;
    const float r = (limited - n * kLn2High) - n * kLn2Low;
    const float p = (((kP0 * r + kP1) * r + kP2) * r + kP3) * r + kP4;
    const float y = 1.0f + (r + r * r * p);
    // Two factors, because 2^n itself need not be a normal float. The first product is exact, so one rounding remains.
    const int whole = static_cast<int>(n);
    const int half = whole >> 1;
    const float first = float_from_bits(static_cast<uint32_t>(half + 127) << 23);
    const float second = float_from_bits(static_cast<uint32_t>(whole - half + 127) << 23);
    return y * first * second;
}

// A number as an unevaluated sum of two doubles, |low| <= ulp(high) / 2: about 104 bits. Needed because an angle of
// 2^31 radians keeps only 22 bits behind the point in one double, fewer than the float result has.
struct Pair {
    double high;
    double low;
};

// a + b exactly, for |a| >= |b| or a = 0 (Dekker).
KERN_HOST_DEVICE static inline Pair fast_two_sum(double a, double b) {
    const double sum = a + b;
    return {sum, b - (sum - a)};
}

// a + b exactly (Knuth).
KERN_HOST_DEVICE static inline Pair two_sum(double a, double b) {
    const double sum = a + b;
    const double b_part = sum - a;
    return {sum, (a - (sum - b_part)) + (b - b_part)};
}

// a * b exactly, by splitting both into halves of 26 bits (Dekker, Veltkamp); |a|, |b| < 2^996.
KERN_HOST_DEVICE static inline Pair two_product(double a, double b) {
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

KERN_HOST_DEVICE static inline Pair add(Pair a, Pair b) {
    const Pair high = two_sum(a.high, b.high);
    const Pair low = two_sum(a.low, b.low);
    const Pair middle = fast_two_sum(high.high, high.low + low.high);
    return fast_two_sum(middle.high, middle.low + low.low);
}

KERN_HOST_DEVICE static inline Pair multiply(Pair a, double b) {
    const Pair product = two_product(a.high, b);
    return fast_two_sum(product.high, product.low + a.low * b);
}

KERN_HOST_DEVICE static inline Pair multiply(Pair a, Pair b) {
    const Pair product = two_product(a.high, b.high);
    return fast_two_sum(product.high, product.low + (a.high * b.low + a.low * b.high));
}

// Half to even, for |x| < 2^51.
KERN_HOST_DEVICE static inline double round_to_integer(double x) {
    constexpr double kMagic = 0x1.8p+52;
    return (x + kMagic) - kMagic;
}

// sin(r) and cos(r) for |r| <= pi/4 + a little, as Taylor sums; the first terms left out are below 2^-62.
KERN_HOST_DEVICE static inline void sin_cos_reduced(Pair r, double* out_sin, double* out_cos) {
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

// Cosine and sine of pos * frequency, as rope_angle (vec_kernels.h) promises them.
KERN_HOST_DEVICE static inline void angle_value(int64_t pos, Pair frequency, float* out_cos, float* out_sin) {
    *out_cos = *out_sin = float_from_bits(kQuietNanBits);
    const Pair angle = multiply(frequency, static_cast<double>(pos));
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
    const int quarter = static_cast<int>(static_cast<int64_t>(k) & 3);
    const double cosine = quarter % 2 == 0 ? cos_r : sin_r;
    const double sine = quarter % 2 == 0 ? sin_r : cos_r;
    *out_cos = static_cast<float>(quarter == 1 || quarter == 2 ? -cosine : cosine);
    *out_sin = static_cast<float>(quarter >= 2 ? -sine : sine);
}

}  // namespace kern::exact
