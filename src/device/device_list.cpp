#include "src/device/device_list.h"

#include <algorithm>

#include "ggml-like/gpu/gpu_driver.h"
#include "ggml-like/gpu/gpu_weights.h"
#include "kernels/cpu/kernel_select.h"
#include "kernels/cuda/weight_layouts.h"
#include "src/base/environment.h"
#include "src/base/error.h"

namespace bitnet {
namespace {

template <typename Use>
void for_each_runnable(Use&& use) {
    for (size_t i = 0; i < kern::mul_mat_kernel_count(); ++i) {
        if (kern::runs_here(kern::mul_mat_kernel_at(i).needs)) use(kern::mul_mat_kernel_at(i));
    }
}

}  // namespace

std::vector<DeviceName> usable_devices() {
    std::vector<DeviceName> devices = {{BITNET_DEVICE_CPU, 0}};
    for (const DeviceName& device : cuda_devices()) {
        if (device_problem(device).empty()) devices.push_back(device);
    }
    return devices;
}

std::vector<DeviceName> cuda_devices() {
    std::vector<DeviceName> devices;
    const int32_t count = std::clamp(tg::gpu_driver().device_count(), 1, kMaxDeviceIndex + 1);
    for (int32_t index = 0; index < count; ++index) devices.push_back({BITNET_DEVICE_CUDA, index});
    return devices;
}

const char* device_text(DeviceName name) {
    return name.kind == BITNET_DEVICE_CUDA ? tg::gpu_device_name(name.index) : device_kind_name(name.kind);
}

std::string device_problem(DeviceName name) {
    if (name.kind == BITNET_DEVICE_AUTO || name.kind == BITNET_DEVICE_CPU) return "";
    std::string problem = "not built into this library";
    if (name.kind == BITNET_DEVICE_CUDA) {
        tg::GpuDriver& driver = tg::gpu_driver();
        const int32_t count = driver.device_count();
        if (name.index < count) {
            problem = driver.device_problem(name.index);
            if (problem.empty()) return "";
        } else if (problem = driver.problem(); problem.empty()) {
            problem = "there " + std::string(count == 1 ? "is 1 device" : "are " + std::to_string(count) + " devices") +
                      ", numbered from 0";
        }
    }
    return format_device_name(name) + ": " + problem;
}

DeviceName require_device_name(std::string_view text) {
    if (const std::optional<DeviceName> name = parse_device_name(text)) return *name;
    const std::string shown(text.substr(0, 80));
    throw Error(BITNET_E_CONFIG,
                "'" + shown + "' names no device; write auto, cpu, metal, cuda or cuda:N with N from 0 to 255")
        .with_subject(shown);
}

DeviceName require_device(const char* text) {
    const DeviceName name = require_device_name(text != nullptr ? text : "auto");
    if (std::string problem = device_problem(name); !problem.empty()) {
        throw Error(BITNET_E_DEVICE_NOT_AVAILABLE, problem + "; use cpu or auto")
            .with_subject(format_device_name(name));
    }
    return name.kind == BITNET_DEVICE_AUTO ? usable_devices().front() : name;
}

std::vector<const char*> cpu_levels() {
    // Levels rise in the list of their names; one runs where it can be asked for.
    std::vector<const char*> levels;
    kern::KernelSet set{};
    for (size_t i = 0; i < kern::kernel_level_count(); ++i) {
        const char* level = kern::kernel_level_at(i);
        if (kern::select_kernels(level, &set) == kern::KernelChoice::ok) levels.push_back(level);
    }
    return levels;
}

const char* cpu_kernel_level() {
    // An impossible BITNET_KERNEL is an error of the load that it would count for, not of a question.
    kern::KernelSet set{};
    if (kern::select_kernels(env_kernel().c_str(), &set) != kern::KernelChoice::ok) kern::select_kernels(nullptr, &set);
    return set.for_type(kern::QuantType::i2_s).level;
}

std::vector<const char*> cpu_weight_types() {
    std::vector<const char*> types;
    for (int i = 0; i < kern::kQuantTypeCount; ++i) {
        const char* name = kern::quant_type_info(static_cast<kern::QuantType>(i)).name;
        if (cpu_multiplies(name)) types.push_back(name);
    }
    return types;
}

std::vector<const char*> gpu_weight_types() {
    std::vector<const char*> types;
    for (int i = 0; i < kern::kQuantTypeCount; ++i) {
        const auto type = static_cast<kern::QuantType>(i);
        if (kern::gpu::gpu_has_type(type)) types.push_back(kern::quant_type_info(type).name);
    }
    return types;
}

bool cpu_multiplies(std::string_view type) {
    bool found = false;
    for_each_runnable(
        [&](const kern::MulMatKernel& kernel) { found |= kern::quant_type_info(kernel.type).name == type; });
    return found;
}

bool cpu_packs(std::string_view activation_format) {
    bool found = false;
    for_each_runnable([&](const kern::MulMatKernel& kernel) { found |= kernel.act->name == activation_format; });
    return found;
}

}  // namespace bitnet
