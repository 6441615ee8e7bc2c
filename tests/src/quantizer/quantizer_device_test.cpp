// The quantiser on a device: a driver that fails in chosen ways stands where a CUDA build's would, and computes with the
// CPU's quantiser when it does not fail. Every fault has its status, every fallback is counted.
#include <doctest/doctest.h>

#include <cstring>
#include <iterator>

#include "src/device/device_driver.h"
#include "tests/support/quantizer_fixture.h"

namespace {

using bitnet::DeviceFault;
using bitnet::DeviceResult;

// Which calls fail, and how.
struct Plan {
    DeviceFault open = DeviceFault::none;
    DeviceFault quantize = DeviceFault::none;
    DeviceFault dequantize = DeviceFault::none;
    DeviceFault matmul = DeviceFault::none;
    int32_t n_devices = 2;
    int32_t opened = -1;
    int n_calls = 0;
};

DeviceResult result_of(DeviceFault fault) {
    if (fault == DeviceFault::none) return {};
    return {fault, "line one\nline two", fault == DeviceFault::out_of_memory ? 4096u : 0u,
            fault == DeviceFault::out_of_memory ? 17u : 0u};
}

class FailingDevice : public bitnet::Device {
public:
    explicit FailingDevice(Plan& plan)
        : plan_(plan), cpu_(test::make_quantizer([](bitnet_quantizer_params& p) { p.device = "cpu"; })) {}
    const char* provider() const noexcept override { return "CudaKernel"; }

    DeviceResult quantize(const bitnet::DeviceQuantize& work) override {
        ++plan_.n_calls;
        if (plan_.quantize != DeviceFault::none) return result_of(plan_.quantize);
        const bitnet_quantize_config config =
            test::quant_config(work.type, static_cast<uint64_t>(work.block_size), work.asymmetric);
        test::must(bitnet_quantizer_quantize(cpu_.get(), &config, work.input, 1, static_cast<size_t>(work.n_values),
                                             work.out, work.n_out_bytes, work.scales, work.n_scales));
        return {};
    }
    DeviceResult dequantize(const bitnet::DeviceDequantize& work) override {
        ++plan_.n_calls;
        if (plan_.dequantize != DeviceFault::none) return result_of(plan_.dequantize);
        const bitnet_quantize_config config =
            test::quant_config(work.type, static_cast<uint64_t>(work.block_size), work.asymmetric);
        const size_t n = static_cast<size_t>(work.n_values);
        test::must(bitnet_quantizer_dequantize(cpu_.get(), &config, work.data, work.n_bytes, work.scales, work.n_scales,
                                               1, n, work.out, n));
        return {};
    }
    DeviceResult matmul_i2s(const bitnet::DeviceMatmulI2s* work, size_t n) override {
        ++plan_.n_calls;
        if (plan_.matmul != DeviceFault::none) return result_of(plan_.matmul);
        for (size_t i = 0; i < n; ++i) std::fill_n(work[i].out, work[i].m * work[i].n, 1000.0f);  // as no CPU would
        return {};
    }

private:
    Plan& plan_;
    test::QuantizerHandle cpu_;
};

class FailingDriver : public bitnet::DeviceDriver {
public:
    explicit FailingDriver(Plan& plan) : plan_(plan) { bitnet::set_cuda_driver(this); }
    ~FailingDriver() override { bitnet::set_cuda_driver(nullptr); }
    int32_t device_count() override { return plan_.n_devices; }
    DeviceResult open(int32_t index, std::unique_ptr<bitnet::Device>* out) override {
        plan_.opened = index;
        if (plan_.open == DeviceFault::none) *out = std::make_unique<FailingDevice>(plan_);
        return result_of(plan_.open);
    }

private:
    Plan& plan_;
};

const test::QuantizerTweak kCuda = [](bitnet_quantizer_params& p) { p.device = "cuda:1"; };
const test::QuantizerTweak kStrictCuda = [](bitnet_quantizer_params& p) {
    p.device = "cuda:1";
    p.allow_fallback = 0;
};

constexpr DeviceFault kFaults[] = {DeviceFault::unavailable, DeviceFault::out_of_memory, DeviceFault::compute,
                                   DeviceFault::unsupported, DeviceFault::capability,    DeviceFault::sync,
                                   DeviceFault::other};
constexpr bitnet_status kDeviceStatuses[] = {
    BITNET_E_DEVICE_NOT_AVAILABLE, BITNET_E_DEVICE_MEMORY, BITNET_E_DEVICE_COMPUTE, BITNET_E_DEVICE_FALLBACK,
    BITNET_E_DEVICE_CAPABILITY,    BITNET_E_DEVICE_SYNC,   BITNET_E_DEVICE};
constexpr bitnet_status kQuantStatuses[] = {BITNET_E_QUANT_GPU,   BITNET_E_QUANT_DEVICE, BITNET_E_QUANT_CUDA,
                                            BITNET_E_QUANT_GPU,   BITNET_E_QUANT_DEVICE, BITNET_E_QUANT_CUDA,
                                            BITNET_E_QUANT_DEVICE};

std::string summary(const test::QuantizerHandle& quantizer) {
    size_t size = 0;
    CHECK(bitnet_quantizer_get_summary(quantizer.get(), nullptr, 0, &size) == BITNET_E_BUFFER_TOO_SMALL);
    std::string text(size + 1, '\0');
    test::must(bitnet_quantizer_get_summary(quantizer.get(), text.data(), text.size(), &size));
    text.resize(size);
    return text;
}

}  // namespace

TEST_CASE("each way a device fails to open has its own status") {
    for (size_t i = 0; i < std::size(kFaults); ++i) {
        Plan plan;
        plan.open = kFaults[i];
        const FailingDriver driver(plan);
        test::QuantizerHandle quantizer;
        CAPTURE(i);
        CHECK(test::name_of(test::create_quantizer(kStrictCuda, &quantizer)) == bitnet_status_name(kDeviceStatuses[i]));
        CHECK(plan.opened == 1);
        const std::string message = test::last_error();  // which checks that it is one line
        CHECK(message.find("cuda:1") != std::string::npos);
        CHECK(message.find("line one line two") != std::string::npos);
        if (kFaults[i] == DeviceFault::out_of_memory) {
            bitnet_error_info info = {};
            info.struct_size = sizeof info;
            test::must(bitnet_last_error_get_info(&info));
            CHECK(info.expected == 4096);
            CHECK(info.actual == 17);
        }
    }
}

TEST_CASE("each way a device fails to quantise or to multiply has its own status") {
    Plan plan;
    const FailingDriver driver(plan);
    const test::QuantizerHandle quantizer = test::make_quantizer(kStrictCuda);
    const std::vector<float> values = test::random_values(1, 128);
    const test::Quantized good = test::quantize(quantizer, test::quant_config("i2_s"), values);
    test::Product product(2, 2, 3, 128, 1.0f, false);
    for (size_t i = 0; i < std::size(kFaults); ++i) {
        CAPTURE(i);
        plan.quantize = plan.dequantize = plan.matmul = kFaults[i];
        test::Quantized made;
        std::vector<float> back(128);
        CHECK(test::name_of(test::try_quantize(quantizer, test::quant_config("i2_s"), values, &made)) ==
              bitnet_status_name(kQuantStatuses[i]));
        CHECK(test::name_of(test::try_dequantize(quantizer, test::quant_config("i2_s"), good, &back)) ==
              bitnet_status_name(kQuantStatuses[i]));
        CHECK(test::name_of(bitnet_quantizer_matmul_i2s(quantizer.get(), &product.call)) ==
              bitnet_status_name(kDeviceStatuses[i]));
    }
    const bitnet_quantizer_stats stats = test::stats_of(quantizer);
    CHECK(stats.total_operations == 1);  // what failed does not count
    CHECK(stats.fallback_count == 0);
    CHECK(std::string(stats.last_gpu_error).find("line one line two") != std::string::npos);
    CHECK(std::string(stats.last_cpu_error).empty());
    CHECK(bitnet_quantizer_is_gpu_active(quantizer.get()) == 1);
    plan = {};
    test::must(bitnet_quantizer_matmul_i2s(quantizer.get(), &product.call));  // and works again when the device does
    CHECK(product.out[0] == 1000.0f);
}

TEST_CASE("operations run on the GPU, and those it cannot do fall back, counted and logged") {
    Plan plan;
    const FailingDriver driver(plan);
    std::vector<std::string> log;
    bitnet_log_set_callback(
        [](bitnet_log_level level, const char* text, void* user) {
            if (level == BITNET_LOG_WARNING) static_cast<std::vector<std::string>*>(user)->push_back(text);
        },
        BITNET_LOG_WARNING, &log);
    const test::QuantizerHandle quantizer = test::make_quantizer(kCuda);
    CHECK(std::string(bitnet_quantizer_get_active_provider(quantizer.get())) == "CudaKernel");
    const std::vector<float> values = test::random_values(1, 256);
    const test::Quantized on_gpu = test::quantize(quantizer, test::quant_config("q8_0"), values);
    for (int i = 0; i < 4; ++i) test::quantize(quantizer, test::quant_config("int4", 32, true), values);
    CHECK(plan.n_calls == 5);
    CHECK(log.empty());
    bitnet_quantizer_stats stats = test::stats_of(quantizer);
    CHECK(stats.gpu_operations == 5);
    CHECK(stats.gpu_efficiency == 1.0);
    CHECK(stats.is_gpu_effective == 1);
    CHECK(std::string(stats.device_type).starts_with("CudaKernel+i2s_"));
    CHECK(std::string(stats.target_device) == "cuda:1");

    plan.quantize = DeviceFault::unsupported;
    CHECK(test::quantize(quantizer, test::quant_config("q8_0"), values).bytes == on_gpu.bytes);
    CHECK(log.size() == 1);
    stats = test::stats_of(quantizer);
    CHECK(stats.gpu_operations == 5);
    CHECK(stats.cpu_operations == 1);
    CHECK(stats.fallback_count == 1);
    CHECK(stats.is_gpu_effective == 1);  // 5 of 6
    CHECK(std::string(stats.last_gpu_error).find("cuda:1") == 0);
    plan.matmul = DeviceFault::sync;
    test::Product product(2, 2, 3, 128, 1.0f, false);
    test::must(bitnet_quantizer_matmul_i2s(quantizer.get(), &product.call));
    CHECK(product.out[0] != 1000.0f);
    stats = test::stats_of(quantizer);
    CHECK(stats.quantization_operations == 6);
    CHECK(stats.matmul_operations == 1);
    CHECK(stats.total_operations == 7);
    CHECK(stats.fallback_count == 2);
    CHECK(stats.is_gpu_effective == 0);  // 5 of 7
    CHECK(stats.total_time_ms == stats.quantization_time_ms + stats.matmul_time_ms);
    CHECK(stats.average_quantization_time_ms == stats.quantization_time_ms / 6);
    CHECK(stats.average_matmul_time_ms == stats.matmul_time_ms);
    const std::string text = summary(quantizer);
    CHECK(text.find("operations: 7 (6 quantisations, 1 products)") != std::string::npos);
    CHECK(text.find("5 on the GPU, 2 on the CPU, 2 fallbacks, GPU efficiency 71.4 %") != std::string::npos);
    CHECK(text.find("last GPU error: cuda:1") != std::string::npos);
    bitnet_log_set_callback(nullptr, BITNET_LOG_ERROR, nullptr);
}

TEST_CASE("exactly four fifths on the GPU are not effective yet") {
    Plan plan;
    const FailingDriver driver(plan);
    const test::QuantizerHandle quantizer = test::make_quantizer(kCuda);
    const std::vector<float> values = test::random_values(1, 128);
    for (int i = 0; i < 4; ++i) test::quantize(quantizer, test::quant_config("i2_s"), values);
    plan.quantize = DeviceFault::compute;
    test::quantize(quantizer, test::quant_config("i2_s"), values);
    CHECK(test::stats_of(quantizer).gpu_efficiency == doctest::Approx(0.8));
    CHECK(test::stats_of(quantizer).is_gpu_effective == 0);
}

TEST_CASE("the forced fallback leaves the GPU alone from then on and counts once") {
    Plan plan;
    const FailingDriver driver(plan);
    const test::QuantizerHandle quantizer = test::make_quantizer(kCuda);
    CHECK(bitnet_quantizer_is_gpu_active(quantizer.get()) == 1);
    test::must(bitnet_quantizer_force_cpu_fallback(quantizer.get()));
    test::must(bitnet_quantizer_force_cpu_fallback(quantizer.get()));
    CHECK(bitnet_quantizer_is_gpu_active(quantizer.get()) == 0);
    CHECK(std::string(bitnet_quantizer_get_active_provider(quantizer.get())).starts_with("i2s_"));
    test::quantize(quantizer, test::quant_config("i2_s"), test::random_values(1, 128));
    CHECK(plan.n_calls == 0);
    CHECK(test::stats_of(quantizer).fallback_count == 1);
    CHECK(test::stats_of(quantizer).cpu_operations == 1);
    test::must(bitnet_quantizer_reset_stats(quantizer.get()));
    const bitnet_quantizer_stats stats = test::stats_of(quantizer);
    CHECK(stats.fallback_count == 0);
    CHECK(stats.total_operations == 0);
    CHECK(stats.gpu_efficiency == 0);
    CHECK(bitnet_quantizer_is_gpu_active(quantizer.get()) == 0);
}

TEST_CASE("auto takes the first GPU that opens, and the CPU where none does or there is none") {
    const test::QuantizerTweak automatic = [](bitnet_quantizer_params& p) {
        p.device = "auto";
        p.allow_fallback = 0;
    };
    {
        const test::QuantizerHandle quantizer = test::make_quantizer(automatic);
        CHECK(bitnet_quantizer_is_gpu_active(quantizer.get()) == 0);
        CHECK(test::stats_of(quantizer).fallback_count == 0);
    }
    Plan plan;
    const FailingDriver driver(plan);
    CHECK(bitnet_quantizer_is_gpu_active(test::make_quantizer(automatic).get()) == 1);
    CHECK(plan.opened == 0);
    plan.quantize = DeviceFault::compute;
    const test::QuantizerHandle strict = test::make_quantizer(automatic);
    test::Quantized made;
    CHECK(test::try_quantize(strict, test::quant_config("i2_s"), test::random_values(1, 128), &made) ==
          BITNET_E_QUANT_CUDA);
    CHECK(test::last_error().starts_with("cuda:0: "));
    plan.open = DeviceFault::capability;
    const test::QuantizerHandle failed = test::make_quantizer(automatic);
    CHECK(bitnet_quantizer_is_gpu_active(failed.get()) == 0);
    CHECK(test::stats_of(failed).fallback_count == 1);
    CHECK(std::string(test::stats_of(failed).last_gpu_error).find("cuda:0") == 0);
    plan.n_devices = 0;
    CHECK(test::stats_of(test::make_quantizer(automatic)).fallback_count == 0);
}

TEST_CASE("a device index beyond the driver's devices is not available") {
    Plan plan;
    const FailingDriver driver(plan);
    test::QuantizerHandle quantizer;
    CHECK(test::create_quantizer(
              [](bitnet_quantizer_params& p) {
                  p.device = "cuda:2";
                  p.allow_fallback = 0;
              },
              &quantizer) == BITNET_E_DEVICE_NOT_AVAILABLE);
    CHECK(plan.opened == -1);
    CHECK(test::create_quantizer([](bitnet_quantizer_params& p) { p.device = "cuda:2"; }, &quantizer) == BITNET_OK);
    CHECK(test::stats_of(quantizer).fallback_count == 1);
}
