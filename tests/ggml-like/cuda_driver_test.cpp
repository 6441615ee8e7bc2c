// Finding NVIDIA's driver and its devices: every reason why there may be none, in words that say what to do.
#include <doctest/doctest.h>

#include <cstdlib>
#include <functional>

#include "ggml-like/gpu/cuda_device.h"
#include "ggml-like/gpu/gpu_driver.h"
#include "tests/support/fake_cuda_fixture.h"

namespace {

std::string problem_with(const std::function<void(test::FakeCuda&, tg::CudaOptions&)>& change) {
    tg::CudaOptions options = test::fake_cuda_options();
    change(test::fresh_fake_cuda(), options);
    tg::CudaDriver driver(options);
    CHECK(driver.device_count() == 0);
    return driver.problem();
}

// A variable of the process for a while.
class Visible {
public:
    explicit Visible(const char* value) : had_(std::getenv(kName) != nullptr) {
        if (had_) was_ = std::getenv(kName);
        put(value);
    }
    ~Visible() { put(had_ ? was_.c_str() : nullptr); }

private:
    static constexpr const char* kName = "CUDA_VISIBLE_DEVICES";
    static void put(const char* value) {
#if defined(_WIN32)
        _putenv_s(kName, value != nullptr ? value : "");
#else
        if (value != nullptr) setenv(kName, value, 1);
        if (value == nullptr) unsetenv(kName);
#endif
    }
    const bool had_;
    std::string was_;
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("without kernels, a library, its functions or a new enough version there are no devices, and it says why") {
    using Fake = test::FakeCuda;
    using Options = tg::CudaOptions;
    CHECK(problem_with([](Fake&, Options& o) { o.image = {}; }) == "this library was built without CUDA");
    CHECK(problem_with([](Fake&, Options& o) { o.library = "libcuda-that-is-nowhere.so.1"; }) ==
          "libcuda-that-is-nowhere.so.1 is not installed; install NVIDIA's driver");
    CHECK(has(problem_with([](Fake&, Options& o) { o.library = __FILE__; }), "cannot be loaded ("));
    CHECK(problem_with([](Fake&, Options& o) { o.library = test::kFakeLibcudaOld; }) ==
          test::kFakeLibcudaOld + " has no function cuEventCreate; install NVIDIA's driver again");
    CHECK(problem_with([](Fake& f, Options&) { f.version = 11040; }) ==
          "NVIDIA's driver knows CUDA 11.4, this build needs 12.0 or newer; update the driver");
    CHECK(problem_with([](Fake&, Options& o) { o.image.needed_version = 13000; }) ==
          "NVIDIA's driver knows CUDA 12.4, this build needs 13.0 or newer; update the driver");
}

TEST_CASE("a driver that does not start or finds nothing says so, with what it was told to see") {
    const auto none = [](test::FakeCuda& f, tg::CudaOptions&) { f.devices.clear(); };
    {
        const Visible unset(nullptr);
        CHECK(problem_with(none) == "NVIDIA's driver finds no device");
    }
    {
        const Visible set("-1");
        CHECK(problem_with(none) == "NVIDIA's driver finds no device, with CUDA_VISIBLE_DEVICES set to \"-1\"");
    }
    const auto failing = [](const char* call, int status) {
        return problem_with([=](test::FakeCuda& f, tg::CudaOptions&) {
            f.failing_call = call;
            f.failing_status = status;
        });
    };
    CHECK(has(failing("cuInit", tg::cuda::out_of_memory), "cuInit: CUDA_ERROR_OUT_OF_MEMORY (out of memory); check"));
    CHECK(has(failing("cuInit", 803), "cuInit: error 803; check it with nvidia-smi"));
    CHECK(has(failing("cuDeviceGetCount", 1), "cuDeviceGetCount: CUDA_ERROR_INVALID_VALUE"));
    for (const char* call : {"cuDeviceGet", "cuDeviceGetName", "cuDeviceTotalMem_v2", "cuDeviceGetAttribute"}) {
        CAPTURE(call);
        const std::string name = std::string(call).substr(0, std::string(call).find('_'));
        CHECK(has(failing(call, 1), "cuda:0: " + name + ": CUDA_ERROR_INVALID_VALUE"));
    }
}

TEST_CASE("devices are described without being opened, and opened once for all who have them") {
    test::FakeCuda& fake = test::fresh_fake_cuda();
    fake.devices.resize(2);
    fake.devices[1].name = "Fake GTX 1080";
    fake.devices[1].major = 6;
    fake.devices[1].minor = 1;
    tg::CudaDriver driver(test::fake_cuda_options());
    REQUIRE(driver.device_count() == 2);
    CHECK(driver.problem().empty());
    CHECK(driver.version() == 12040);
    const tg::GpuInfo info = driver.describe(0);
    CHECK(info.name == "Fake H200");
    CHECK(info.index == 0);
    CHECK(info.major == 9);
    CHECK(info.minor == 0);
    CHECK(info.n_multiprocessors == 132);
    CHECK(info.max_threads_per_block == 1024);
    CHECK(info.max_threads_per_multiprocessor == 2048);
    CHECK(info.max_shared_bytes == 232448);
    CHECK(info.clock_khz == 1980000);
    CHECK(info.memory_clock_khz == 3201000);
    CHECK(info.memory_bus_bits == 6144);
    CHECK(info.l2_bytes == uint64_t{60} << 20);
    CHECK(info.memory_bytes == uint64_t{64} << 20);
    CHECK(fake.n_contexts == 0);

    CHECK(driver.device_problem(0).empty());
    CHECK(driver.device_problem(1) == "Fake GTX 1080 has compute capability 6.1, this library needs 7.5 or newer");
    fake.devices[1].minor = 0;
    CHECK_THROWS_WITH_AS(driver.open(1), doctest::Contains("cuda:1: Fake GTX 1080 has compute"), tg::GpuError);
    CHECK_THROWS_WITH_AS(driver.open(2), "cuda:2: NVIDIA's driver finds 2 devices, numbered from 0", tg::GpuError);
    CHECK_THROWS_AS(driver.open(-1), tg::GpuError);

    std::shared_ptr<tg::GpuDevice> first = driver.open(0);
    CHECK(driver.open(0) == first);
    CHECK(fake.n_contexts == 1);
    CHECK(fake.n_modules == 1);
    first.reset();
    CHECK(fake.all_freed());
    first = driver.open(0);  // anew
    CHECK(fake.n_contexts == 1);
    first.reset();
    CHECK(fake.all_freed());
}

TEST_CASE("compute capability 7.5 is the oldest that opens") {
    test::FakeCuda& fake = test::fresh_fake_cuda();
    fake.devices.assign(3, {});
    fake.devices[0].major = fake.devices[1].major = 7;
    fake.devices[1].minor = 5;
    fake.devices[2].major = 12;
    tg::CudaDriver driver(test::fake_cuda_options());
    CHECK_FALSE(driver.device_problem(0).empty());
    CHECK(driver.device_problem(1).empty());
    CHECK(driver.device_problem(2).empty());
}

TEST_CASE("the process has one driver, and tests put another in its place") {
    tg::CudaDriver other(test::fake_cuda_options());
    tg::GpuDriver& own = tg::gpu_driver();
    CHECK(&tg::gpu_driver() == &own);
    CHECK((own.device_count() > 0 || !own.problem().empty()));
    tg::set_gpu_driver(&other);
    CHECK(&tg::gpu_driver() == &other);
    tg::set_gpu_driver(nullptr);
    CHECK(&tg::gpu_driver() == &own);
}
