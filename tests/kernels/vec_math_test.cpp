// The single-value functions against independent references: exp against libm's double, rotary angles against long
// double, half conversions against their definition for every half and every border between two of them.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

#include "kernels/vec_kernels.h"
#include "tests/support/float_bits.h"

namespace {

using kern::exp_f32;
using test::bits_of;
using test::float_of;

TEST_CASE("exp: the error stays below 1 ulp over the whole range of floats, denormal results included") {
    double worst = 0;
    float worst_at = 0;
    const auto look = [&](uint32_t bits) {
        const float x = float_of(bits);
        if (!(std::fabs(x) < 88.72f || (x < 0 && x > -103.9f))) return;
        const double error = test::ulps_from(exp_f32(x), std::exp(static_cast<double>(x)));
        if (error > worst) {
            worst = error;
            worst_at = x;
        }
    };
    for (uint64_t bits = 0; bits < 0x100000000; bits += 1009) look(static_cast<uint32_t>(bits));
    for (uint32_t bits = bits_of(0.1f); bits < bits_of(104.0f); bits += 61) {  // where the result moves
        look(bits);
        look(bits | 0x80000000);
    }
    INFO("worst at ", worst_at);
    CHECK(worst < 1.0);
    CHECK(worst > 0.5);  // the sweep really compared something
}

TEST_CASE("exp: exact values, limits and special arguments") {
    const float infinity = std::numeric_limits<float>::infinity();
    CHECK(bits_of(exp_f32(0.0f)) == bits_of(1.0f));
    CHECK(bits_of(exp_f32(-0.0f)) == bits_of(1.0f));
    CHECK(exp_f32(infinity) == infinity);
    CHECK(bits_of(exp_f32(-infinity)) == 0);
    CHECK(exp_f32(88.8f) == infinity);
    CHECK(exp_f32(std::numeric_limits<float>::max()) == infinity);
    CHECK(exp_f32(88.72283f) < infinity);
    CHECK(bits_of(exp_f32(-103.97f)) == 1);  // the smallest denormal
    CHECK(bits_of(exp_f32(-104.0f)) == 0);
    CHECK(bits_of(exp_f32(-std::numeric_limits<float>::max())) == 0);
    for (uint32_t nan : {0x7fc00000u, 0xffc12345u, 0x7f800001u}) CHECK(bits_of(exp_f32(float_of(nan))) == 0x7fc00000u);
    for (uint32_t exponent = 1; exponent < 100; ++exponent) {  // |x| < 2^-27: 1 + x rounds to 1
        CHECK(exp_f32(float_of(exponent << 23 | 0x2aaaaa)) == 1.0f);
        CHECK(exp_f32(float_of(0x80000000 | exponent << 23 | 0x2aaaaa)) == 1.0f);
    }
}

TEST_CASE("exp: never falls when its argument rises by one float") {
    for (float start : {-100.0f, -20.0f, -1.0f, -0.35f, 0.34f, 1.0f, 17.0f, 88.0f}) {
        float before = exp_f32(start);
        float x = start;
        for (int i = 0; i < 20000; ++i) {
            x = std::nextafter(x, 1000.0f);
            const float now = exp_f32(x);
            // Within 1 ulp on both sides a step back by one ulp is possible in principle; more is an error.
            REQUIRE(now >= std::nextafter(before, 0.0f));
            before = now;
        }
    }
}

// cos and sin of the exact angle, rounded once, must be what comes out; the slack is the reference's own error, 2^-61
// of the angle, and never lets a neighbouring float pass except next to a rounding border.
void check_angle(int64_t pos, int64_t i, int64_t n_dims, double base, double factor) {
    float c = 0;
    float s = 0;
    kern::rope_angle(pos, kern::rope_frequency(i, n_dims, base, factor), &c, &s);
    const long double exponent = -static_cast<long double>(2 * i) / static_cast<long double>(n_dims);
    const long double angle =
        static_cast<long double>(pos) * std::pow(static_cast<long double>(base), exponent) / factor;
    const double slack = static_cast<double>(std::fabs(angle)) * 0x1p-61 + 0x1p-60;
    const auto near = [slack](float actual, long double exact) {
        const double ulp = std::ldexp(1.0, std::max(exact == 0 ? -200 : std::ilogb(exact), -126) - 23);
        return std::fabs(static_cast<double>(actual - exact)) <= 0.5 * ulp * 1.0000001 + slack;
    };
    INFO("pos ", pos, ", i ", i, " of ", n_dims, ", base ", base, ", factor ", factor);
    CHECK(near(c, std::cos(angle)));
    CHECK(near(s, std::sin(angle)));
}

TEST_CASE("rope_angle: correctly rounded for positions to 2^31, bases to 1e8, any number of dimensions") {
    std::mt19937_64 random(11);
    constexpr double kBases[] = {10000.0, 500000.0, 1000000.0, 1e8, 2.5, 1.0, 0.5};
    constexpr int64_t kDims[] = {128, 64, 96, 100, 20, 2};
    for (int round = 0; round < 40000; ++round) {
        const int64_t pos = static_cast<int64_t>(random() >> (33 + random() % 31));
        const int64_t n_dims = kDims[random() % 6];
        const int64_t i = static_cast<int64_t>(random() % static_cast<uint64_t>(n_dims / 2));
        const double factor = random() % 3 != 0 ? 1.0 : 0.25 + static_cast<double>(random() % 1000) / 100.0;
        check_angle(pos, i, n_dims, kBases[random() % 7], factor);
    }
    for (int64_t i = 0; i < 64; ++i) check_angle((int64_t{1} << 31) - 1, i, 128, 500000.0, 1.0);
    for (int64_t pos = -3; pos < 2000; ++pos) check_angle(pos, 0, 128, 500000.0, 1.0);
    // Whole numbers next to multiples of pi/2 (convergents of pi): the result is as small as it gets.
    for (int64_t pos : {11, 22, 44, 333, 355, 710, 103993, 104348, 208341, 312689, 833719, 1146408, 4272943, 80143857,
                        245850922, 411557987}) {
        check_angle(pos, 0, 128, 10000.0, 1.0);
    }
}

TEST_CASE("rope_angle: position 0 is the identity, and what has no angle gives NaN") {
    float c = 0;
    float s = 1;
    for (int64_t i = 0; i < 64; ++i) {
        kern::rope_angle(0, kern::rope_frequency(i, 128, 500000.0, 1.0), &c, &s);
        CHECK(bits_of(c) == bits_of(1.0f));
        CHECK(s == 0.0f);
    }
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const double infinity = std::numeric_limits<double>::infinity();
    struct Bad {
        int64_t pos, i, n_dims;
        double base, factor;
    };
    constexpr int64_t kFar = std::numeric_limits<int64_t>::max();
    for (const Bad& bad :
         {Bad{1, 0, 128, 0.0, 1.0}, Bad{1, 1, 128, -3.0, 1.0}, Bad{1, 1, 128, nan, 1.0}, Bad{1, 1, 128, infinity, 1.0},
          Bad{1, 1, 0, 10000.0, 1.0}, Bad{1, 1, 128, 10000.0, 0.0}, Bad{1, 1, 128, 10000.0, nan},
          Bad{kFar, 0, 128, 10000.0, 1.0}, Bad{1, kFar, 128, 10000.0, 1.0}, Bad{1, 1, 128, 10000.0, 1e-300}}) {
        c = s = 0;
        kern::rope_angle(bad.pos, kern::rope_frequency(bad.i, bad.n_dims, bad.base, bad.factor), &c, &s);
        CHECK(bits_of(c) == 0x7fc00000u);
        CHECK(bits_of(s) == 0x7fc00000u);
    }
}

// The value of a half by its definition.
double half_value(uint16_t h) {
    const int exponent = h >> 10 & 31;
    const int mantissa = h & 1023;
    const double magnitude = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    return (h & 0x8000) != 0 ? -magnitude : magnitude;
}

TEST_CASE("f16: all 65,536 halves convert to their value, and back to themselves") {
    for (uint32_t u = 0; u < 65536; ++u) {
        const uint16_t h = static_cast<uint16_t>(u);
        const float f = kern::f16_to_f32_value(h);
        const uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16;
        if ((h & 0x7c00) != 0x7c00) {
            REQUIRE(f == half_value(h));
            REQUIRE(std::signbit(f) == (sign != 0));
            REQUIRE(kern::f32_to_f16_value(f) == h);
        } else if ((h & 0x3ff) == 0) {
            REQUIRE(bits_of(f) == (sign | 0x7f800000));
            REQUIRE(kern::f32_to_f16_value(f) == h);
        } else {  // a NaN keeps its payload and becomes quiet
            REQUIRE(bits_of(f) == (sign | 0x7fc00000 | static_cast<uint32_t>(h & 0x3ff) << 13));
            REQUIRE(kern::f32_to_f16_value(f) == (h | 0x200));
        }
    }
}

TEST_CASE("f16: rounding is half to even at the border between any two neighbouring halves") {
    for (uint32_t sign : {0u, 0x8000u}) {
        for (uint32_t h = 0; h < 0x7bff; ++h) {
            const uint16_t below = static_cast<uint16_t>(sign | h);
            const uint16_t above = static_cast<uint16_t>(sign | (h + 1));
            const float border = static_cast<float>((half_value(below) + half_value(above)) / 2);  // exact
            const float outwards = sign != 0 ? -1e30f : 1e30f;
            REQUIRE(kern::f32_to_f16_value(border) == ((h & 1) == 0 ? below : above));
            REQUIRE(kern::f32_to_f16_value(std::nextafter(border, 0.0f)) == below);
            REQUIRE(kern::f32_to_f16_value(std::nextafter(border, outwards)) == above);
        }
        const uint16_t infinity = static_cast<uint16_t>(sign | 0x7c00);
        const float direction = sign != 0 ? -1.0f : 1.0f;
        CHECK(kern::f32_to_f16_value(direction * 65519.996f) == (sign | 0x7bff));
        CHECK(kern::f32_to_f16_value(direction * 65520.0f) == infinity);
        CHECK(kern::f32_to_f16_value(direction * 3e38f) == infinity);
        CHECK(kern::f32_to_f16_value(direction * 1e-45f) == sign);
    }
    CHECK(kern::f32_to_f16_value(float_of(0x7f800001)) == 0x7e00);  // the payload lies below the kept bits
    CHECK(kern::f32_to_f16_value(float_of(0xff802000)) == 0xfe01);
    CHECK(kern::f32_to_f16_value(float_of(0x7fffffff)) == 0x7fff);
}

}  // namespace
