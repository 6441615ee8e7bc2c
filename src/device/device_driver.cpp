// The one place that knows whether this process has a GPU driver, and what its faults are called in bitnet.h.
#include "src/device/device_driver.h"

#include <atomic>

#include "src/device/gpu_device_driver.h"

namespace bitnet {
namespace {

constinit std::atomic<DeviceDriver*> g_cuda_driver{nullptr};

}  // namespace

DeviceDriver* cuda_driver() noexcept {
    if (DeviceDriver* const driver = g_cuda_driver.load(std::memory_order_acquire); driver != nullptr) return driver;
    return gpu_device_driver().device_count() > 0 ? &gpu_device_driver() : nullptr;
}
void set_cuda_driver(DeviceDriver* driver) noexcept { g_cuda_driver.store(driver, std::memory_order_release); }

DeviceFault fault_of(tg::GpuFault fault) noexcept {
    switch (fault) {
        case tg::GpuFault::unavailable: return DeviceFault::unavailable;
        case tg::GpuFault::out_of_memory: return DeviceFault::out_of_memory;
        case tg::GpuFault::compute: return DeviceFault::compute;
        case tg::GpuFault::capability: return DeviceFault::capability;
        case tg::GpuFault::sync: return DeviceFault::sync;
        case tg::GpuFault::other: break;
    }
    return DeviceFault::other;
}

bitnet_status status_of(DeviceFault fault, bool quantizing) noexcept {
    switch (fault) {
        case DeviceFault::none: return BITNET_OK;
        case DeviceFault::unavailable: return quantizing ? BITNET_E_QUANT_GPU : BITNET_E_DEVICE_NOT_AVAILABLE;
        case DeviceFault::unsupported: return quantizing ? BITNET_E_QUANT_GPU : BITNET_E_DEVICE_FALLBACK;
        case DeviceFault::out_of_memory: return quantizing ? BITNET_E_QUANT_DEVICE : BITNET_E_DEVICE_MEMORY;
        case DeviceFault::capability: return quantizing ? BITNET_E_QUANT_DEVICE : BITNET_E_DEVICE_CAPABILITY;
        case DeviceFault::compute: return quantizing ? BITNET_E_QUANT_CUDA : BITNET_E_DEVICE_COMPUTE;
        case DeviceFault::sync: return quantizing ? BITNET_E_QUANT_CUDA : BITNET_E_DEVICE_SYNC;
        case DeviceFault::other: break;
    }
    return quantizing ? BITNET_E_QUANT_DEVICE : BITNET_E_DEVICE;
}

}  // namespace bitnet
