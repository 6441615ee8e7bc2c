// The quantiser's GPU (device_driver.h) over the devices that models run on. Products run there; quantising does not: the CPU
// reads and writes as fast as the values come.
#pragma once

#include "src/device/device_driver.h"

namespace bitnet {

// Over whatever tg::gpu_driver() is when it is asked.
DeviceDriver& gpu_device_driver() noexcept;

}  // namespace bitnet
