// Products of int8 activations with I2_S weights on a GPU, by the kernels that models run on.
#pragma once

#include <memory>

#include "ggml-like/gpu/gpu_device.h"
#include "src/device/device_driver.h"

namespace bitnet {

// Checked work, one product after the other; every one done when this returns. The bits are those of the CPU's scalar kernel.
// Throws tg::Error and std::bad_alloc.
void run_gpu_matmul(const std::shared_ptr<tg::GpuDevice>& device, tg::GpuStream& stream, const DeviceMatmulI2s& work);

}  // namespace bitnet
