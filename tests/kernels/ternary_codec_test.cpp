// I2_S, TQ2_0 and TQ1_0: decode against the format descriptions (tests/support/ternary_reference.h) for every byte
// value, round trips, the encoders' thresholds, and the checks and conversions of whole tensors.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "kernels/ternary_layouts.h"
#include "tests/support/kernel_cases.h"
#include "tests/support/ternary_reference.h"

using kern::QuantType;

namespace {

std::vector<float> decode(QuantType type, const std::vector<unsigned char>& bytes, float scale = 1.0f) {
    const kern::QuantTypeInfo& info = kern::quant_type_info(type);
    const int64_t n = static_cast<int64_t>(bytes.size()) / info.block_bytes * info.block_length;
    std::vector<float> out(static_cast<size_t>(n));
    info.decode(bytes.data(), scale, n, out.data());
    return out;
}

std::vector<unsigned char> encode(QuantType type, const std::vector<float>& values) {
    const kern::QuantTypeInfo& info = kern::quant_type_info(type);
    std::vector<unsigned char> bytes(values.size() / info.block_length * info.block_bytes);
    info.encode(values.data(), 1.0f, static_cast<int64_t>(values.size()), bytes.data());
    return bytes;
}

// The byte of five trits, most significant first, by search instead of arithmetic: the smallest byte b with
// b / 256 >= v / 243.
unsigned byte_of(int v) {
    for (int b = 0; b < 256; ++b) {
        if (b * 243 >= v * 256) return static_cast<unsigned>(b);
    }
    return 255;
}

}  // namespace

TEST_CASE("I2_S and TQ2_0 decode every byte as their pictures say") {
    for (int value = 0; value < 256; ++value) {
        const std::vector<unsigned char> i2s(32, static_cast<unsigned char>(value));
        const std::vector<float> out = decode(QuantType::i2_s, i2s, 0.5f);
        const test::TernaryRow row = test::unpack_row(QuantType::i2_s, i2s.data(), 128);
        for (size_t i = 0; i < 128; ++i) CHECK(out[i] == 0.5f * static_cast<float>(row.weights[i]));

        std::vector<unsigned char> tq2(66, static_cast<unsigned char>(value));
        tq2[64] = 0x00;
        tq2[65] = 0xb8;  // -0.5
        const std::vector<float> out2 = decode(QuantType::tq2_0, tq2);
        const test::TernaryRow row2 = test::unpack_row(QuantType::tq2_0, tq2.data(), 256);
        for (size_t i = 0; i < 256; ++i) CHECK(out2[i] == -0.5f * static_cast<float>(row2.weights[i]));
    }
}

TEST_CASE("each weight of a block has its own two bits") {
    for (const QuantType type : {QuantType::i2_s, QuantType::tq2_0}) {
        const size_t n = kern::quant_type_info(type).block_length;
        std::set<std::vector<unsigned char>> seen;
        for (size_t i = 0; i < n; ++i) {
            std::vector<float> values(n, 0.0f);
            values[i] = 1.0f;
            if (type == QuantType::tq2_0) values[(i + 1) % n] = -1.0f;  // keeps the block's scale at 1
            const std::vector<unsigned char> bytes = encode(type, values);
            CHECK(decode(type, bytes) == values);
            seen.insert(bytes);
        }
        CHECK(seen.size() == n);
    }
    // Two places by hand: weight 33 of I2_S is byte 1, bits 5:4; weight 200 of TQ2_0 is byte 32 + 8, bits 5:4.
    std::vector<float> values(128, 0.0f);
    values[33] = 1.0f;
    CHECK(encode(QuantType::i2_s, values)[1] == 0b01'10'01'01);
    values.assign(256, 0.0f);
    values[200] = 1.0f;
    CHECK(encode(QuantType::tq2_0, values)[40] == 0b01'10'01'01);
}

TEST_CASE("TQ1_0 decodes every byte an encoder writes to its five digits, and every other byte to trits") {
    for (int v = 0; v < 243; ++v) {
        std::vector<unsigned char> bytes(54, static_cast<unsigned char>(byte_of(v)));
        bytes[52] = 0x00;
        bytes[53] = 0x40;  // 2.0
        const std::vector<float> out = decode(QuantType::tq1_0, bytes);
        constexpr int kPow3[] = {81, 27, 9, 3, 1};
        for (int i = 0; i < 256; ++i) {
            const int digit = i < 160 ? i / 32 : i < 240 ? (i - 160) / 16 : (i - 240) / 4;
            CHECK(out[static_cast<size_t>(i)] == 2.0f * static_cast<float>(v / kPow3[digit] % 3 - 1));
        }
    }
    for (int value = 0; value < 256; ++value) {
        std::vector<unsigned char> bytes(54, static_cast<unsigned char>(value));
        bytes[52] = 0x00;
        bytes[53] = 0x3c;  // 1.0
        for (const float w : decode(QuantType::tq1_0, bytes)) CHECK((w == -1.0f || w == 0.0f || w == 1.0f));
    }
}

TEST_CASE("ternary values on a half-precision scale survive every ternary type unchanged") {
    test::Random random(3);
    for (const float scale : {1.0f, 0.0078125f, 1.21875f, 6.103515625e-05f}) {
        std::vector<float> values(512);
        for (float& v : values) v = scale * static_cast<float>(random.below(3) - 1);
        values[0] = scale;
        values[256] = -scale;
        CHECK(decode(QuantType::tq1_0, encode(QuantType::tq1_0, values)) == values);
        CHECK(decode(QuantType::tq2_0, encode(QuantType::tq2_0, values)) == values);
        CHECK(decode(QuantType::i2_s, encode(QuantType::i2_s, values), scale) == values);
    }
}

TEST_CASE("the TQ encoders take the block's largest magnitude as the scale and round halves away from zero") {
    for (const QuantType type : {QuantType::tq1_0, QuantType::tq2_0}) {
        std::vector<float> values(256, 0.0f);
        values[0] = -4.0f;
        values[1] = 2.0f;
        values[2] = -2.0f;
        values[3] = 1.9999f;
        values[4] = -1.9999f;
        values[5] = 4.0f;
        std::vector<float> expected(256, 0.0f);
        expected[0] = -4.0f;
        expected[1] = 4.0f;
        expected[2] = -4.0f;
        expected[5] = 4.0f;
        CHECK(decode(type, encode(type, values)) == expected);
        // All zero, and values no float can invert: a zero scale or zero weights, never a NaN.
        CHECK(decode(type, encode(type, std::vector<float>(256, 0.0f))) == std::vector<float>(256, 0.0f));
        for (const float w : decode(type, encode(type, std::vector<float>(256, 1e-45f)))) CHECK(w == 0.0f);
        values[7] = std::numeric_limits<float>::quiet_NaN();
        values[8] = -std::numeric_limits<float>::infinity();
        CHECK(decode(type, encode(type, values)) == expected);
    }
}

TEST_CASE("the I2_S encoder keeps the sign of everything from one millionth up") {
    std::vector<float> values(128, 0.0f);
    values[0] = 1e-6f;
    values[1] = -1e-6f;
    values[2] = 9.99e-7f;
    values[3] = -9.99e-7f;
    values[4] = 1e30f;
    values[5] = -std::numeric_limits<float>::infinity();
    values[6] = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> expected(128, 0.0f);
    expected[0] = expected[4] = 3.0f;
    expected[1] = expected[5] = -3.0f;
    CHECK(decode(QuantType::i2_s, encode(QuantType::i2_s, values), 3.0f) == expected);
}

TEST_CASE("the code check finds a code 3 at any place of any length and accepts everything else") {
    std::vector<unsigned char> bytes(10000);
    test::Random random(4);
    for (unsigned char& byte : bytes) {
        byte = 0;
        for (int f = 0; f < 4; ++f) byte = static_cast<unsigned char>(byte << 2 | random.below(3));
    }
    for (size_t n = 0; n <= 70; ++n) {
        CHECK(kern::ternary_codes_valid(bytes.data() + 1, n));
        for (size_t at = 0; at < n; ++at) {
            for (int f = 0; f < 4; ++f) {
                const unsigned char before = bytes[1 + at];
                bytes[1 + at] = static_cast<unsigned char>(before | 3 << (2 * f));
                CHECK_FALSE(kern::ternary_codes_valid(bytes.data() + 1, n));
                bytes[1 + at] = before;
            }
        }
    }
    CHECK(kern::ternary_codes_valid(bytes.data(), bytes.size()));
    for (const size_t at : {size_t{0}, size_t{4095}, size_t{4096}, size_t{8191}, size_t{8192}, size_t{9999}}) {
        bytes[at] ^= 0xff;
        const bool has_3 = ((bytes[at] & bytes[at] >> 1) & 0x55) != 0;
        CHECK(kern::ternary_codes_valid(bytes.data(), bytes.size()) == !has_3);
        bytes[at] = 0xc0;
        CHECK_FALSE(kern::ternary_codes_valid(bytes.data(), bytes.size()));
        bytes[at] = 0;
    }
}

TEST_CASE("the block checks accept exactly the bytes an encoder writes, whatever the scale") {
    std::set<unsigned> five, four;
    for (int v = 0; v < 243; ++v) five.insert(byte_of(v));
    for (int v = 0; v < 81; ++v) four.insert(byte_of(3 * v));
    REQUIRE(five.size() == 243);
    REQUIRE(four.size() == 81);
    for (unsigned value = 0; value < 256; ++value) {
        for (const size_t at :
             {size_t{0}, size_t{31}, size_t{32}, size_t{47}, size_t{48}, size_t{51}, size_t{52}, size_t{53}}) {
            std::vector<unsigned char> blocks(2 * 54, 0);
            blocks[54 + at] = static_cast<unsigned char>(value);
            const bool valid = at >= 52 || (at < 48 ? five : four).count(value) == 1;
            CHECK(kern::tq1_0_blocks_valid(blocks.data(), 2) == valid);
            CHECK(kern::tq1_0_blocks_valid(blocks.data(), 1));
        }
        for (const size_t at : {size_t{0}, size_t{7}, size_t{8}, size_t{63}, size_t{64}, size_t{65}}) {
            std::vector<unsigned char> blocks(2 * 66, 0x55);
            blocks[66 + at] = static_cast<unsigned char>(value);
            const bool valid = at >= 64 || ((value & value >> 1) & 0x55) == 0;
            CHECK(kern::tq2_0_blocks_valid(blocks.data(), 2) == valid);
            CHECK(kern::tq2_0_blocks_valid(blocks.data(), 1));
        }
    }
}

TEST_CASE("the ARM order repacks to the same weights, in place too") {
    test::Random random(5);
    std::vector<unsigned char> arm(32 * 9);
    for (unsigned char& byte : arm) byte = static_cast<unsigned char>(random.bits());
    std::vector<int> codes;  // by the picture of "64/16"
    for (size_t i = 0; i < arm.size() * 4; ++i) {
        const size_t in_block = i % 64;
        codes.push_back(arm[i / 64 * 16 + in_block % 16] >> (6 - 2 * (in_block / 16)) & 3);
    }
    std::vector<unsigned char> out(arm.size());
    kern::i2s_repack_arm_order(arm.data(), codes.size(), out.data());
    const test::TernaryRow row = test::unpack_row(QuantType::i2_s, out.data(), static_cast<int64_t>(codes.size()));
    for (size_t i = 0; i < codes.size(); ++i) CHECK(row.weights[i] == codes[i] - 1);
    kern::i2s_repack_arm_order(arm.data(), codes.size(), arm.data());
    CHECK(arm == out);
}

TEST_CASE("TQ1_0 blocks repacked as TQ2_0 decode to the same weights") {
    test::Random random(6);
    std::vector<unsigned char> tq1(54 * 40);
    for (unsigned char& byte : tq1) byte = static_cast<unsigned char>(random.bits());
    for (size_t b = 0; b < 40; ++b) tq1[b * 54 + 53] &= 0x3f;  // no NaN scales: they compare unequal
    std::vector<unsigned char> tq2(66 * 40);
    kern::tq1_0_repack_as_tq2_0(tq1.data(), 40, tq2.data());
    CHECK(decode(QuantType::tq2_0, tq2) == decode(QuantType::tq1_0, tq1));
    CHECK(kern::tq2_0_blocks_valid(tq2.data(), 40));
}
