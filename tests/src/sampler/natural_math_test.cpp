// The sampler's own exponential and logarithm against the C library's in long double.
#include "src/sampler/natural_math.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "src/sampler/rng.h"

using namespace bitnet;

TEST_CASE("the own logarithm agrees with the C library") {
    Pcg32 rng(11);
    for (int i = 0; i < 20000; ++i) {
        const double x = std::ldexp(1 + rng.next_unit(), static_cast<int>(rng.next_u32() % 120) - 60);
        CHECK(std::fabs(natural_log(x) - std::log(x)) <= 4e-16 * std::max(1.0, std::fabs(std::log(x))));
    }
    CHECK(natural_log(1) == 0);
    CHECK(natural_log(2) == 0x1.62e42fefa39efp-1);
    CHECK(natural_log(0.5) == -0x1.62e42fefa39efp-1);
}

TEST_CASE("the exponential is within 2 ulp of the C library's over the whole range, and exact at its ends") {
    const auto check = [](double x) {
        const double expected = static_cast<double>(std::exp(static_cast<long double>(x)));
        CAPTURE(x);
        CHECK(std::fabs(natural_exp(x) - expected) <= 4.5e-16 * expected);
    };
    Pcg32 rng(11);
    for (int i = 0; i < 20000; ++i) check((rng.next_unit() - 0.5) * 1400);
    for (int i = 0; i < 20000; ++i) check((rng.next_unit() - 0.5) * 4);
    for (const double edge : {-708.0, 709.0, -1e-300, 1e-300, 0.34657359027997, -0.34657359027998}) check(edge);
    CHECK(natural_exp(0) == 1);
    CHECK(natural_exp(-0.0) == 1);
    CHECK(natural_exp(-1e308) == 0);
    CHECK(natural_exp(-std::numeric_limits<double>::infinity()) == 0);
    CHECK(natural_exp(1e308) == std::numeric_limits<double>::infinity());
}
