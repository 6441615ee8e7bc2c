// Convolutions as a program sees them: against NumPy's numbers (tests/golden/make_conv2d_golden.py) and a slow one written the
// other way round, the same bits however they are computed, the codecs of their weights, and every call that cannot be.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "tests/support/quantizer_fixture.h"

namespace {

using Dims = std::vector<uint64_t>;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

uint64_t product(const Dims& dims) {
    uint64_t n = 1;
    for (const uint64_t d : dims) n *= d;
    return n;
}

std::vector<float> small_integers(uint64_t seed, size_t n) {
    std::vector<float> values = test::random_values(seed, n);
    for (float& value : values) value = std::trunc(value * 4.0f);
    return values;
}

// A convolution with memory of its own.
struct Conv {
    Dims input_dims, weight_dims;
    std::vector<float> input, weights, bias, out;
    bitnet_conv2d_params params = bitnet_conv2d_default_params();

    Conv(Dims x, Dims w) : input_dims(std::move(x)), weight_dims(std::move(w)) {}

    void fill(uint64_t seed) {
        input = small_integers(seed, product(input_dims));
        bias = small_integers(seed + 100, weight_dims[0]);
        weights = small_integers(seed + 200, product(weight_dims));
    }
    Dims out_dims() const {
        Dims dims(4);
        test::must(bitnet_conv2d_get_output_dims(&params, input_dims.data(), weight_dims.data(), dims.data()));
        return dims;
    }
    bitnet_conv2d call() {
        out.assign(product(out_dims()), -77.0f);
        bitnet_conv2d conv = {};
        std::memcpy(conv.input_dims, input_dims.data(), sizeof conv.input_dims);
        std::memcpy(conv.weight_dims, weight_dims.data(), sizeof conv.weight_dims);
        conv.input = input.data();
        conv.n_input = input.size();
        conv.bias = bias.empty() ? nullptr : bias.data();
        conv.n_bias = bias.size();
        conv.out = out.data();
        conv.n_out = out.size();
        return conv;
    }
    const std::vector<float>& run() {
        const bitnet_conv2d conv = call();
        test::must(bitnet_conv2d_f32(&params, &conv, weights.data(), weights.size()));
        return out;
    }
    const std::vector<float>& run(const char* codec, const std::vector<uint8_t>& codes,
                                  const std::vector<float>& scales) {
        const bitnet_conv2d conv = call();
        test::must(
            bitnet_conv2d_quantized(&params, &conv, codec, codes.data(), codes.size(), scales.data(), scales.size()));
        return out;
    }
    size_t per_channel() const { return product(weight_dims) / weight_dims[0]; }
};

// Every input pixel is spread over the outputs that see it; exact while the numbers are small and whole.
std::vector<float> spread(const Conv& c) {
    const Dims o = c.out_dims();
    std::vector<float> out(product(o));
    for (size_t i = 0; i < out.size(); ++i) out[i] = c.bias.empty() ? 0.0f : c.bias[i / (o[2] * o[3]) % o[1]];
    size_t at = 0;
    for (uint64_t n = 0; n < c.input_dims[0]; ++n)
        for (uint64_t i = 0; i < c.input_dims[1]; ++i)
            for (uint64_t row = 0; row < c.input_dims[2]; ++row)
                for (uint64_t col = 0; col < c.input_dims[3]; ++col, ++at)
                    for (uint64_t ky = 0; ky < c.weight_dims[2]; ++ky)
                        for (uint64_t kx = 0; kx < c.weight_dims[3]; ++kx) {
                            const int64_t y = static_cast<int64_t>(row + c.params.padding[0]) -
                                              static_cast<int64_t>(ky * c.params.dilation[0]);
                            const int64_t x = static_cast<int64_t>(col + c.params.padding[1]) -
                                              static_cast<int64_t>(kx * c.params.dilation[1]);
                            const int64_t sy = static_cast<int64_t>(c.params.stride[0]);
                            const int64_t sx = static_cast<int64_t>(c.params.stride[1]);
                            if (y < 0 || x < 0 || y % sy != 0 || x % sx != 0) continue;
                            const uint64_t oy = static_cast<uint64_t>(y / sy), ox = static_cast<uint64_t>(x / sx);
                            if (oy >= o[2] || ox >= o[3]) continue;
                            for (uint64_t k = 0; k < o[1]; ++k) {
                                const uint64_t w =
                                    ((k * c.weight_dims[1] + i) * c.weight_dims[2] + ky) * c.weight_dims[3] + kx;
                                out[((n * o[1] + k) * o[2] + oy) * o[3] + ox] += c.input[at] * c.weights[w];
                            }
                        }
    return out;
}

std::vector<uint8_t> random_codes(uint64_t seed, size_t n) {
    std::vector<uint8_t> codes;
    for (const float x : test::random_values(seed, n)) codes.push_back(static_cast<uint8_t>((x + 1.0f) * 127.9f));
    return codes;
}

size_t coded_bytes(const char* codec, size_t n_channels, size_t n_per_channel) {
    size_t n = 0;
    test::must(bitnet_conv2d_get_quantized_size(codec, n_channels, n_per_channel, &n));
    return n;
}

std::vector<float> decoded(const char* codec, const std::vector<uint8_t>& codes, const std::vector<float>& scales,
                           size_t n_per_channel) {
    std::vector<float> out(scales.size() * n_per_channel);
    test::must(bitnet_conv2d_dequantize(codec, codes.data(), codes.size(), scales.data(), scales.size(), scales.size(),
                                        n_per_channel, out.data(), out.size()));
    return out;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

constexpr const char* kCodecs[] = {"i2s4", "tl1-conv", "tl2-conv"};

}  // namespace

TEST_CASE("conv2d: the example of the specification") {
    Conv conv({1, 1, 2, 2}, {1, 1, 2, 2});
    conv.input = {1, 2, 3, 4};
    conv.weights = {1, 0, 0, 1};
    CHECK(conv.run() == std::vector<float>{5});
    conv.bias = {0.5f};
    CHECK(conv.run() == std::vector<float>{5.5f});
    conv.bias = {};
    conv.params.padding[0] = conv.params.padding[1] = 1;
    CHECK(conv.run() == std::vector<float>{1, 2, 0, 3, 5, 2, 0, 3, 4});
}

TEST_CASE("conv2d: strides, paddings, dilations and codecs give the numbers of NumPy") {
    std::ifstream in(test::golden_dir() / "conv2d.json");
    const nlohmann::json cases = nlohmann::json::parse(in);
    CHECK(cases.size() == 8);
    for (const nlohmann::json& golden : cases) {
        CAPTURE(golden.dump());
        Conv conv(golden["input_dims"].get<Dims>(), golden["weight_dims"].get<Dims>());
        conv.fill(golden["seed"].get<uint64_t>());
        for (size_t i = 0; i < 2; ++i) {
            conv.params.stride[i] = golden["stride"][i].get<uint64_t>();
            conv.params.padding[i] = golden["padding"][i].get<uint64_t>();
            conv.params.dilation[i] = golden["dilation"][i].get<uint64_t>();
        }
        CHECK(conv.out_dims() == golden["out_dims"].get<Dims>());
        const std::vector<double> expected = golden["out"].get<std::vector<double>>();
        if (golden["codec"].is_null()) {
            const std::vector<float>& out = conv.run();
            CHECK(std::vector<double>(out.begin(), out.end()) == expected);
            continue;
        }
        const std::vector<float>& out =
            conv.run(golden["codec"].get<std::string>().c_str(), golden["codes"].get<std::vector<uint8_t>>(),
                     golden["scales"].get<std::vector<float>>());
        REQUIRE(out.size() == expected.size());
        // At most 27 products below 6 in float against float64, and the numbers end after 9 digits; "i2s4" is exact.
        const double allowed = golden["codec"] == "i2s4" ? 0.0 : 4e-6;
        for (size_t i = 0; i < out.size(); ++i) CHECK(std::fabs(static_cast<double>(out[i]) - expected[i]) <= allowed);
    }
}

TEST_CASE("conv2d: shapes around tiles, depths and groups of channels equal a convolution that spreads its inputs") {
    const struct {
        Dims input, weights;
        uint64_t stride[2], padding[2], dilation[2];
    } rows[] = {
        {{2, 40, 17, 19}, {9, 40, 3, 3}, {1, 1}, {1, 1}, {1, 1}},   // 360 weights, 323 positions
        {{1, 3, 40, 41}, {4, 3, 7, 7}, {2, 2}, {3, 3}, {1, 1}},     //
        {{1, 257, 3, 5}, {2, 257, 1, 1}, {1, 1}, {0, 0}, {1, 1}},   // one weight behind a depth
        {{1, 1, 1, 300}, {1, 1, 1, 2}, {1, 7}, {0, 200}, {1, 90}},  // rows with nothing but padding around
        {{1, 2, 9, 9}, {3, 2, 2, 2}, {20, 20}, {0, 0}, {8, 8}},     // one position
        {{1, 1, 2, 2}, {1, 1, 1, 1}, {3, 3}, {8, 8}, {1, 1}},
    };
    for (const auto& row : rows) {
        Conv conv(row.input, row.weights);
        conv.fill(product(row.input));
        std::memcpy(conv.params.stride, row.stride, sizeof row.stride);
        std::memcpy(conv.params.padding, row.padding, sizeof row.padding);
        std::memcpy(conv.params.dilation, row.dilation, sizeof row.dilation);
        CAPTURE(conv.input_dims);
        CHECK(conv.run() == spread(conv));
        conv.bias.clear();
        CHECK(conv.run() == spread(conv));
    }
}

TEST_CASE("conv2d: the same bits with any threads, any kernel, one image or many, and as decoded weights") {
    Conv conv({3, 24, 14, 15}, {37, 24, 3, 3});
    conv.input = test::random_values(1, product(conv.input_dims));
    conv.weights = test::random_values(2, product(conv.weight_dims));
    conv.bias = test::random_values(3, 37);
    conv.params.padding[0] = conv.params.padding[1] = 1;
    conv.params.n_threads = 1;
    const std::vector<float> expected = conv.run();
    for (const int32_t n_threads : {0, 2, 3}) {
        conv.params.n_threads = n_threads;
        CHECK(same_bits(conv.run(), expected));
    }
    conv.params.kernel = "scalar";
    CHECK(same_bits(conv.run(), expected));
    conv.params.kernel = nullptr;

    Conv second({1, 24, 14, 15}, conv.weight_dims);
    second.params = conv.params;
    second.weights = conv.weights;
    second.bias = conv.bias;
    const size_t n_in = product(second.input_dims);
    second.input.assign(conv.input.begin() + static_cast<ptrdiff_t>(n_in),
                        conv.input.begin() + static_cast<ptrdiff_t>(2 * n_in));
    const std::vector<float> alone = second.run();
    const ptrdiff_t n_out = static_cast<ptrdiff_t>(alone.size());
    CHECK(same_bits(alone, {expected.begin() + n_out, expected.begin() + 2 * n_out}));

    for (const char* codec : kCodecs) {
        CAPTURE(codec);
        const std::vector<uint8_t> codes = random_codes(4, coded_bytes(codec, 37, conv.per_channel()));
        const std::vector<float> scales = test::random_values(5, 37);
        conv.weights = decoded(codec, codes, scales, conv.per_channel());
        const std::vector<float> as_floats = conv.run();
        for (const int32_t n_threads : {1, 2}) {
            conv.params.n_threads = n_threads;
            CHECK(same_bits(conv.run(codec, codes, scales), as_floats));
        }
    }
}

TEST_CASE("conv2d: NaN and infinite values reach the outputs that see them, and no others") {
    Conv conv({1, 1, 3, 3}, {1, 1, 2, 2});
    conv.input.assign(9, 1.0f);
    conv.weights.assign(4, 1.0f);
    conv.input[0] = std::nanf("");
    conv.input[8] = kInfinity;
    const std::vector<float> out = conv.run();
    CHECK(std::isnan(out[0]));
    CHECK(out[1] == 4);
    CHECK(out[2] == 4);
    CHECK(out[3] == kInfinity);
    // Padding is zeros that are multiplied.
    conv.input.assign(9, 1.0f);
    conv.weights[0] = kInfinity;
    conv.params.padding[0] = conv.params.padding[1] = 1;
    CHECK(std::isnan(conv.run()[0]));
    CHECK(conv.out[5] == kInfinity);
}

TEST_CASE("conv2d: shapes that cannot be are refused, whatever overflows") {
    const uint64_t most = UINT64_MAX;
    const struct {
        Dims input, weights;
        uint64_t stride, padding, dilation;
        const char* text;
    } rows[] = {
        {{1, 1, 4, 4}, {1, 1, 2, 2}, 0, 0, 1, "stride and dilation"},
        {{1, 1, 4, 4}, {1, 1, 2, 2}, 1, 0, 0, "stride and dilation"},
        {{0, 1, 4, 4}, {1, 1, 2, 2}, 1, 0, 1, "is 0"},
        {{1, 1, 4, 4}, {1, 1, 0, 2}, 1, 0, 1, "is 0"},
        {{1, 3, 4, 4}, {1, 2, 2, 2}, 1, 0, 1, "3 channels"},
        {{1, 1, 4, 4}, {1, 1, 5, 2}, 1, 0, 1, "reach over"},
        {{1, 1, 4, 4}, {1, 1, 2, 2}, 1, 0, 4, "reach over"},
        {{1, 1, 4, 4}, {1, 1, 3, 3}, 1, 0, most / 2 + 1, "reach over"},
        {{1, 1, 4, 4}, {1, 1, 2, 2}, 1, 0, most, "reach over"},
        {{1, 1, 4, 4}, {1, 1, 2, 2}, 1, most, 1, "padding"},
        {{1, 1, 4, 4}, {1, 1, 2, 2}, 1, most / 2, 1, "padding"},
        {{1, 1, 4, 4}, {1, 1, 2, 2}, 1, uint64_t{1} << 40, 1, "output"},
        {{most, 1, 4, 4}, {1, 1, 2, 2}, 1, 0, 1, "larger than any memory"},
        {{1, 1, uint64_t{1} << 33, uint64_t{1} << 33}, {1, 1, 2, 2}, 1, 0, 1, "input"},
        {{1, uint64_t{1} << 40, 1, 1}, {uint64_t{1} << 40, uint64_t{1} << 40, 1, 1}, 1, 0, 1, "weights"},
    };
    for (const auto& row : rows) {
        bitnet_conv2d_params params = bitnet_conv2d_default_params();
        for (int i = 0; i < 2; ++i) {
            params.stride[i] = row.stride;
            params.padding[i] = row.padding;
            params.dilation[i] = row.dilation;
        }
        uint64_t dims[4] = {9, 9, 9, 9};
        CHECK(bitnet_conv2d_get_output_dims(&params, row.input.data(), row.weights.data(), dims) == BITNET_E_ARGUMENT);
        CHECK(dims[0] == 9);
        CHECK_MESSAGE(test::last_error().find(row.text) != std::string::npos, test::last_error());
    }
    // The largest that can be: one position, however far the next would be.
    bitnet_conv2d_params params = bitnet_conv2d_default_params();
    params.stride[0] = params.stride[1] = most;
    params.dilation[0] = params.dilation[1] = most;
    const Dims input = {1, 1, 4, 4}, weights = {1, 1, 1, 1};
    uint64_t dims[4];
    test::must(bitnet_conv2d_get_output_dims(&params, input.data(), weights.data(), dims));
    CHECK(dims[2] * dims[3] == 1);
    CHECK(bitnet_conv2d_get_output_dims(nullptr, nullptr, weights.data(), dims) == BITNET_E_ARGUMENT);
    CHECK(bitnet_conv2d_get_output_dims(nullptr, input.data(), weights.data(), nullptr) == BITNET_E_ARGUMENT);
    Conv conv(input, weights);
    conv.params = params;
    conv.fill(3);
    CHECK(conv.run()[0] == conv.bias[0] + conv.weights[0] * conv.input[0]);
}

TEST_CASE("conv2d: buffers, counts and parameters that do not fit are refused and nothing is written") {
    Conv conv({1, 2, 4, 4}, {3, 2, 2, 2});
    conv.fill(1);
    const bitnet_conv2d good = conv.call();
    const auto status_of = [&](bitnet_conv2d call, size_t n_weights = 24, const float* weights = nullptr) {
        const bitnet_status status =
            bitnet_conv2d_f32(&conv.params, &call, weights != nullptr ? weights : conv.weights.data(), n_weights);
        CHECK(conv.out == std::vector<float>(27, -77.0f));
        return test::name_of(status);
    };
    bitnet_conv2d bad = good;
    bad.n_input = 31;
    CHECK(status_of(bad) == "BITNET_E_ARGUMENT");
    CHECK(test::last_error().find("31") != std::string::npos);
    bad = good;
    bad.input = nullptr;
    CHECK(status_of(bad) == "BITNET_E_ARGUMENT");
    bad = good;
    bad.input = reinterpret_cast<const float*>(reinterpret_cast<const char*>(good.input) + 1);
    CHECK(status_of(bad) == "BITNET_E_ARGUMENT");
    bad = good;
    bad.n_bias = 2;
    CHECK(status_of(bad) == "BITNET_E_ARGUMENT");
    bad = good;
    bad.bias = nullptr;
    CHECK(status_of(bad) == "BITNET_E_ARGUMENT");
    bad = good;
    bad.out = nullptr;
    CHECK(status_of(bad) == "BITNET_E_ARGUMENT");
    bad = good;
    bad.n_out = 26;
    CHECK(status_of(bad) == "BITNET_E_BUFFER_TOO_SMALL");
    CHECK(status_of(good, 25) == "BITNET_E_ARGUMENT");
    CHECK(bitnet_conv2d_f32(&conv.params, nullptr, conv.weights.data(), 24) == BITNET_E_ARGUMENT);
    CHECK(bitnet_conv2d_f32(&conv.params, &good, nullptr, 24) == BITNET_E_ARGUMENT);
    conv.params.n_threads = -1;
    CHECK(status_of(good) == "BITNET_E_CONFIG");
    conv.params.n_threads = 1;
    conv.params.kernel = "fast";
    CHECK(status_of(good) == "BITNET_E_CONFIG");
    conv.params.kernel = nullptr;

    const std::vector<uint8_t> codes(24, 3);
    const std::vector<float> scales(3, 1.0f);
    const auto coded = [&](const char* codec, const void* data, size_t n_bytes, size_t n_scales,
                           std::vector<float> values) {
        const bitnet_status status =
            bitnet_conv2d_quantized(&conv.params, &good, codec, data, n_bytes, values.data(), n_scales);
        CHECK(conv.out == std::vector<float>(27, -77.0f));
        return test::name_of(status);
    };
    for (const char* codec : {"i2_s", "tl1", "tl2", "", "tl2-convolution"}) {
        CHECK(coded(codec, codes.data(), 24, 3, scales) == "BITNET_E_QUANT_FORMAT");
    }
    CHECK(coded(nullptr, codes.data(), 24, 3, scales) == "BITNET_E_QUANT_FORMAT");
    CHECK(coded("i2s4", codes.data(), 7, 3, scales) == "BITNET_E_QUANT_INPUT");
    CHECK(coded("tl1-conv", codes.data(), 23, 3, scales) == "BITNET_E_QUANT_INPUT");
    CHECK(coded("tl2-conv", nullptr, 24, 3, scales) == "BITNET_E_QUANT_INPUT");
    CHECK(coded("TL1-conv", codes.data(), 24, 2, scales) == "BITNET_E_QUANT_SCALE_COUNT");
    CHECK(coded("TL1-conv", codes.data(), 24, 3, {1, kInfinity, 1}) == "BITNET_E_QUANT_SCALE");
}

TEST_CASE("conv codecs: every code has the value of the documentation") {
    const std::vector<float> one = {1.0f};
    CHECK(decoded("i2s4", {0xe4, 0x1b}, one, 8) == std::vector<float>{-2, -1, 1, 2, 2, 1, -1, -2});
    std::vector<uint8_t> bytes;
    std::vector<float> linear, squared;
    for (int byte = 0; byte < 256; ++byte) {
        bytes.push_back(static_cast<uint8_t>(byte));
        const double v = std::max((byte - 128) / 127.0, -1.0);
        linear.push_back(static_cast<float>(v));
        squared.push_back(static_cast<float>(v * std::fabs(v)));
    }
    CHECK(decoded("tl1-conv", bytes, one, 256) == linear);
    const std::vector<float> got = decoded("tl2-conv", bytes, one, 256);
    for (size_t i = 0; i < 256; ++i) CHECK(std::fabs(got[i] - squared[i]) <= std::fabs(squared[i]) * 1.2e-7f);
    CHECK(got[0] == -1);
    CHECK(got[128] == 0);
    CHECK(got[255] == 1);
    // Scales are those of the channel, and channels of an odd number of two-bit codes follow without a gap.
    CHECK(decoded("i2s4", {0x1b, 0x02}, {2.0f, -1.0f, 0.5f}, 2) == std::vector<float>{4, 2, 1, 2, 0.5f, -1.0f});
}

TEST_CASE("conv codecs: the encoder finds the nearest value and writes again what it wrote") {
    for (const char* codec : kCodecs) {
        CAPTURE(codec);
        const size_t n = 333, channels = 3;
        std::vector<float> weights = test::random_values(9, channels * n);
        for (size_t i = n; i < 2 * n; ++i) weights[i] = 0.0f;  // a channel of zeros
        for (size_t i = 2 * n; i < 3 * n; ++i) weights[i] *= 1e-20f;
        std::vector<uint8_t> codes(coded_bytes(codec, channels, n));
        std::vector<float> scales(channels);
        test::must(bitnet_conv2d_quantize(codec, weights.data(), channels, n, codes.data(), codes.size(), scales.data(),
                                          channels));
        const std::vector<float> back = decoded(codec, codes, scales, n);
        CHECK(scales[1] == 0);
        // All values of the codec, by brute force.
        std::vector<uint8_t> all(std::strcmp(codec, "i2s4") == 0 ? 1 : 256, 0xe4);
        for (size_t i = 0; i < all.size() && all.size() > 1; ++i) all[i] = static_cast<uint8_t>(i);
        for (size_t i = 0; i < weights.size(); ++i) {
            const std::vector<float> values = decoded(codec, all, {scales[i / n]}, all.size() == 1 ? 4 : 256);
            float nearest = kInfinity;
            for (const float v : values) nearest = std::min(nearest, std::fabs(v - weights[i]));
            CHECK(std::fabs(back[i] - weights[i]) == nearest);
        }
        for (size_t i = n; i < 2 * n; ++i) CHECK((back[i] == 0.0f && !std::signbit(back[i])));
        std::vector<uint8_t> again(codes.size());
        std::vector<float> again_scales(channels);
        test::must(bitnet_conv2d_quantize(codec, back.data(), channels, n, again.data(), again.size(),
                                          again_scales.data(), channels));
        CHECK(again == codes);
        CHECK(again_scales == scales);
    }
    // Two values as near: the smaller one in size.
    const float tied[4] = {2.0f, 0.0f, 1.5f, -1.5f};
    uint8_t code = 0;
    float scale = 0;
    test::must(bitnet_conv2d_quantize("i2s4", tied, 1, 4, &code, 1, &scale, 1));
    CHECK(scale == 1.0f);
    CHECK(decoded("i2s4", {code}, {scale}, 4) == std::vector<float>{2, -1, 1, -1});
}

TEST_CASE("conv codecs: what cannot be encoded or decoded says why and writes nothing") {
    std::vector<float> weights = {1, 2, 3, 4};
    std::vector<uint8_t> codes(4, 0xcd);
    std::vector<float> scales(2, -1.0f);
    const auto encode = [&](const char* codec, size_t n_channels, size_t n, size_t n_bytes, size_t n_scales) {
        const bitnet_status status = bitnet_conv2d_quantize(codec, weights.data(), n_channels, n, codes.data(), n_bytes,
                                                            scales.data(), n_scales);
        CHECK(codes == std::vector<uint8_t>(4, 0xcd));
        CHECK(scales == std::vector<float>(2, -1.0f));
        return test::name_of(status);
    };
    CHECK(encode("tl3-conv", 2, 2, 4, 2) == "BITNET_E_QUANT_FORMAT");
    CHECK(encode("tl1-conv", 0, 2, 4, 0) == "BITNET_E_QUANT_INPUT");
    CHECK(encode("tl1-conv", SIZE_MAX / 2, 4, 4, 2) == "BITNET_E_QUANT_INPUT");
    CHECK(encode("tl1-conv", 2, 2, 3, 2) == "BITNET_E_QUANT_OUTPUT_SIZE");
    CHECK(encode("tl1-conv", 2, 2, 4, 1) == "BITNET_E_QUANT_SCALE_COUNT");
    for (const float bad : {kInfinity, std::nanf("")}) {
        weights[3] = bad;
        CHECK(encode("tl1-conv", 2, 2, 4, 2) == "BITNET_E_QUANT_INPUT");
        CHECK(test::last_error().find("weight 3") != std::string::npos);
    }
    CHECK(bitnet_conv2d_quantize("i2s4", nullptr, 1, 4, codes.data(), 4, scales.data(), 1) == BITNET_E_QUANT_INPUT);
    CHECK(bitnet_conv2d_get_quantized_size("i2s4", 1, 4, nullptr) == BITNET_E_ARGUMENT);

    std::vector<float> out(4);
    const auto decode = [&](size_t n_bytes, std::vector<float> values, size_t n_out) {
        return test::name_of(bitnet_conv2d_dequantize("tl2-conv", codes.data(), n_bytes, values.data(), values.size(),
                                                      2, 2, out.data(), n_out));
    };
    CHECK(decode(4, {1, 1}, 4) == "BITNET_OK");
    CHECK(decode(3, {1, 1}, 4) == "BITNET_E_QUANT_INPUT");
    CHECK(decode(4, {1}, 4) == "BITNET_E_QUANT_SCALE_COUNT");
    CHECK(decode(4, {1, kInfinity}, 4) == "BITNET_E_QUANT_SCALE");
    CHECK(decode(4, {1, 1}, 3) == "BITNET_E_QUANT_OUTPUT_SIZE");
}
