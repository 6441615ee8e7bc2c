// Products of int8 activations with I2_S weights: the integers of naive loops, the bits of the scalar kernel at every level and
// with any threads, and nothing but a status for calls that cannot be.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "tests/support/quantizer_fixture.h"

namespace {

// Code of weight (row, col), from the description of the format.
int weight_of(const test::Product& p, size_t row, size_t col) {
    const size_t i = row * p.call.k + col;
    return (p.weights[i / 128 * 32 + i % 32] >> (6 - 2 * (i % 128 / 32)) & 3) - 1;
}

std::vector<float> naive(const test::Product& p) {
    float weight_scale;
    std::memcpy(&weight_scale, p.weights.data() + p.call.n * p.call.k / 4, sizeof weight_scale);
    std::vector<float> out;
    for (size_t i = 0; i < p.call.m; ++i) {
        for (size_t j = 0; j < p.call.n; ++j) {
            int64_t sum = 0;
            for (size_t c = 0; c < p.call.k; ++c) sum += p.activations[i * p.call.k + c] * weight_of(p, j, c);
            const float scale = weight_scale / (p.scales.empty() ? 1.0f : p.scales[i]);
            out.push_back(static_cast<float>(sum) * scale);
        }
    }
    return out;
}

test::QuantizerHandle on_level(const char* level, int32_t n_threads) {
    return test::make_quantizer([&](bitnet_quantizer_params& p) {
        p.kernel = level;
        p.n_threads = n_threads;
    });
}

bitnet_status run(const test::QuantizerHandle& quantizer, const bitnet_i2s_matmul& call) {
    return bitnet_quantizer_matmul_i2s(quantizer.get(), &call);
}

}  // namespace

TEST_CASE("products are exact integers times one scale, the same bits at every level and with any number of threads") {
    const struct {
        size_t m, n, k;
    } shapes[] = {{1, 1, 128}, {1, 37, 384}, {3, 16, 256}, {5, 70, 640}, {40, 33, 1280}, {530, 3, 128}};
    for (const auto& shape : shapes) {
        for (const bool with_scales : {false, true}) {
            test::Product product(shape.m + shape.n, shape.m, shape.n, shape.k, 0.037f, with_scales);
            const std::vector<float> expected = naive(product);
            for (const std::string& level : test::runnable_levels()) {
                for (const int32_t n_threads : {1, 2}) {
                    CAPTURE(level);
                    CAPTURE(shape.m);
                    std::fill(product.out.begin(), product.out.end(), -1.0f);
                    test::must(run(on_level(level.c_str(), n_threads), product.call));
                    CHECK(test::same_bits(product.out, expected));
                }
            }
        }
    }
}

TEST_CASE("the largest sums there are come out right") {
    test::Product product(1, 2, 3, 4096, 1.0f, false);
    std::memset(product.weights.data(), 0xaa, 3 * 4096 / 4);  // all +1
    std::fill(product.activations.begin(), product.activations.end(), int8_t{-127});
    for (const std::string& level : test::runnable_levels()) {
        test::must(run(on_level(level.c_str(), 1), product.call));
        CHECK(product.out == std::vector<float>(6, -127.0f * 4096.0f));
    }
}

TEST_CASE("a batch is its products one after the other, and none where one is wrong") {
    const test::QuantizerHandle quantizer = test::make_quantizer();
    test::Product a(1, 2, 5, 128, 0.5f, true), b(2, 1, 9, 256, 2.0f, false), c(3, 4, 4, 128, 1.0f, true);
    bitnet_i2s_matmul calls[] = {a.call, b.call, c.call};
    test::must(bitnet_quantizer_batch_matmul_i2s(quantizer.get(), calls, 3));
    CHECK(test::same_bits(a.out, naive(a)));
    CHECK(test::same_bits(b.out, naive(b)));
    CHECK(test::same_bits(c.out, naive(c)));
    CHECK(test::stats_of(quantizer).matmul_operations == 3);
    std::fill(a.out.begin(), a.out.end(), -1.0f);
    calls[2].n_out = 15;
    CHECK(bitnet_quantizer_batch_matmul_i2s(quantizer.get(), calls, 3) == BITNET_E_QUANT_OUTPUT_SIZE);
    CHECK(test::last_error().starts_with("product 2: "));
    CHECK(a.out == std::vector<float>(10, -1.0f));
    CHECK(test::stats_of(quantizer).matmul_operations == 3);
    test::must(bitnet_quantizer_batch_matmul_i2s(quantizer.get(), nullptr, 0));
    CHECK(bitnet_quantizer_batch_matmul_i2s(quantizer.get(), nullptr, 1) == BITNET_E_ARGUMENT);
}

TEST_CASE("products that cannot be give a status and no result") {
    const test::QuantizerHandle quantizer = test::make_quantizer();
    test::Product product(4, 2, 3, 128, 1.0f, true);
    const auto with = [&](const std::function<void(bitnet_i2s_matmul&)>& change) {
        bitnet_i2s_matmul call = product.call;
        change(call);
        const bitnet_status status = run(quantizer, call);
        CHECK(product.out == std::vector<float>(6, -1.0f));
        return status;
    };
    constexpr size_t kHuge = std::numeric_limits<size_t>::max();
    using Call = bitnet_i2s_matmul;
    CHECK(with([](Call& c) { c.activations = nullptr; }) == BITNET_E_QUANT_INPUT);
    CHECK(with([](Call& c) { c.weights = nullptr; }) == BITNET_E_QUANT_INPUT);
    CHECK(with([](Call& c) { c.out = nullptr; }) == BITNET_E_QUANT_INPUT);
    CHECK(with([](Call& c) { c.out = reinterpret_cast<float*>(reinterpret_cast<uintptr_t>(c.out) + 1); }) ==
          BITNET_E_QUANT_INPUT);
    CHECK(with([](Call& c) { c.m = 0; }) == BITNET_E_QUANT_INPUT);
    CHECK(with([](Call& c) { c.n = 0; }) == BITNET_E_QUANT_INPUT);
    CHECK(with([](Call& c) { c.k = 0; }) == BITNET_E_QUANT_INPUT);
    CHECK(with([](Call& c) { c.k = 64; }) == BITNET_E_QUANT_INPUT);
    CHECK(with([](Call& c) { c.k = (size_t{4} << 20) + 128; }) == BITNET_E_QUANT_INPUT);
    CHECK(with([](Call& c) { c.m = kHuge; }) == BITNET_E_QUANT_INPUT);
    CHECK(with([](Call& c) { c.n = kHuge / 128 + 1; }) == BITNET_E_QUANT_INPUT);
    CHECK(with([](Call& c) { c.m = c.n = size_t{1} << 36; }) == BITNET_E_QUANT_INPUT);
    CHECK(with([](Call& c) { --c.n_weight_bytes; }) == BITNET_E_QUANT_INPUT);
    CHECK(with([](Call& c) { ++c.n_weight_bytes; }) == BITNET_E_QUANT_INPUT);
    CHECK(with([](Call& c) { c.n_out = 5; }) == BITNET_E_QUANT_OUTPUT_SIZE);
    CHECK(with([](Call& c) { c.n_activation_scales = 1; }) == BITNET_E_QUANT_SCALE_COUNT);
    CHECK(with([](Call& c) { c.activation_scales = nullptr; }) == BITNET_E_QUANT_SCALE_COUNT);
    for (const float bad : {0.0f, -1.0f, std::numeric_limits<float>::infinity(), std::nanf("")}) {
        product.scales[1] = bad;
        CHECK(with([](Call&) {}) == BITNET_E_QUANT_SCALE);
    }
    product.scales[1] = 1.0f;
    product.activations[200] = -128;
    CHECK(with([](Call&) {}) == BITNET_E_QUANT_INPUT);
    product.activations[200] = 0;
    product.weights[7] |= 0x0c;  // code 3
    CHECK(with([](Call&) {}) == BITNET_E_QUANT_INPUT);
    product.weights[7] = 0x55;
    const float infinite = std::numeric_limits<float>::infinity();
    std::memcpy(product.weights.data() + 96, &infinite, sizeof infinite);
    CHECK(with([](Call&) {}) == BITNET_E_QUANT_SCALE);
    CHECK(bitnet_quantizer_matmul_i2s(quantizer.get(), nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_quantizer_matmul_i2s(nullptr, &product.call) == BITNET_E_ARGUMENT);
    CHECK(!std::string(test::stats_of(quantizer).last_cpu_error).empty());
}

TEST_CASE("a product over its memory limit is refused, and the same with enough runs") {
    test::Product product(4, 2, 3, 128, 1.0f, false);
    const auto limited = [](uint64_t bytes) {
        return test::make_quantizer([&](bitnet_quantizer_params& p) { p.max_bytes = bytes; });
    };
    CHECK(run(limited(100), product.call) == BITNET_E_QUANT_MEMORY);
    bitnet_error_info info = {};
    info.struct_size = sizeof info;
    test::must(bitnet_last_error_get_info(&info));
    CHECK(info.expected == 100);
    CHECK(info.actual > 256);
    test::must(run(limited(info.actual), product.call));
    CHECK(run(limited(info.actual - 1), product.call) == BITNET_E_QUANT_MEMORY);
}

TEST_CASE("weights at any address give the same product") {
    test::Product product(4, 3, 17, 256, 1.0f, false);
    const std::vector<float> expected = naive(product);
    std::vector<uint8_t> moved(product.weights.size() + 1);
    std::copy(product.weights.begin(), product.weights.end(), moved.begin() + 1);
    product.call.weights = moved.data() + 1;
    for (const std::string& level : test::runnable_levels()) {
        test::must(run(on_level(level.c_str(), 1), product.call));
        CHECK(test::same_bits(product.out, expected));
    }
}
