#include "src/device/gpu_device_driver.h"

#include <new>

#include "ggml-like/gpu/gpu_driver.h"
#include "src/device/gpu_matmul.h"

namespace bitnet {
namespace {

// A driver never throws: what body throws, as a result.
template <typename Body>
DeviceResult result_of(Body&& body) {
    try {
        body();
        return {};
    } catch (const tg::GpuError& error) {
        return {fault_of(error.fault()), error.message(), error.needed(), error.available()};
    } catch (const std::bad_alloc&) {
        return {DeviceFault::other, "the host has no memory for it", 0, 0};
    } catch (const std::exception& error) {
        return {DeviceFault::other, error.what(), 0, 0};
    }
}

class MatmulDevice final : public Device {
public:
    explicit MatmulDevice(std::shared_ptr<tg::GpuDevice> device)
        : device_(std::move(device)), stream_(device_->make_stream()) {}

    const char* provider() const noexcept override { return "CudaKernel"; }
    DeviceResult quantize(const DeviceQuantize&) override { return on_the_cpu(); }
    DeviceResult dequantize(const DeviceDequantize&) override { return on_the_cpu(); }
    DeviceResult matmul_i2s(const DeviceMatmulI2s* work, size_t n_work) override {
        return result_of([&] {
            for (size_t i = 0; i < n_work; ++i) run_gpu_matmul(device_, *stream_, work[i]);
        });
    }

private:
    static DeviceResult on_the_cpu() {
        return {DeviceFault::unsupported, "only products run on a GPU, the CPU quantises", 0, 0};
    }

    std::shared_ptr<tg::GpuDevice> device_;
    std::unique_ptr<tg::GpuStream> stream_;
};

class MatmulDriver final : public DeviceDriver {
public:
    int32_t device_count() override {
        int32_t count = 0;
        result_of([&] { count = tg::gpu_driver().device_count(); });
        return count;
    }
    // No GPU has confirmed its products yet: those who ask for it get it.
    bool chosen_by_auto() override { return false; }
    DeviceResult open(int32_t index, std::unique_ptr<Device>* out_device) override {
        return result_of([&] { *out_device = std::make_unique<MatmulDevice>(tg::gpu_driver().open(index)); });
    }
};

}  // namespace

DeviceDriver& gpu_device_driver() noexcept {
    static MatmulDriver driver;
    return driver;
}

}  // namespace bitnet
