// The quantiser as a program sees it: sizes, every status of a call that cannot be, buffers and structs of any size.
#include <doctest/doctest.h>

#include <cfloat>
#include <cmath>
#include <cstring>
#include <limits>
#include <thread>

#include "tests/support/quantizer_fixture.h"

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

bitnet_status size_status(const bitnet_quantize_config& config, size_t n_rows, size_t n_cols) {
    return bitnet_quantize_get_size(&config, n_rows, n_cols, nullptr, nullptr);
}

bitnet_status quantize_status(const char* type, const std::vector<float>& values, bool asymmetric = false) {
    static const test::QuantizerHandle quantizer = test::make_quantizer();
    test::Quantized made;
    bitnet_quantize_accuracy accuracy = {};
    accuracy.struct_size = sizeof accuracy;
    const bitnet_quantize_config config = test::quant_config(type, 0, asymmetric);
    const bitnet_status status = test::try_quantize(quantizer, config, values, &made);
    // Measuring fails where quantising does.
    CHECK(test::name_of(bitnet_quantize_get_accuracy(&config, values.data(), 1, values.size(), &accuracy)) ==
          test::name_of(status));
    return status;
}

std::vector<float> filled(size_t n, float value, float first) {
    std::vector<float> values(n, value);
    values[0] = first;
    return values;
}

}  // namespace

TEST_CASE("sizes are those of the formats") {
    const struct {
        const char* type;
        uint64_t block;
        bool asymmetric;
        size_t n_bytes, n_scales;  // of 3 rows of 512
    } rows[] = {
        {"i2_s", 0, false, 384 + 32, 1},  {"tq1_0", 0, false, 6 * 54, 0}, {"tq2_0", 256, false, 6 * 66, 0},
        {"q8_0", 32, false, 48 * 34, 0},  {"q4_0", 0, false, 48 * 18, 0}, {"q6_k", 0, false, 6 * 210, 0},
        {"f16", 0, false, 3072, 0},       {"BF16", 1, false, 3072, 0},    {"f32", 0, false, 6144, 0},
        {"int8", 0, false, 1536, 24},     {"Int4", 0, false, 768, 24},    {"int8", 512, true, 1536 + 3, 3},
        {"int4", 16, true, 768 + 96, 96},
    };
    for (const auto& row : rows) {
        CAPTURE(row.type);
        const bitnet_quantize_config config = test::quant_config(row.type, row.block, row.asymmetric);
        size_t n_bytes = 0, n_scales = 99;
        test::must(bitnet_quantize_get_size(&config, 3, 512, &n_bytes, &n_scales));
        CHECK(n_bytes == row.n_bytes);
        CHECK(n_scales == row.n_scales);
    }
    size_t n_bytes = 0;
    test::must(bitnet_quantize_get_size(nullptr, 1, 128, &n_bytes, nullptr));  // i2_s
    CHECK(n_bytes == 64);
}

TEST_CASE("a type, block or zero point that this version does not have is BITNET_E_QUANT_FORMAT") {
    for (const char* type : {"tl1", "TL2", "iq2_s", "iq2_bn", "q4_1", "Q2_0"}) {
        CHECK(size_status(test::quant_config(type), 1, 256) == BITNET_E_QUANT_FORMAT);
        CHECK(test::last_error().find("not in this version") != std::string::npos);
    }
    for (const char* type : {"", "i2", "i2_s ", "q5_k", "\x01\xff no name of a type, but a very long text\n"}) {
        CHECK(size_status(test::quant_config(type), 1, 256) == BITNET_E_QUANT_FORMAT);
        CHECK(test::last_error().find("this version writes i2_s") != std::string::npos);
    }
    CHECK(size_status(test::quant_config("i2_s", 64), 1, 256) == BITNET_E_QUANT_FORMAT);
    CHECK(size_status(test::quant_config("f32", 2), 1, 256) == BITNET_E_QUANT_FORMAT);
    CHECK(size_status(test::quant_config("int8", 24), 1, 240) == BITNET_E_QUANT_FORMAT);
    CHECK(size_status(test::quant_config("int8", 65552), 1, 65552) == BITNET_E_QUANT_FORMAT);
    CHECK(size_status(test::quant_config("int8", UINT64_MAX), 1, 256) == BITNET_E_QUANT_FORMAT);
    CHECK(size_status(test::quant_config("q8_0", 0, true), 1, 256) == BITNET_E_QUANT_FORMAT);
}

TEST_CASE("shapes without values, without whole blocks or beyond all memory are BITNET_E_QUANT_INPUT") {
    constexpr size_t kHuge = std::numeric_limits<size_t>::max();
    const bitnet_quantize_config config = test::quant_config("i2_s");
    CHECK(size_status(config, 0, 128) == BITNET_E_QUANT_INPUT);
    CHECK(size_status(config, 1, 0) == BITNET_E_QUANT_INPUT);
    CHECK(size_status(config, 1, 100) == BITNET_E_QUANT_INPUT);
    CHECK(size_status(config, 2, 64) == BITNET_E_QUANT_INPUT);  // rows, not the sum, are whole blocks
    CHECK(size_status(config, kHuge, 128) == BITNET_E_QUANT_INPUT);
    CHECK(size_status(config, kHuge / 128 + 2, 128) == BITNET_E_QUANT_INPUT);  // 128 after wrapping around
    CHECK(size_status(config, 1, kHuge - 127) == BITNET_E_QUANT_INPUT);
    CHECK(size_status(test::quant_config("f32"), kHuge / 4, 1) == BITNET_E_QUANT_INPUT);
}

TEST_CASE("values that are not numbers are BITNET_E_QUANT_INPUT for every type") {
    for (const char* type : {"i2_s", "tq1_0", "tq2_0", "q8_0", "q4_0", "q6_k", "int8", "int4", "f16", "bf16", "f32"}) {
        CAPTURE(type);
        for (const float bad : {std::nanf(""), kInfinity, -kInfinity}) {
            std::vector<float> values(256, 0.5f);
            values[255] = bad;
            CHECK(quantize_status(type, values) == BITNET_E_QUANT_INPUT);
            CHECK(test::last_error().find("value 255") != std::string::npos);
        }
    }
}

TEST_CASE("values beyond a type's range are BITNET_E_QUANT_OVERFLOW, up to it they fit") {
    const struct {
        const char* type;
        float fits, too_large;
    } rows[] = {{"f16", 65519.0f, 65520.0f},
                {"bf16", 3.3895e38f, FLT_MAX},
                {"tq2_0", 65504.0f, 65536.0f},
                {"tq1_0", 65504.0f, 65536.0f},
                {"q8_0", 65504.0f * 127, 65521.0f * 127},
                {"q4_0", 65504.0f * 8, 65536.0f * 8},
                {"q6_k", 65000.0f * 128 * 32, 1e30f}};
    for (const auto& row : rows) {
        CAPTURE(row.type);
        CHECK(test::name_of(quantize_status(row.type, filled(256, 0.0f, row.fits))) == "BITNET_OK");
        CHECK(test::name_of(quantize_status(row.type, filled(256, 0.0f, -row.too_large))) == "BITNET_E_QUANT_OVERFLOW");
    }
    for (const char* type : {"i2_s", "int8", "int4", "f32"})
        CHECK(quantize_status(type, filled(256, 0.0f, FLT_MAX)) == BITNET_OK);
}

TEST_CASE("a scale that would vanish or be infinite is BITNET_E_QUANT_SCALE") {
    for (const char* type : {"tq1_0", "tq2_0", "q8_0", "q4_0", "q6_k"}) {
        CAPTURE(type);
        CHECK(test::name_of(quantize_status(type, filled(512, 0.0f, 1e-12f))) == "BITNET_E_QUANT_SCALE");
        // Beside a block that has one, a block of nothing but dust becomes zeros.
        std::vector<float> values = filled(512, 0.0f, 1e-12f);
        values[400] = 1.0f;
        CHECK(test::name_of(quantize_status(type, values)) == "BITNET_OK");
        CHECK(test::name_of(quantize_status(type, std::vector<float>(512, 0.0f))) == "BITNET_OK");
    }
    CHECK(quantize_status("int8", filled(64, 0.0f, 1e-45f)) == BITNET_E_QUANT_SCALE);
    CHECK(quantize_status("int8", filled(64, -FLT_MAX, FLT_MAX), true) == BITNET_E_QUANT_SCALE);
    CHECK(quantize_status("int4", filled(64, -FLT_MAX, FLT_MAX), true) == BITNET_E_QUANT_SCALE);
}

TEST_CASE("a block far on one side of zero is BITNET_E_QUANT_ZERO_POINT, one that touches it is not") {
    for (const char* type : {"int8", "int4"}) {
        CHECK(quantize_status(type, filled(64, 10.0f, 11.0f), true) == BITNET_E_QUANT_ZERO_POINT);
        CHECK(quantize_status(type, filled(64, -10.0f, -11.0f), true) == BITNET_E_QUANT_ZERO_POINT);
        CHECK(quantize_status(type, std::vector<float>(64, 5.0f), true) ==
              BITNET_E_QUANT_ZERO_POINT);  // no step at all
        CHECK(quantize_status(type, filled(64, 10.0f, 0.0f), true) == BITNET_OK);
        CHECK(quantize_status(type, filled(64, 0.0f, -10.0f), true) == BITNET_OK);
        CHECK(quantize_status(type, filled(64, 10.0f, 11.0f), false) == BITNET_OK);
    }
}

TEST_CASE("less than the accuracy asked for is BITNET_E_QUANT_ACCURACY") {
    const std::vector<float> values = test::random_values(1, 512);
    const double reached = test::accuracy_of(test::quant_config("q4_0"), values).accuracy;
    for (const double minimum : {0.0, reached, std::nextafter(reached, 100.0), 100.0}) {
        CAPTURE(minimum);
        const test::QuantizerHandle quantizer =
            test::make_quantizer([&](bitnet_quantizer_params& p) { p.min_accuracy = minimum; });
        test::Quantized made;
        const bitnet_status status = test::try_quantize(quantizer, test::quant_config("q4_0"), values, &made);
        CHECK(test::name_of(status) == (minimum <= reached ? "BITNET_OK" : "BITNET_E_QUANT_ACCURACY"));
        for (const char* type : {"f32", "int8"}) {  // with scales apart
            CHECK((test::try_quantize(quantizer, test::quant_config(type), values, &made) == BITNET_OK) ==
                  (minimum < 100.0 || std::string(type) == "f32"));
        }
    }
    test::QuantizerHandle none;
    for (const double bad : {-1.0, 100.5, std::nan("")}) {
        CHECK(test::create_quantizer([&](bitnet_quantizer_params& p) { p.min_accuracy = bad; }, &none) ==
              BITNET_E_CONFIG);
    }
}

TEST_CASE("buffers and scales of the wrong size are told with the right one") {
    const test::QuantizerHandle quantizer = test::make_quantizer();
    const std::vector<float> values = test::random_values(1, 256);
    std::vector<uint8_t> bytes(1024);
    std::vector<float> scales(64), back(256);
    const auto quantize = [&](const char* type, size_t n_bytes, float* out_scales, size_t n_scales) {
        const bitnet_quantize_config config = test::quant_config(type);
        return bitnet_quantizer_quantize(quantizer.get(), &config, values.data(), 2, 128, bytes.data(), n_bytes,
                                         out_scales, n_scales);
    };
    const auto dequantize = [&](const char* type, size_t n_bytes, const float* in_scales, size_t n_scales,
                                size_t n_out) {
        const bitnet_quantize_config config = test::quant_config(type);
        return bitnet_quantizer_dequantize(quantizer.get(), &config, bytes.data(), n_bytes, in_scales, n_scales, 2, 128,
                                           back.data(), n_out);
    };
    CHECK(quantize("i2_s", 95, nullptr, 0) == BITNET_E_QUANT_OUTPUT_SIZE);
    bitnet_error_info info = {};
    info.struct_size = sizeof info;
    test::must(bitnet_last_error_get_info(&info));
    CHECK(info.expected == 96);
    CHECK(info.actual == 95);
    CHECK(quantize("int8", 256, scales.data(), 5) == BITNET_E_QUANT_SCALE_COUNT);
    test::must(bitnet_last_error_get_info(&info));
    CHECK(info.expected == 4);
    CHECK(info.actual == 5);
    CHECK(quantize("int8", 256, nullptr, 0) == BITNET_E_QUANT_SCALE_COUNT);
    CHECK(quantize("int8", 256, nullptr, 4) == BITNET_E_QUANT_INPUT);
    CHECK(quantize("q8_0", 272, scales.data(), 8) == BITNET_E_QUANT_SCALE_COUNT);
    CHECK(quantize("i2_s", 96, scales.data(), 2) == BITNET_E_QUANT_SCALE_COUNT);
    CHECK(quantize("i2_s", 1024, scales.data(), 1) == BITNET_OK);
    CHECK(dequantize("i2_s", 95, nullptr, 0, 256) == BITNET_E_QUANT_INPUT);
    CHECK(dequantize("i2_s", 97, nullptr, 0, 256) == BITNET_E_QUANT_INPUT);
    CHECK(dequantize("i2_s", 96, nullptr, 0, 255) == BITNET_E_QUANT_OUTPUT_SIZE);
    CHECK(dequantize("i2_s", 96, scales.data(), 2, 256) == BITNET_E_QUANT_SCALE_COUNT);
    CHECK(dequantize("int8", 256, nullptr, 0, 256) == BITNET_E_QUANT_SCALE_COUNT);
    CHECK(dequantize("i2_s", 96, nullptr, 0, 256) == BITNET_OK);
    const std::vector<float> inside = back;
    scales[0] *= 2.0f;  // a scale that is given counts more than the one inside
    CHECK(dequantize("i2_s", 96, scales.data(), 1, 256) == BITNET_OK);
    for (size_t i = 0; i < 256; ++i) REQUIRE(back[i] == 2.0f * inside[i]);
}

TEST_CASE("NULL and crooked pointers are statuses") {
    const test::QuantizerHandle quantizer = test::make_quantizer();
    const bitnet_quantize_config config = test::quant_config("int8");
    std::vector<float> values(65), scales(3), back(65);
    std::vector<uint8_t> bytes(64);
    const auto crooked = [](std::vector<float>& floats) {
        return reinterpret_cast<float*>(reinterpret_cast<unsigned char*>(floats.data()) + 2);
    };
    const auto quantize = [&](bitnet_quantizer* q, const float* in, void* out, float* s) {
        return bitnet_quantizer_quantize(q, &config, in, 1, 64, out, 64, s, 1);
    };
    CHECK(quantize(nullptr, values.data(), bytes.data(), scales.data()) == BITNET_E_ARGUMENT);
    CHECK(quantize(quantizer.get(), nullptr, bytes.data(), scales.data()) == BITNET_E_QUANT_INPUT);
    CHECK(quantize(quantizer.get(), values.data(), nullptr, scales.data()) == BITNET_E_ARGUMENT);
    CHECK(quantize(quantizer.get(), crooked(values), bytes.data(), scales.data()) == BITNET_E_QUANT_INPUT);
    CHECK(quantize(quantizer.get(), values.data(), bytes.data(), crooked(scales)) == BITNET_E_QUANT_INPUT);
    const auto dequantize = [&](bitnet_quantizer* q, const void* data, const float* s, float* out) {
        return bitnet_quantizer_dequantize(q, &config, data, 64, s, 1, 1, 64, out, 64);
    };
    CHECK(dequantize(nullptr, bytes.data(), scales.data(), back.data()) == BITNET_E_ARGUMENT);
    CHECK(dequantize(quantizer.get(), nullptr, scales.data(), back.data()) == BITNET_E_QUANT_INPUT);
    CHECK(dequantize(quantizer.get(), bytes.data(), crooked(scales), back.data()) == BITNET_E_QUANT_INPUT);
    CHECK(dequantize(quantizer.get(), bytes.data(), scales.data(), crooked(back)) == BITNET_E_QUANT_INPUT);
    CHECK(dequantize(quantizer.get(), bytes.data(), scales.data(), nullptr) == BITNET_E_QUANT_INPUT);
    bitnet_quantize_accuracy accuracy = {};
    CHECK(bitnet_quantize_get_accuracy(&config, values.data(), 1, 64, nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_quantize_get_accuracy(&config, values.data(), 1, 64, &accuracy) ==
          BITNET_E_ARGUMENT);  // struct_size 0
    CHECK(bitnet_quantize_get_accuracy(&config, nullptr, 1, 64, &accuracy) == BITNET_E_QUANT_INPUT);
    CHECK(bitnet_quantizer_create(nullptr, nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_quantizer_get_stats(quantizer.get(), nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_quantizer_get_summary(nullptr, nullptr, 0, nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_quantizer_reset_stats(nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_quantizer_force_cpu_fallback(nullptr) == BITNET_E_ARGUMENT);
    CHECK(std::string(bitnet_quantizer_get_active_provider(nullptr)).empty());
    CHECK(bitnet_quantizer_is_gpu_active(nullptr) == 0);
    bitnet_quantizer_free(nullptr);
}

TEST_CASE("bytes that no encoder writes do not come back as numbers") {
    const test::QuantizerHandle quantizer = test::make_quantizer();
    const std::vector<float> values = test::ternary_values(1, 256, 1.0f);
    std::vector<float> back(256);
    const auto damaged = [&](const char* type, size_t at, uint8_t value) {
        test::Quantized made = test::quantize(quantizer, test::quant_config(type), values);
        made.bytes[at] = value;
        return test::try_dequantize(quantizer, test::quant_config(type), made, &back);
    };
    CHECK(damaged("i2_s", 40, 0xff) == BITNET_E_QUANT_INPUT);  // a code 3
    CHECK(damaged("tq2_0", 3, 0x03) == BITNET_E_QUANT_INPUT);
    CHECK(damaged("tq1_0", 3, 0x01) == BITNET_E_QUANT_INPUT);
    for (const auto& [name, at] : {std::pair{"tq2_0", 65}, {"tq1_0", 53}, {"q8_0", 1}, {"q4_0", 1}, {"q6_k", 209}}) {
        const char* const type = name;  // C++20 captures bindings, clang 14 does not yet
        CAPTURE(type);
        CHECK(damaged(type, static_cast<size_t>(at), 0x7c) == BITNET_E_QUANT_SCALE);  // an infinite half, or a NaN
    }
    CHECK(damaged("f16", 301, 0x7e) == BITNET_E_QUANT_INPUT);
    CHECK(damaged("bf16", 511, 0x7e) == BITNET_OK);  // large, but a number
    CHECK(damaged("f32", 1023, 0x7f) == BITNET_E_QUANT_INPUT);
    test::Quantized made = test::quantize(quantizer, test::quant_config("int8"), values);
    for (const float bad : {kInfinity, std::nanf(""), FLT_MAX}) {  // 127 * FLT_MAX is none
        made.scales[3] = bad;
        CHECK(test::try_dequantize(quantizer, test::quant_config("int8"), made, &back) == BITNET_E_QUANT_SCALE);
    }
    made = test::quantize(quantizer, test::quant_config("i2_s"), values);
    made.scales = {kInfinity};
    CHECK(test::try_dequantize(quantizer, test::quant_config("i2_s"), made, &back) == BITNET_E_QUANT_SCALE);
}

TEST_CASE("devices by name: what there is, what falls back, what is no device") {
    const auto create = [](const char* device, int32_t allow_fallback, test::QuantizerHandle* out) {
        return test::create_quantizer(
            [&](bitnet_quantizer_params& p) {
                p.device = device;
                p.allow_fallback = allow_fallback;
            },
            out);
    };
    test::QuantizerHandle quantizer;
    for (const char* device : {static_cast<const char*>(nullptr), "auto", "cpu"}) {
        CHECK(create(device, 0, &quantizer) == BITNET_OK);
        CHECK(bitnet_quantizer_is_gpu_active(quantizer.get()) == 0);
        CHECK(std::string(bitnet_quantizer_get_active_provider(quantizer.get())).starts_with("i2s_"));
        CHECK(test::stats_of(quantizer).fallback_count == 0);
        CHECK(std::string(test::stats_of(quantizer).target_device) == (device == nullptr ? "auto" : device));
    }
    for (const char* device : {"cuda", "cuda:0", "cuda:7", "metal"}) {
        CAPTURE(device);
        CHECK(create(device, 0, &quantizer) == BITNET_E_DEVICE_NOT_AVAILABLE);
        CHECK(create(device, 1, &quantizer) == BITNET_OK);
        CHECK(test::stats_of(quantizer).fallback_count == 1);
        CHECK(!std::string(test::stats_of(quantizer).last_gpu_error).empty());
        CHECK(bitnet_quantizer_is_gpu_active(quantizer.get()) == 0);
    }
    for (const char* device : {"", "gpu", "cuda:", "cuda:-1", "cuda:1x", "cuda:99999999999", "CPU"}) {
        CAPTURE(device);
        CHECK(create(device, 1, &quantizer) == BITNET_E_CONFIG);
    }
    CHECK(test::create_quantizer([](bitnet_quantizer_params& p) { p.n_threads = -1; }, &quantizer) == BITNET_E_CONFIG);
    CHECK(test::create_quantizer([](bitnet_quantizer_params& p) { p.kernel = "nonsense"; }, &quantizer) ==
          BITNET_E_CONFIG);
}

TEST_CASE("statistics count operations of any thread, and a reset begins anew") {
    const test::QuantizerHandle quantizer = test::make_quantizer();
    const std::vector<float> values = test::random_values(1, 1024);
    const test::Quantized expected = test::quantize(quantizer, test::quant_config("i2_s"), values);
    std::vector<std::thread> threads;
    std::vector<int> equal(4, 0);
    for (size_t t = 0; t < equal.size(); ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 10; ++i) {
                test::Quantized made;
                const bool ok = test::try_quantize(quantizer, test::quant_config("i2_s"), values, &made) == BITNET_OK;
                equal[t] += ok && made.bytes == expected.bytes;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(equal == std::vector<int>(4, 10));
    bitnet_quantizer_stats stats = test::stats_of(quantizer);
    CHECK(stats.total_operations == 41);
    CHECK(stats.quantization_operations == 41);
    CHECK(stats.cpu_operations == 41);
    CHECK(stats.gpu_operations == 0);
    CHECK(stats.gpu_efficiency == 0);
    CHECK(stats.quantization_time_ms > 0);
    CHECK(stats.average_quantization_time_ms == doctest::Approx(stats.quantization_time_ms / 41));
    CHECK(stats.average_matmul_time_ms == 0);
    CHECK(stats.memory_used_bytes > 0);
    CHECK(stats.memory_total_bytes > stats.memory_used_bytes);
    test::must(bitnet_quantizer_reset_stats(quantizer.get()));
    stats = test::stats_of(quantizer);
    CHECK(stats.total_operations == 0);
    CHECK(stats.total_time_ms == 0);
}

TEST_CASE("the summary has everything on few lines") {
    const test::QuantizerHandle quantizer =
        test::make_quantizer([](bitnet_quantizer_params& p) { p.device = "cuda:3"; });
    test::quantize(quantizer, test::quant_config("i2_s"), test::random_values(1, 128));
    size_t size = 0;
    CHECK(bitnet_quantizer_get_summary(quantizer.get(), nullptr, 0, &size) == BITNET_E_BUFFER_TOO_SMALL);
    std::string text(size + 1, '\0');
    test::must(bitnet_quantizer_get_summary(quantizer.get(), text.data(), text.size(), &size));
    for (const char* part :
         {"asked for: cuda:3", "operations: 1 (1 quantisations, 0 products)", "0 on the GPU, 1 on the CPU, 1 fallbacks",
          "GPU efficiency 0.0 %", "host memory: ", "last GPU error: cuda:3"}) {
        CAPTURE(part);
        CHECK(text.find(part) != std::string::npos);
    }
    CHECK(text.find("last CPU error") == std::string::npos);
}

TEST_CASE("the quantiser's structs may be shorter than the library's") {
    bitnet_quantize_config config = test::quant_config("nonsense", 7, true);
    config.struct_size = sizeof(uint32_t);  // so only the default counts
    size_t n_bytes = 0;
    test::must(bitnet_quantize_get_size(&config, 1, 128, &n_bytes, nullptr));
    CHECK(n_bytes == 64);
    const std::vector<float> values = test::random_values(1, 128);
    std::vector<unsigned char> memory(sizeof(bitnet_quantize_accuracy), 0xcd);
    const uint32_t size = 8;
    std::memcpy(memory.data(), &size, sizeof size);
    test::must(bitnet_quantize_get_accuracy(nullptr, values.data(), 1, 128,
                                            reinterpret_cast<bitnet_quantize_accuracy*>(memory.data())));
    CHECK(memory[4] == BITNET_ENVELOPE_ARBITRARY);
    for (size_t i = size; i < memory.size(); ++i) REQUIRE(memory[i] == 0xcd);
    const bitnet_quantizer_params params = bitnet_quantizer_default_params();
    CHECK(params.struct_size == sizeof params);
    CHECK(params.allow_fallback == 1);
    CHECK(params.device == nullptr);
    CHECK(params.min_accuracy == 0);
}
