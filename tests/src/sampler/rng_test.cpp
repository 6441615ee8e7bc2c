// PCG32 against the published output of the paper's demonstration program, and the shape of its doubles.
#include "src/sampler/rng.h"

#include <doctest/doctest.h>

#include <cstdint>

using bitnet::Pcg32;

TEST_CASE("PCG32 with seed 42 and stream 54 gives the numbers of the reference demonstration") {
    const uint32_t expected[] = {0xa15c02b7, 0x7b47f409, 0xba1d3330, 0x83d2f293, 0xbfa4784b, 0xcbed606e};
    Pcg32 rng(42, 54);
    for (const uint32_t value : expected) CHECK(rng.next_u32() == value);
}

TEST_CASE("the sampler's stream is the reference one, and streams differ") {
    Pcg32 plain(42);
    Pcg32 reference(42, 54);
    Pcg32 other(42, 55);
    int same = 0;
    for (int i = 0; i < 100; ++i) {
        const uint32_t value = plain.next_u32();
        CHECK(value == reference.next_u32());
        same += value == other.next_u32();
    }
    CHECK(same < 3);
}

TEST_CASE("a unit number is the upper 53 bits of two outputs, first one on top") {
    Pcg32 rng(42);
    CHECK(rng.next_unit() == static_cast<double>(0xa15c02b77b47f409ull >> 11) / 9007199254740992.0);
    CHECK(rng.next_unit() == static_cast<double>(0xba1d333083d2f293ull >> 11) / 9007199254740992.0);
}

TEST_CASE("unit numbers stay in [0, 1) and fill it evenly") {
    Pcg32 rng(7);
    int buckets[10] = {};
    for (int i = 0; i < 100000; ++i) {
        const double u = rng.next_unit();
        REQUIRE(u >= 0);
        REQUIRE(u < 1);
        ++buckets[static_cast<int>(u * 10)];
    }
    double chi_square = 0;
    for (const int count : buckets) chi_square += (count - 10000.0) * (count - 10000.0) / 10000.0;
    CHECK(chi_square < 27.9);  // 9 degrees of freedom, p = 0.001
}
