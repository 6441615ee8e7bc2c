// Values through every type: bytes that other programs write, grids that come back unchanged, and naive arithmetic beside.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tests/support/quantizer_fixture.h"

namespace {

// What tests/support cannot know: I2_S written from its description, one weight at a time.
std::vector<uint8_t> pack_i2s(const std::vector<int>& weights, float scale) {
    std::vector<uint8_t> bytes(weights.size() / 4 + 32, 0);
    for (size_t i = 0; i < weights.size(); ++i) {
        const size_t block = i / 128, in_block = i % 128;
        bytes[block * 32 + in_block % 32] |= static_cast<uint8_t>((weights[i] + 1) << (6 - 2 * (in_block / 32)));
    }
    std::memcpy(bytes.data() + weights.size() / 4, &scale, sizeof scale);
    return bytes;
}

// b1.58 in doubles: the mean is summed like this in the product, too.
std::vector<int> absmean_codes(const std::vector<float>& values, float* scale) {
    double sum = 0;
    for (const float x : values) sum += std::fabs(static_cast<double>(x));
    *scale = static_cast<float>(sum / static_cast<double>(values.size()));
    std::vector<int> codes;
    for (const float x : values) codes.push_back(std::clamp(static_cast<int>(std::nearbyint(x / *scale)), -1, 1));
    return codes;
}

double largest_error(const std::vector<float>& a, const std::vector<float>& b) {
    double largest = 0;
    for (size_t i = 0; i < a.size(); ++i)
        largest = std::max(largest, std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    return largest;
}

}  // namespace

TEST_CASE("the quantiser writes the bytes that gguf-py writes") {
    // Hashes (FNV-1a) of gguf 0.17's quantize() over the same 512 values.
    const struct {
        const char* type;
        bool ternary;
        uint64_t hash;
    } rows[] = {
        {"q8_0", false, 0xe231db50a2c555b0u}, {"q4_0", false, 0x61a6c8580f97514bu},
        {"f16", false, 0x10542132c95ede3fu},  {"bf16", false, 0x75be85887e72a349u},
        {"tq1_0", true, 0x23fdb2f2c9bb5e3cu}, {"tq2_0", true, 0x0d7694dfce6855dcu},
    };
    const test::QuantizerHandle quantizer = test::make_quantizer();
    for (const auto& row : rows) {
        CAPTURE(row.type);
        std::vector<float> values(512);
        for (int i = 0; i < 512; ++i) {
            values[static_cast<size_t>(i)] =
                row.ternary ? static_cast<float>(i * 7 % 3 - 1) * 0.75f : static_cast<float>(i * 37 % 101 - 50) / 64.0f;
        }
        CHECK(test::fnv1a(test::quantize(quantizer, test::quant_config(row.type), values).bytes) == row.hash);
    }
}

TEST_CASE("what is ternary already keeps its codes and its scale") {
    const test::QuantizerHandle quantizer = test::make_quantizer();
    // 1e-9 is below what the encoder alone takes for zero, the others are no halves.
    for (const float s : {1.0f, 0.0173f, 3.7e5f, 1e-9f, 1e-30f}) {
        CAPTURE(s);
        const std::vector<float> values = test::ternary_values(11, 384, s);
        const test::Quantized made = test::quantize(quantizer, test::quant_config("i2_s"), values);
        std::vector<int> codes;
        for (const float x : values) codes.push_back((x > 0) - (x < 0));
        CHECK(made.bytes == pack_i2s(codes, s));
        CHECK(made.scales == std::vector<float>{s});
        CHECK(test::dequantize(quantizer, test::quant_config("i2_s"), made, 384) == values);
    }
    std::vector<float> two_scales = test::ternary_values(12, 512, 0.5f);
    for (size_t i = 256; i < 512; ++i) two_scales[i] *= 8.0f;  // each block has a grid of its own
    for (const char* type : {"tq1_0", "tq2_0"}) {
        const test::Quantized made = test::quantize(quantizer, test::quant_config(type), two_scales);
        CHECK(made.scales.empty());
        CHECK(test::dequantize(quantizer, test::quant_config(type), made, 512) == two_scales);
    }
    const std::vector<float> zeros(128, 0.0f);
    CHECK(test::quantize(quantizer, test::quant_config("i2_s"), zeros).bytes ==
          pack_i2s(std::vector<int>(128, 0), 0.0f));
}

TEST_CASE("other tensors are made ternary by the mean of their magnitudes") {
    const test::QuantizerHandle quantizer = test::make_quantizer();
    std::vector<float> values = test::random_values(5, 512);
    values[3] = 100.0f;  // an outlier changes the mean, not the range
    float s = 0;
    const std::vector<int> codes = absmean_codes(values, &s);
    CHECK(std::count(codes.begin(), codes.end(), 0) > 50);
    const test::Quantized made = test::quantize(quantizer, test::quant_config("I2_S"), values);
    CHECK(made.bytes == pack_i2s(codes, s));
    for (const char* type : {"tq1_0", "tq2_0"}) {
        const test::Quantized blocks = test::quantize(quantizer, test::quant_config(type), values);
        const std::vector<float> back = test::dequantize(quantizer, test::quant_config(type), blocks, values.size());
        int wrong = 0;
        for (size_t i = 0; i < back.size(); ++i) {
            wrong += std::fabs(static_cast<double>(back[i]) - static_cast<double>(s) * codes[i]) >
                     static_cast<double>(s) / 2048;
        }
        CHECK(wrong == 0);
    }
}

TEST_CASE("a half of the mean rounds to zero, more rounds away") {
    // |x|: 64 times 1, 64 times 3: the mean is 2, 1 is exactly half of it.
    std::vector<float> values(128, 1.0f);
    for (size_t i = 0; i < 128; i += 2) values[i] = -3.0f;
    const test::QuantizerHandle quantizer = test::make_quantizer();
    std::vector<int> codes(128, 0);
    for (size_t i = 0; i < 128; i += 2) codes[i] = -1;
    CHECK(test::quantize(quantizer, test::quant_config("i2_s"), values).bytes == pack_i2s(codes, 2.0f));
}

TEST_CASE("int8 and int4 blocks are what naive arithmetic makes of them") {
    const test::QuantizerHandle quantizer = test::make_quantizer();
    for (const int bits : {8, 4}) {
        for (const bool asymmetric : {false, true}) {
            for (const size_t block : {size_t{16}, size_t{64}, size_t{96}}) {
                CAPTURE(bits);
                CAPTURE(asymmetric);
                CAPTURE(block);
                const size_t n = 192;
                std::vector<float> values = test::random_values(block + static_cast<size_t>(bits), n);
                if (asymmetric) {
                    for (size_t i = 0; i < n; ++i)
                        values[i] = i % 16 == 0 ? -0.1f : values[i] * 0.5f + 0.4f;  // -0.1 .. 0.9
                }
                std::fill_n(values.begin(), block, 0.0f);
                const bitnet_quantize_config config =
                    test::quant_config(bits == 8 ? "int8" : "int4", block, asymmetric);
                const test::Quantized made = test::quantize(quantizer, config, values);
                std::vector<uint8_t> codes(n * static_cast<size_t>(bits) / 8, 0), zero_points;
                std::vector<float> scales, back(n);
                const int levels = bits == 8 ? 255 : 15, most = bits == 8 ? 127 : 7;
                for (size_t first = 0; first < n; first += block) {
                    const auto [low, high] = std::minmax_element(values.begin() + static_cast<long>(first),
                                                                 values.begin() + static_cast<long>(first + block));
                    const float scale = asymmetric ? (*high - *low) / static_cast<float>(levels)
                                                   : std::max(-*low, *high) / static_cast<float>(most);
                    int zero = bits == 4 ? 8 : 0;
                    if (asymmetric) {
                        zero = scale == 0 ? 0
                                          : static_cast<int>(std::nearbyint(-static_cast<double>(*low) /
                                                                            static_cast<double>(scale)));
                        zero_points.push_back(static_cast<uint8_t>(zero));
                    }
                    scales.push_back(scale);
                    for (size_t i = first; i < first + block; ++i) {
                        int q = scale == 0 ? 0 : static_cast<int>(std::nearbyint(values[i] / scale));
                        q = asymmetric ? std::clamp(q + zero, 0, levels) - zero : std::clamp(q, -most, most);
                        back[i] = scale * static_cast<float>(q);
                        const int code = asymmetric || bits == 4 ? q + zero : q;
                        if (bits == 8) codes[i] = static_cast<uint8_t>(code);
                        if (bits == 4) codes[i / 2] |= static_cast<uint8_t>(code << (i % 2 == 0 ? 0 : 4));
                    }
                }
                codes.insert(codes.end(), zero_points.begin(), zero_points.end());
                CHECK(made.bytes == codes);
                CHECK(made.scales == scales);
                const std::vector<float> decoded = test::dequantize(quantizer, config, made, n);
                CHECK(decoded == back);
                CHECK(largest_error(values, decoded) <= (bits == 8 ? 0.005 : 0.08));
            }
        }
    }
}

TEST_CASE("the accuracy is the distance of what comes back, measured naively") {
    const test::QuantizerHandle quantizer = test::make_quantizer();
    for (const char* type : {"i2_s", "tq1_0", "tq2_0", "q8_0", "q4_0", "q6_k", "int8", "int4", "f16", "bf16", "f32"}) {
        CAPTURE(type);
        const bitnet_quantize_config config = test::quant_config(type);
        const std::vector<float> values = test::random_values(77, 9 * 1024);  // more than one piece
        const std::vector<float> back =
            test::dequantize(quantizer, config, test::quantize(quantizer, config, values), values.size());
        double errors = 0, squares = 0, back_squares = 0, products = 0;
        bool same_signs = true;
        for (size_t i = 0; i < values.size(); ++i) {
            const double x = static_cast<double>(values[i]), y = static_cast<double>(back[i]);
            errors += (x - y) * (x - y);
            squares += x * x;
            back_squares += y * y;
            products += x * y;
            same_signs = same_signs && (x > 0) - (x < 0) == (y > 0) - (y < 0);
        }
        const bitnet_quantize_accuracy told = test::accuracy_of(config, values);
        CHECK(told.envelope == BITNET_ENVELOPE_ARBITRARY);
        CHECK(told.is_within == -1);
        CHECK(told.n_values == values.size());
        CHECK(told.mse == doctest::Approx(errors / static_cast<double>(values.size())).epsilon(1e-12));
        CHECK(told.max_abs_error == largest_error(values, back));
        CHECK(told.cosine == doctest::Approx(products / std::sqrt(squares * back_squares)).epsilon(1e-12));
        CHECK(told.accuracy == doctest::Approx(100 * (1 - std::sqrt(errors / squares))).epsilon(1e-12));
        CHECK((told.codes_equal == 1) == same_signs);
    }
}

TEST_CASE("on the ternary grid nothing is lost but the rounding of the scale") {
    for (const float s : {0.0173f, 1.0f, 2.5e-5f}) {
        CAPTURE(s);
        const std::vector<float> values = test::ternary_values(3, 5 * 1024, s);
        const bitnet_quantize_accuracy exact = test::accuracy_of(test::quant_config("i2_s"), values);
        CHECK(exact.envelope == BITNET_ENVELOPE_GRID);
        CHECK(exact.is_within == 1);
        CHECK(exact.codes_equal == 1);
        CHECK(exact.mse == 0);
        CHECK(exact.accuracy == 100);
        CHECK(exact.cosine == doctest::Approx(1));
        for (const char* type : {"tq1_0", "tq2_0"}) {
            const bitnet_quantize_accuracy rounded = test::accuracy_of(test::quant_config(type), values);
            CHECK(rounded.envelope == BITNET_ENVELOPE_GRID);
            CHECK(rounded.is_within == 1);
            CHECK(rounded.codes_equal == 1);
            CHECK(rounded.max_abs_error <= static_cast<double>(s) / 2048 + 0x1p-25);
            CHECK((rounded.mse > 0) == (s != 1.0f));
        }
    }
    // One value off the grid and the tensor is as arbitrary as any.
    std::vector<float> values = test::ternary_values(3, 1024, 1.0f);
    values[700] = 0.999f;
    CHECK(test::accuracy_of(test::quant_config("i2_s"), values).envelope == BITNET_ENVELOPE_ARBITRARY);
}

TEST_CASE("more bits keep more: int4 less than int8 and Q8_0, Q4_0 less than Q6_K, ternary least") {
    const std::vector<float> values = test::random_values(9, 4096);
    const auto accuracy = [&](const char* type) {
        return test::accuracy_of(test::quant_config(type), values).accuracy;
    };
    CHECK(accuracy("i2_s") < accuracy("q4_0"));
    CHECK(accuracy("i2_s") > 40);
    CHECK(accuracy("q4_0") < accuracy("q6_k"));
    CHECK(accuracy("int4") < accuracy("int8"));
    CHECK(accuracy("q6_k") < accuracy("q8_0"));
    CHECK(accuracy("q8_0") < accuracy("f16"));
    CHECK(accuracy("f32") == 100);
}
