// Devices and features through the interface: names, what can be used, memory, abilities, JSON, and the device of a model.
#include <doctest/doctest.h>

#include <set>
#include <string>

#include <nlohmann/json.hpp>

#include "tests/support/api_fixture.h"

namespace {

bitnet_device_info device_info(const char* device) {
    bitnet_device_info info = {};
    info.struct_size = sizeof info;
    test::must(bitnet_device_get_info(device, &info));
    return info;
}

bitnet_device_memory memory_of(const char* device) {
    bitnet_device_memory memory = {};
    memory.struct_size = sizeof memory;
    test::must(bitnet_device_get_memory(device, &memory));
    return memory;
}

std::string format(bitnet_device_kind kind, int32_t index) {
    size_t size = 99;
    if (bitnet_device_format(kind, index, nullptr, 0, &size) != BITNET_E_BUFFER_TOO_SMALL) return "";
    std::string text(size + 1, '?');
    CHECK(bitnet_device_format(kind, index, text.data(), size, &size) == BITNET_E_BUFFER_TOO_SMALL);
    test::must(bitnet_device_format(kind, index, text.data(), size + 1, &size));
    text.resize(size);
    return text;
}

}  // namespace

TEST_CASE("a device's text is parsed strictly and written back") {
    const struct {
        const char* text;
        bitnet_device_kind kind;
        int32_t index;
        const char* written;
    } rows[] = {
        {"auto", BITNET_DEVICE_AUTO, 0, "auto"},     {"cpu", BITNET_DEVICE_CPU, 0, "cpu"},
        {"metal", BITNET_DEVICE_METAL, 0, "metal"},  {"cuda", BITNET_DEVICE_CUDA, 0, "cuda:0"},
        {"cuda:0", BITNET_DEVICE_CUDA, 0, "cuda:0"}, {"cuda:255", BITNET_DEVICE_CUDA, 255, "cuda:255"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.text);
        bitnet_device_kind kind = BITNET_DEVICE_FORCE_INT32;
        int32_t index = -7;
        test::must(bitnet_device_parse(row.text, &kind, &index));
        CHECK(kind == row.kind);
        CHECK(index == row.index);
        CHECK(format(kind, index) == row.written);
        test::must(bitnet_device_parse(row.text, &kind, nullptr));
    }
    for (const char* text : {"", "CPU", "gpu", "cuda:256", "cuda:-1", "cuda:01", "cpu:0"}) {
        CAPTURE(text);
        bitnet_device_kind kind = BITNET_DEVICE_METAL;
        int32_t index = -7;
        CHECK(bitnet_device_parse(text, &kind, &index) == BITNET_E_CONFIG);
        CHECK(test::last_error().find("names no device") != std::string::npos);
        CHECK(kind == BITNET_DEVICE_METAL);
        CHECK(index == -7);
    }
    bitnet_device_kind kind = BITNET_DEVICE_CPU;
    CHECK(bitnet_device_parse(nullptr, &kind, nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_device_parse("cpu", nullptr, nullptr) == BITNET_E_ARGUMENT);
    char buffer[32];
    CHECK(bitnet_device_format(BITNET_DEVICE_CPU, 1, buffer, sizeof buffer, nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_device_format(BITNET_DEVICE_CUDA, 256, buffer, sizeof buffer, nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_device_format(BITNET_DEVICE_CUDA, -1, buffer, sizeof buffer, nullptr) == BITNET_E_ARGUMENT);
    const int32_t outside = 77;
    std::memcpy(&kind, &outside, sizeof kind);
    CHECK(bitnet_device_format(kind, 0, buffer, sizeof buffer, nullptr) == BITNET_E_ARGUMENT);
}

TEST_CASE("every listed device can be used, and one that is not built says so") {
    REQUIRE(bitnet_device_get_count() >= 1);
    bool has_cpu = false;
    for (size_t i = 0; i < bitnet_device_get_count(); ++i) {
        REQUIRE(bitnet_device_get_name(i) != nullptr);
        test::must(bitnet_device_check(bitnet_device_get_name(i)));
        has_cpu |= std::string(bitnet_device_get_name(i)) == "cpu";
    }
    CHECK(has_cpu);
    CHECK(bitnet_device_get_name(bitnet_device_get_count()) == nullptr);
    CHECK(bitnet_device_get_name(SIZE_MAX) == nullptr);
    test::must(bitnet_device_check(nullptr));
    test::must(bitnet_device_check("auto"));
    CHECK(bitnet_device_check("metal") == BITNET_E_DEVICE_NOT_AVAILABLE);
    CHECK(test::last_error().find("metal: not built into this library") == 0);
    CHECK(bitnet_device_check("cuda:255") == BITNET_E_DEVICE_NOT_AVAILABLE);
    CHECK(test::last_error().find("cuda:255: ") == 0);
    CHECK(bitnet_device_check("the moon") == BITNET_E_CONFIG);
    bitnet_device_info info = {};
    info.struct_size = sizeof info;
    CHECK(bitnet_device_get_info("metal", &info) == BITNET_E_DEVICE_NOT_AVAILABLE);
    bitnet_device_memory memory = {};
    memory.struct_size = sizeof memory;
    CHECK(bitnet_device_get_memory("metal", &memory) == BITNET_E_DEVICE_NOT_AVAILABLE);
}

TEST_CASE("a model loads on the CPU, by its name or unasked, and on no device that is not there") {
    const std::string path = test::golden_model("b158-i2s");
    for (const char* device : {static_cast<const char*>(nullptr), "auto", "cpu"}) {
        const test::ModelHandle model = test::load_model(path, [&](bitnet_model_params& p) { p.device = device; });
        bitnet_model_config config = {};
        config.struct_size = sizeof config;
        test::must(bitnet_model_get_config(model.get(), &config));
        CHECK(std::string(config.device) == "cpu");
    }
    bitnet_model_params params = bitnet_model_default_params();
    bitnet_model* model = nullptr;
    params.device = "metal";
    CHECK(bitnet_model_load(path.c_str(), &params, &model) == BITNET_E_DEVICE_NOT_AVAILABLE);
    CHECK(model == nullptr);
    params.device = "warp drive";
    CHECK(bitnet_model_load(path.c_str(), &params, &model) == BITNET_E_CONFIG);
    CHECK(model == nullptr);
}

TEST_CASE("the CPU's abilities agree with the list of kernels") {
    const bitnet_device_info info = device_info("cpu");
    CHECK(std::string(info.name) == "cpu");
    CHECK(info.kind == BITNET_DEVICE_CPU);
    CHECK(info.index == 0);
    CHECK(info.supports_f16 == 1);
    CHECK(info.supports_bf16 == 1);
    CHECK(info.supports_int8 == 1);
    CHECK(info.max_threads == bitnet_cpu_get_thread_limit());
    CHECK(info.compute_capability[0] == -1);
    CHECK(info.compute_capability[1] == -1);
    const std::string simd = std::string(", ") + info.simd + ",";
    const std::string types = std::string(", ") + info.quantization + ",";
    for (size_t i = 0; i < bitnet_kernel_get_count(); ++i) {
        bitnet_kernel_info kernel = {};
        kernel.struct_size = sizeof kernel;
        test::must(bitnet_kernel_get_info(i, &kernel));
        CAPTURE(kernel.name);
        if (kernel.runnable == 0) continue;
        CHECK(simd.find(std::string(", ") + kernel.level + ",") != std::string::npos);
        CHECK(types.find(std::string(", ") + kernel.type + ",") != std::string::npos);
    }
    CHECK(simd.find(std::string(", ") + info.kernel_level + ",") != std::string::npos);
    CHECK(std::string(device_info(nullptr).name) == "cpu");
}

TEST_CASE("memory is total, free and used") {
    const bitnet_device_memory memory = memory_of("auto");
    CHECK(memory.total > 0);
    CHECK(memory.free <= memory.total);
    CHECK(memory.used == memory.total - memory.free);
    CHECK((memory.limit_bytes == 0 || memory.total <= memory.limit_bytes));
}

TEST_CASE("the JSON lists every device, with abilities or with the reason, and the features") {
    size_t size = 0;
    CHECK(bitnet_device_get_json(nullptr, 0, &size) == BITNET_E_BUFFER_TOO_SMALL);
    std::string text(size + 64, '\0');  // digits of the free memory may come and go
    test::must(bitnet_device_get_json(text.data(), text.size(), &size));
    text.resize(size);
    CHECK(text.find('\n') == std::string::npos);
    const nlohmann::json json = nlohmann::json::parse(text);
    CHECK(json["schema"] == "bitnet-devices/1");
    std::set<std::string> names, kinds;
    for (const nlohmann::json& device : json["devices"]) {
        const std::string name = device["name"];
        CAPTURE(name);
        CHECK(names.insert(name).second);
        kinds.insert(device["kind"].get<std::string>());
        CHECK((bitnet_device_check(name.c_str()) == BITNET_OK) == device["available"].get<bool>());
        CHECK(device.contains("problem") == !device["available"].get<bool>());
    }
    CHECK(kinds == std::set<std::string>{"cpu", "cuda", "metal"});
    const nlohmann::json& cpu = json["devices"][0];
    CHECK(cpu["max_threads"] == bitnet_cpu_get_thread_limit());
    CHECK(cpu["compute_capability"].is_null());
    CHECK(cpu["memory"]["total"] == memory_of("cpu").total);
    CHECK(json["features"].size() == bitnet_feature_get_count());
}

TEST_CASE("features are listed, named once, and found by the specification's names") {
    std::set<std::string> names;
    for (size_t i = 0; i < bitnet_feature_get_count(); ++i) {
        CHECK(names.insert(bitnet_feature_get_name(i)).second);
        CHECK(bitnet_feature_is_built(bitnet_feature_get_name(i)) == 1);
    }
    CHECK(bitnet_feature_get_name(bitnet_feature_get_count()) == nullptr);
    CHECK(names.count("cpu") == 1);
    CHECK(bitnet_feature_is_built("serde") == 1);
    CHECK(bitnet_feature_is_built("tracing") == 1);
    CHECK(bitnet_feature_is_built("python") == 0);
    CHECK(bitnet_feature_is_built(nullptr) == 0);
    CHECK(std::string(bitnet_features()).find("cpu, threads") == 0);
}
