// What a GPU gives the quantiser. The driver is the one over the GPUs of this process (gpu_device_driver.h), or what a test set
// in its place. Drivers never throw: what fails comes back as a DeviceResult, and status_of says which status of bitnet.h
// that is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "bitnet.h"
#include "ggml-like/gpu/gpu_error.h"

namespace bitnet {

enum class DeviceFault {
    none,
    unavailable,    // no such device, or its driver does not start
    out_of_memory,  // needed and available say how much
    compute,        // a launch or a kernel failed
    unsupported,    // this device does not do this operation at all; the CPU does
    capability,     // the device is too old or lacks a feature
    sync,           // waiting for it failed, or took too long
    other           // anything else
};

struct DeviceResult {
    DeviceFault fault = DeviceFault::none;
    std::string detail;  // what the driver says, for a person: "cuLaunchKernel: CUDA_ERROR_LAUNCH_FAILED"
    uint64_t needed = 0;
    uint64_t available = 0;
};

// Values to quantise, checked: finite, whole blocks, room enough. type is a name of bitnet_quantize_config; the bytes are
// those of the CPU, exactly.
struct DeviceQuantize {
    const char* type;
    int64_t block_size;
    bool asymmetric;
    const float* input;
    int64_t n_values;
    void* out;
    size_t n_out_bytes;
    float* scales;  // null: only those inside of out are wanted
    size_t n_scales;
};
struct DeviceDequantize {
    const char* type;
    int64_t block_size;
    bool asymmetric;
    const void* data;
    size_t n_bytes;
    const float* scales;
    size_t n_scales;
    int64_t n_values;
    float* out;
};
// out[i * n + j] = float(sum over k of activation * weight) * (weight_scale / activation scale), one rounding each.
struct DeviceMatmulI2s {
    const int8_t* activations;
    const float* activation_scales;  // null: all 1
    const void* weights;
    float weight_scale;
    float* out;
    int64_t m;
    int64_t n;
    int64_t k;
};

// An opened device. One call at a time.
class Device {
public:
    virtual ~Device() = default;
    virtual const char* provider() const noexcept = 0;  // "CudaKernel"; static storage
    virtual DeviceResult quantize(const DeviceQuantize& work) = 0;
    virtual DeviceResult dequantize(const DeviceDequantize& work) = 0;
    virtual DeviceResult matmul_i2s(const DeviceMatmulI2s* work, size_t n_work) = 0;
};

class DeviceDriver {
public:
    virtual ~DeviceDriver() = default;
    virtual int32_t device_count() = 0;  // 0 where the machine has none
    virtual bool chosen_by_auto() { return true; }
    // index is below device_count().
    virtual DeviceResult open(int32_t index, std::unique_ptr<Device>* out_device) = 0;
};

// Null where there is no GPU. What is set is borrowed and outlives every handle that was created with it.
DeviceDriver* cuda_driver() noexcept;
void set_cuda_driver(DeviceDriver* driver) noexcept;

// What the tensor layer calls it.
DeviceFault fault_of(tg::GpuFault fault) noexcept;
// The status of a fault: one of the -800s, or of the quantiser's own when a quantisation met it.
bitnet_status status_of(DeviceFault fault, bool quantizing) noexcept;

}  // namespace bitnet
