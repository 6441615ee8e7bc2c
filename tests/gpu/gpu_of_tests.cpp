// Puts them in the driver's place before any test runs, and lets models go there that tests/api loads without naming a device.
#include "tests/gpu/gpu_of_tests.h"

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
    tg::set_gpu_driver(&test::gpu_of_tests());
    test::device_of_tests() = "cuda:0";
    return true;
}();

}  // namespace
