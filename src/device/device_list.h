// Which devices this library can compute on here, and what they can do.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "src/device/device_name.h"

namespace bitnet {

// "auto" is the first one, the CPU: what no GPU has confirmed yet is taken by those who ask for it. CUDA's follow in the
// driver's order.
std::vector<DeviceName> usable_devices();
// Every CUDA device that there is, usable or not; the first where there is none.
std::vector<DeviceName> cuda_devices();
// A device's name; static storage.
const char* device_text(DeviceName name);

// Why a device cannot be used: "metal: not built into this library", "cuda:0: libcuda.so.1 is not installed; ..."; "" when it
// can.
std::string device_problem(DeviceName name);

// The device that a text names, whether it is there or not. Throws BITNET_E_CONFIG for a text that names none.
DeviceName require_device_name(std::string_view text);
// The device behind a text that can be used ("auto" and null: the best one). Throws as above, and
// BITNET_E_DEVICE_NOT_AVAILABLE with the reason.
DeviceName require_device(const char* text);

// Instruction set levels that this CPU can run, rising: "scalar", "avx2". Static storage.
std::vector<const char*> cpu_levels();
// The level of the kernels that a model uses here unless told otherwise.
const char* cpu_kernel_level();
// Types of weights that the CPU multiplies.
std::vector<const char*> cpu_weight_types();
// Whether some kernel that runs here multiplies weights of this type, or packs activations in this format ("i8").
bool cpu_multiplies(std::string_view type);
bool cpu_packs(std::string_view activation_format);
// Types of weights that lie on a GPU as they are; static storage.
std::vector<const char*> gpu_weight_types();

}  // namespace bitnet
