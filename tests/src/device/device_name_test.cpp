// Names of devices: which texts are names, and that reading and writing are each other's inverse.
#include <doctest/doctest.h>

#include <set>
#include <string>

#include "src/base/error.h"
#include "src/device/device_list.h"
#include "src/device/device_name.h"

using namespace bitnet;

TEST_CASE("every name of a device is read back as it was written") {
    std::set<std::string> names;
    for (const bitnet_device_kind kind :
         {BITNET_DEVICE_AUTO, BITNET_DEVICE_CPU, BITNET_DEVICE_CUDA, BITNET_DEVICE_METAL}) {
        for (int32_t index = -2; index < 300; ++index) {
            CAPTURE(index);
            const std::string name = format_device_name({kind, index});
            const bool possible = index >= 0 && index <= (kind == BITNET_DEVICE_CUDA ? 255 : 0);
            CHECK(name.empty() == !possible);
            if (!possible) continue;
            CHECK(names.insert(name).second);
            const auto read = parse_device_name(name);
            REQUIRE(read.has_value());
            CHECK(*read == DeviceName{kind, index});
        }
    }
    CHECK(names.size() == 3 + 256);
    CHECK(parse_device_name("cuda") == DeviceName{BITNET_DEVICE_CUDA, 0});
    CHECK(format_device_name({BITNET_DEVICE_FORCE_INT32, 0}).empty());
}

TEST_CASE("a text that is nearly a name is none") {
    for (const char* text : {"",
                             " ",
                             "CPU",
                             "Cpu",
                             "cpu ",
                             " cpu",
                             "cpu:0",
                             "auto:0",
                             "metal:0",
                             "gpu",
                             "cuda:",
                             "cuda: 0",
                             "cuda:0 ",
                             "cuda:-0",
                             "cuda:-1",
                             "cuda:+1",
                             "cuda:00",
                             "cuda:01",
                             "cuda:256",
                             "cuda:1000",
                             "cuda:4294967296",
                             "cuda:0x1",
                             "cuda:1.0",
                             "cuda:a",
                             "cuda::1",
                             "cuda1",
                             "cudacuda",
                             "CUDA:0",
                             "cuda:99999999999999999999"}) {
        CAPTURE(text);
        CHECK(!parse_device_name(text).has_value());
    }
    CHECK(!parse_device_name(std::string_view("cpu\0", 4)).has_value());
    CHECK(!parse_device_name(std::string_view("cuda:1\0", 7)).has_value());
}

TEST_CASE("auto is the first usable device, and what is not built says so") {
    CHECK(require_device(nullptr) == DeviceName{BITNET_DEVICE_CPU, 0});
    CHECK(require_device("auto") == require_device("cpu"));
    try {
        require_device("metal");
        FAIL("there is no Metal here");
    } catch (const Error& error) {
        CHECK(error.status() == BITNET_E_DEVICE_NOT_AVAILABLE);
        CHECK(error.message().starts_with("metal: not built into this library"));
        CHECK(error.subject() == "metal");
    }
    const std::string endless(100000, 'x');
    try {
        require_device(endless.c_str());
        FAIL("that is no device");
    } catch (const Error& error) {
        CHECK(error.status() == BITNET_E_CONFIG);
        CHECK(error.message().size() < 300);
    }
}

TEST_CASE("the CPU's levels rise from scalar and its types hold every type of the library") {
    const std::vector<const char*> levels = cpu_levels();
    REQUIRE(!levels.empty());
    CHECK(std::string(levels.front()) == "scalar");
    for (const char* type : {"f32", "f16", "bf16", "q8_0", "q4_0", "q6_k", "tq1_0", "tq2_0", "i2_s"}) {
        CAPTURE(type);
        CHECK(cpu_multiplies(type));
    }
    CHECK(!cpu_multiplies("q9_9"));
    CHECK(cpu_packs("i8"));
    CHECK(!cpu_packs("i4"));
}
