// TL1, TL2, IQ1_BN, IQ2_BN and IQ2_BN_R4: repacked and encoded as the closed forms of the format say, digests of a second
// program's bytes, and codes, tilings and shapes that are none.
#include "kernels/ternary_dialects.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/dialect_bytes.h"
#include "tests/support/kernel_cases.h"

using kern::DialectShape;
using kern::QuantType;

namespace {

test::TernaryMatrix random_ternary(int64_t n_rows, int64_t k, uint64_t seed, bool row_scales) {
    test::Random random(seed);
    test::TernaryMatrix w{n_rows, k, {}, {}};
    for (int64_t i = 0; i < n_rows * k; ++i) w.weights.push_back(random.below(3) - 1);
    for (int64_t m = 0; m < n_rows; ++m)
        w.scales.push_back(row_scales ? 0.5f + 0.125f * static_cast<float>(m % 7) : 1.25f);
    return w;
}

struct Case {
    QuantType type;
    int64_t n_rows, k;
    test::Tiles tiles;
};

const Case kCases[] = {
    {QuantType::tl1, 128, 256, {64, 64, 32}},  {QuantType::tl1, 128, 256, {128, 128, 64}},
    {QuantType::tl1, 192, 384, {64, 128, 64}}, {QuantType::tl1, 64, 128, {32, 8, 32}},
    {QuantType::tl2, 64, 256, {32, 96, 32}},   {QuantType::tl2, 128, 384, {64, 192, 32}},
    {QuantType::tl2, 96, 512, {96, 96, 32}},   {QuantType::tl2, 64, 1536, {64, 192, 32}},
    {QuantType::iq1_bn, 5, 384, {}},           {QuantType::iq2_bn, 5, 384, {}},
    {QuantType::iq2_bn_r4, 12, 256, {}},
};

std::vector<uint8_t> expected_bytes(const Case& c, const test::TernaryMatrix& w) {
    switch (c.type) {
        case QuantType::tl1: return test::tl1_bytes(w, c.tiles);
        case QuantType::tl2: return test::tl2_bytes(w, c.tiles);
        case QuantType::iq1_bn: return test::iq1_bn_bytes(w);
        case QuantType::iq2_bn: return test::iq2_bn_bytes(w);
        default: return test::iq2_bn_r4_bytes(w);
    }
}

DialectShape shape_of(const Case& c) { return {c.type, c.k, c.n_rows, {c.tiles.BM, c.tiles.BK, c.tiles.bm}}; }

// fnv-1a, which the script that knows the expected bytes computes too.
std::string digest(const std::vector<uint8_t>& bytes) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (const uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3u;
    char text[20];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
    return text;
}

std::vector<uint8_t> encoded(const DialectShape& shape, const test::TernaryMatrix& w, float scale) {
    uint64_t n_bytes = 0;
    REQUIRE(kern::quant_tensor_bytes(shape.type, shape.k, shape.n_rows, &n_bytes));
    std::vector<float> values;
    for (int64_t i = 0; i < w.n_rows * w.k; ++i)
        values.push_back(w.scales[static_cast<size_t>(i / w.k)] *
                         static_cast<float>(w.weights[static_cast<size_t>(i)]));
    std::vector<uint8_t> out(static_cast<size_t>(n_bytes));
    const int64_t step = kern::dialect_row_step(shape);
    for (int64_t row = 0; row < shape.n_rows; row += step)  // in the pieces that threads may take
        kern::dialect_encode(shape, values.data() + row * shape.k, row, std::min(row + step, shape.n_rows), scale,
                             out.data());
    return out;
}

}  // namespace

TEST_CASE("every dialect is read as the I2_S codes and scales that its closed form says") {
    for (const Case& c : kCases) {
        CAPTURE(kern::quant_type_info(c.type).name);
        CAPTURE(c.k);
        const DialectShape shape = shape_of(c);
        REQUIRE(kern::dialect_problem(shape) == nullptr);
        const bool row_scales = kern::dialect_has_row_scales(c.type);
        const test::TernaryMatrix w = random_ternary(c.n_rows, c.k, 11 + static_cast<uint64_t>(c.k), row_scales);
        const std::vector<uint8_t> bytes = expected_bytes(c, w);
        uint64_t n_bytes = 0;
        REQUIRE(kern::quant_tensor_bytes(c.type, c.k, c.n_rows, &n_bytes));
        REQUIRE(n_bytes == bytes.size());
        std::vector<uint8_t> codes(static_cast<size_t>(c.n_rows * c.k / 4));
        std::vector<float> scales(static_cast<size_t>(c.n_rows));
        const test::OffsetBytes stored(bytes.data(), bytes.size(), 1);  // any address will do, and no byte more is read
        const int64_t half = c.n_rows / 2;
        CHECK(kern::dialect_to_i2s(shape, stored.data(), 0, half, codes.data(), scales.data()) == half);
        CHECK(kern::dialect_to_i2s(shape, stored.data(), half, c.n_rows, codes.data() + half * (c.k / 4),
                                   scales.data() + half) == c.n_rows);
        std::vector<uint8_t> i2s = test::i2_s_bytes(w);
        i2s.resize(codes.size());
        CHECK(codes == i2s);
        if (row_scales) {
            CHECK(scales == w.scales);
        } else {
            CHECK(kern::dialect_tensor_scale(shape, stored.data()) == 1.25f);
        }
    }
}

TEST_CASE("every dialect is written as its closed form says, with the scale given or each row's own") {
    for (const Case& c : kCases) {
        CAPTURE(kern::quant_type_info(c.type).name);
        const DialectShape shape = shape_of(c);
        const bool row_scales = kern::dialect_has_row_scales(c.type);
        const test::TernaryMatrix w = random_ternary(c.n_rows, c.k, 5, row_scales);
        CHECK(encoded(shape, w, row_scales ? 0.0f : 1.25f) == expected_bytes(c, w));
        const test::TernaryMatrix same = random_ternary(c.n_rows, c.k, 5, false);
        CHECK(encoded(shape, same, 1.25f) == expected_bytes(c, same));
    }
}

TEST_CASE("the bytes of every dialect are those of a second program") {
    std::ifstream in(std::filesystem::path(__FILE__).parent_path().parent_path() / "golden" / "expected_dialects.json");
    const nlohmann::json expected = nlohmann::json::parse(in);
    REQUIRE(expected.size() == 8);
    for (const nlohmann::json& row : expected) {
        const std::string name = row.at("type");
        CAPTURE(name);
        const kern::QuantTypeInfo* info = kern::find_quant_type_by_name(name.c_str());
        REQUIRE(info != nullptr);
        const std::vector<int64_t> tiles = row.at("tiles");
        const Case c{info->type, row.at("rows"), row.at("columns"), {tiles[0], tiles[1], tiles[2]}};
        // Weight i is (i * i + i / 7) % 3 - 1, the scale of row m 1 + m % 5 quarters, or 1.25 for all.
        test::TernaryMatrix w{c.n_rows, c.k, {}, {}};
        for (int64_t i = 0; i < c.n_rows * c.k; ++i) w.weights.push_back(static_cast<int>((i * i + i / 7) % 3) - 1);
        const bool row_scales = kern::dialect_has_row_scales(c.type);
        for (int64_t m = 0; m < c.n_rows; ++m)
            w.scales.push_back(row_scales ? 0.25f * static_cast<float>(1 + m % 5) : 1.25f);
        CHECK(digest(encoded(shape_of(c), w, row_scales ? 0.0f : 1.25f)) == row.at("fnv1a"));
    }
}

TEST_CASE("codes that mean no weight are told with the first row that has them, and count as 0") {
    for (const Case& c : kCases) {
        CAPTURE(kern::quant_type_info(c.type).name);
        const DialectShape shape = shape_of(c);
        const test::TernaryMatrix w = random_ternary(c.n_rows, c.k, 3, false);
        std::vector<uint8_t> bytes = expected_bytes(c, w);
        // The last byte of codes that row 0 has in each type; all its bits set are code 3, index 15 or a byte no trits give.
        size_t at = 0;
        if (c.type == QuantType::iq2_bn_r4) at = 16 + static_cast<size_t>(c.k) - 16;
        if (c.type == QuantType::iq2_bn) at = 3 + static_cast<size_t>(c.k) / 4;
        if (c.type == QuantType::iq1_bn) at = 1 + static_cast<size_t>(c.k) / 64 * 13;
        bytes[at] = 0xff;
        std::vector<uint8_t> codes(static_cast<size_t>(c.n_rows * c.k / 4));
        std::vector<float> scales(static_cast<size_t>(c.n_rows));
        CHECK(kern::dialect_to_i2s(shape, bytes.data(), 0, c.n_rows, codes.data(), scales.data()) == 0);
        CHECK(kern::dialect_to_i2s(shape, bytes.data(), 1, c.n_rows, codes.data(), scales.data()) == c.n_rows);
        kern::dialect_to_i2s(shape, bytes.data(), 0, c.n_rows, codes.data(), scales.data());
        for (const uint8_t byte : codes)
            CHECK((byte & byte >> 1 & 0x55) == 0);  // nothing that a kernel would read as +2
    }
    // TL2: a sign bit at the triple 0, 0, 0, which no encoder sets.
    test::TernaryMatrix zero{32, 256, std::vector<int>(32 * 256), std::vector<float>(32, 1.0f)};
    std::vector<uint8_t> bytes = test::tl2_bytes(zero, {32, 96, 32});
    bytes[32 * 192 / 6 + 2 * 5 + 1] |= 0x80;  // number 5, bit 15: row 5, triple 0
    std::vector<uint8_t> codes(32 * 64);
    CHECK(kern::dialect_to_i2s({QuantType::tl2, 256, 32, {32, 96, 32}}, bytes.data(), 0, 32, codes.data(), nullptr) ==
          5);
}

TEST_CASE("any bytes at all are read as weights without reading beyond the tensor") {
    test::Random random(17);
    for (const Case& c : kCases) {
        const DialectShape shape = shape_of(c);
        uint64_t n_bytes = 0;
        REQUIRE(kern::quant_tensor_bytes(c.type, c.k, c.n_rows, &n_bytes));
        test::OffsetBytes bytes(static_cast<size_t>(n_bytes), 3);
        for (size_t i = 0; i < bytes.size(); ++i) bytes.data()[i] = static_cast<unsigned char>(random.bits());
        test::OffsetBytes codes(static_cast<size_t>(c.n_rows * c.k / 4), 1);
        std::vector<float> scales(static_cast<size_t>(c.n_rows));
        CHECK(kern::dialect_to_i2s(shape, bytes.data(), 0, c.n_rows, codes.data(), scales.data()) < c.n_rows);
        bool code3 = false;
        for (size_t i = 0; i < codes.size(); ++i) code3 = code3 || (codes.data()[i] & codes.data()[i] >> 1 & 0x55) != 0;
        CHECK(!code3);
    }
}

TEST_CASE("a row whose scale is 0 holds zeros, whatever its codes say") {
    test::TernaryMatrix w = random_ternary(4, 128, 2, true);
    w.scales[2] = 0.0f;
    const std::vector<uint8_t> bytes = test::iq2_bn_bytes(w);
    std::vector<uint8_t> codes(4 * 32);
    std::vector<float> scales(4);
    CHECK(kern::dialect_to_i2s({QuantType::iq2_bn, 128, 4, {}}, bytes.data(), 0, 4, codes.data(), scales.data()) == 4);
    for (int i = 0; i < 32; ++i) CHECK(codes[static_cast<size_t>(2 * 32 + i)] == 0x55);
}

TEST_CASE("shapes and tilings that cannot be are told by name") {
    const auto problem = [](const DialectShape& shape) {
        const char* text = kern::dialect_problem(shape);
        return std::string(text != nullptr ? text : "");
    };
    const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
    CHECK(has(problem({QuantType::i2_s, 64, 3, {}}), "multiple of 128"));
    CHECK(has(problem({QuantType::iq2_bn_r4, 128, 6, {}}), "multiple of 4"));
    CHECK(has(problem({QuantType::iq2_bn, 0, 6, {}}), "empty"));
    CHECK(problem({QuantType::tl1, 8640, 3200, {160, 64, 32}}).empty());
    CHECK(has(problem({QuantType::tl1, 256, 128, {}}), "above 0"));
    CHECK(has(problem({QuantType::tl1, 256, 128, {std::numeric_limits<int64_t>::max(), 64, 32}}), "above 0"));
    CHECK(has(problem({QuantType::tl1, 256, 128, {96, 64, 32}}), "multiple of BM"));
    CHECK(has(problem({QuantType::tl1, 256, 128, {64, 64, 16}}), "bm is 32 or 64"));
    CHECK(has(problem({QuantType::tl1, 256, 128, {32, 64, 64}}), "BM is a multiple of bm"));
    CHECK(has(problem({QuantType::tl1, 256, 128, {64, 12, 32}}), "256 / bm"));
    CHECK(has(problem({QuantType::tl1, 256, 128, {64, 96, 32}}), "multiple of BK"));
    CHECK(has(problem({QuantType::tl2, 256, 128, {64, 96, 64}}), "bm is 32"));
    CHECK(has(problem({QuantType::tl2, 256, 128, {16, 96, 32}}), "multiple of 32"));
    CHECK(has(problem({QuantType::tl2, 256, 128, {64, 64, 32}}), "multiple of 24"));
    CHECK(has(problem({QuantType::tl2, 256, 128, {64, 72, 32}}), "multiple of 32"));
    CHECK(has(problem({QuantType::tl2, 128, 128, {64, 96, 32}}), "fewer than 256"));
    // All of K as pairs takes a quarter byte a weight, more than is reserved.
    CHECK(has(problem({QuantType::tl2, 768, 64, {64, 1536, 32}}), "smaller BK"));
    CHECK(problem({QuantType::tl2, 4096, 1024, {256, 96, 32}}).empty());
}
