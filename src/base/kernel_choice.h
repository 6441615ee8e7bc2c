// Kernels by the name that a program or $BITNET_KERNEL gives, or why it cannot have them.
#pragma once

#include <string>

#include "kernels/cpu/kernel_select.h"

namespace bitnet {

// "": the best. Throws BITNET_E_CONFIG (no such name) and BITNET_E_DEVICE_CAPABILITY.
kern::KernelSet choose_kernels(const std::string& name);

}  // namespace bitnet
