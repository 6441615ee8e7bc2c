// Puts them in the driver's place before any test runs, and lets models go there that tests/api loads without naming a device.
// BITNET_TEST_DEVICE=cuda:0 leaves the driver in its place and lets them go to a real device (scripts/gpu-check);
// BITNET_TEST_PLAYED=cuda:0,cuda:1 splits them among those that are played.
#include "tests/gpu/gpu_of_tests.h"

#include <cstdlib>

#include "ggml-like/gpu/gpu_driver.h"
#include "tests/support/api_fixture.h"

namespace test {

VirtualGpu& gpu_of_tests() {
    static VirtualGpu gpus({.n_devices = 2, .memory_bytes = uint64_t{1} << 30});
    return gpus;
}

}  // namespace test

namespace {

const bool g_installed = [] {
    if (const char* device = std::getenv("BITNET_TEST_DEVICE"); device != nullptr && *device != '\0') {
        test::device_of_tests() = device;
        return true;
    }
    tg::set_gpu_driver(&test::gpu_of_tests());
    const char* const played = std::getenv("BITNET_TEST_PLAYED");
    test::device_of_tests() = played != nullptr ? played : "cuda:0";
    return true;
}();

}  // namespace
