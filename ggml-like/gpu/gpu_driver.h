// Which GPUs this process computes on: NVIDIA's driver, or what a test put in its place.
#pragma once

#include "ggml-like/gpu/gpu_device.h"

namespace tg {

// Where there is no GPU this is a driver of no devices that says why.
GpuDriver& gpu_driver();
// Before anything is opened; null: NVIDIA's again. Borrowed, and outlives all that is made with it.
void set_gpu_driver(GpuDriver* driver) noexcept;

}  // namespace tg
