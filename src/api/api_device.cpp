// Devices and features: names, what there is, what it can do, as structs and as JSON.
#include <mutex>
#include <set>

#include <nlohmann/json.hpp>

#include "ggml-like/gpu/gpu_driver.h"
#include "ggml-like/thread_limit.h"
#include "kernels/cuda/cuda_kernel_set.h"
#include "src/api/api_guard.h"
#include "src/device/device_list.h"
#include "src/device/feature_list.h"
#include "src/device/gpu_choice.h"
#include "src/device/host_memory.h"

using namespace bitnet;

namespace {

// ", " between static names; made once per process, since the answer cannot change.
const char* joined(std::vector<const char*> (*list)()) {
    const auto join = [](const std::vector<const char*>& names) {
        std::string text;
        for (const char* name : names) text += std::string(text.empty() ? "" : ", ") + name;
        return text;
    };
    static const std::string levels = join(cpu_levels()), types = join(cpu_weight_types()),
                             gpu = join(gpu_weight_types());
    return (list == cpu_levels ? levels : list == cpu_weight_types ? types : gpu).c_str();
}

// A driver's text for as long as the process runs.
const char* kept(const std::string& text) {
    static std::mutex lock;
    static std::set<std::string> all;
    const std::lock_guard<std::mutex> guard(lock);
    return all.insert(text).first->c_str();
}

bitnet_device_info cpu_info() {
    bitnet_device_info info{};
    info.kind = BITNET_DEVICE_CPU;
    info.supports_f16 = cpu_multiplies("f16") ? 1 : 0;
    info.supports_bf16 = cpu_multiplies("bf16") ? 1 : 0;
    info.supports_int8 = cpu_packs("i8") ? 1 : 0;
    info.max_threads = tg::usable_cpus();
    info.compute_capability[0] = info.compute_capability[1] = -1;
    info.name = device_kind_name(BITNET_DEVICE_CPU);
    info.simd = joined(cpu_levels);
    info.kernel_level = cpu_kernel_level();
    info.quantization = joined(cpu_weight_types);
    return info;
}

// The kernels are the same for all of CUDA's devices.
bitnet_device_info cuda_info(int32_t index) {
    const tg::GpuInfo gpu = tg::gpu_driver().describe(index);
    bitnet_device_info info{};
    info.kind = BITNET_DEVICE_CUDA;
    info.index = index;
    info.supports_f16 = info.supports_bf16 = info.supports_int8 = 1;
    info.max_threads = gpu.n_multiprocessors * gpu.max_threads_per_multiprocessor;
    info.compute_capability[0] = gpu.major;
    info.compute_capability[1] = gpu.minor;
    info.name = kept(gpu.name);
    info.simd = "";
    info.kernel_level = kern::kCudaLevel;
    info.quantization = joined(gpu_weight_types);
    return info;
}

bitnet_device_info info_of(DeviceName name) {
    return name.kind == BITNET_DEVICE_CUDA ? cuda_info(name.index) : cpu_info();
}

std::optional<HostMemory> memory_of(DeviceName name) {
    if (name.kind != BITNET_DEVICE_CUDA) return host_memory();
    const tg::GpuMemory memory = tg::gpu_driver().open(name.index)->memory();
    return HostMemory{memory.total, memory.free, 0};
}

// Nothing for a GPU that is full, or does not open.
std::optional<HostMemory> memory_if_known(DeviceName name) {
    try {
        return memory_of(name);
    } catch (const tg::Error&) {
        return std::nullopt;
    }
}

nlohmann::ordered_json memory_json(DeviceName name) {
    const std::optional<HostMemory> memory = memory_if_known(name);
    if (!memory) return nullptr;
    nlohmann::ordered_json json = {{"total", memory->total_bytes},
                                   {"free", memory->free_bytes},
                                   {"used", memory->total_bytes - memory->free_bytes},
                                   {"limit_bytes", nullptr}};
    if (memory->limit_bytes != 0) json["limit_bytes"] = memory->limit_bytes;
    return json;
}

nlohmann::ordered_json device_json(DeviceName name) {
    nlohmann::ordered_json json = {
        {"name", format_device_name(name)}, {"kind", device_kind_name(name.kind)}, {"index", name.index}};
    const std::string problem = device_problem(name);
    json["available"] = problem.empty();
    if (!problem.empty()) {
        json["problem"] = problem;
        return json;
    }
    const bitnet_device_info info = info_of(name);
    const bool cuda = name.kind == BITNET_DEVICE_CUDA;
    json["supports_f16"] = info.supports_f16 != 0;
    json["supports_bf16"] = info.supports_bf16 != 0;
    json["supports_int8"] = info.supports_int8 != 0;
    json["max_threads"] = info.max_threads;
    json["compute_capability"] = nullptr;
    if (cuda) {
        json["compute_capability"] =
            std::to_string(info.compute_capability[0]) + "." + std::to_string(info.compute_capability[1]);
        json["model"] = info.name;
    }
    json["simd"] = cuda ? std::vector<const char*>() : cpu_levels();
    json["kernel_level"] = info.kernel_level;
    json["quantization"] = cuda ? gpu_weight_types() : cpu_weight_types();
    json["memory"] = memory_json(name);
    return json;
}

}  // namespace

extern "C" {

bitnet_status bitnet_device_parse(const char* text, bitnet_device_kind* out_kind, int32_t* out_index) {
    return api_call(__func__, [&] {
        require(text != nullptr && out_kind != nullptr, "bitnet_device_parse: a pointer is NULL");
        const DeviceName name = require_device_name(text);
        *out_kind = name.kind;
        if (out_index != nullptr) *out_index = name.index;
    });
}

bitnet_status bitnet_device_format(bitnet_device_kind kind, int32_t index, char* buffer, size_t capacity,
                                   size_t* out_size) {
    return api_call(__func__, [&] {
        const int32_t number = number_of(kind);
        require(number >= BITNET_DEVICE_AUTO && number <= BITNET_DEVICE_METAL, "there is no such kind of device");
        const std::string text = format_device_name({static_cast<bitnet_device_kind>(number), index});
        require(!text.empty(), "a device's index is 0..255 for CUDA and 0 for all others");
        write_text(text, buffer, capacity, out_size);
    });
}

size_t bitnet_device_get_count(void) { return usable_devices().size(); }

const char* bitnet_device_get_name(size_t index) {
    const std::vector<DeviceName> devices = usable_devices();
    return index < devices.size() ? device_text(devices[index]) : nullptr;
}

bitnet_status bitnet_device_check(const char* device) {
    return api_call(__func__, [&] { require_gpus(device); });
}

bitnet_status bitnet_device_get_memory(const char* device, bitnet_device_memory* out_memory) {
    return api_call(__func__, [&] {
        const std::optional<HostMemory> memory = memory_of(require_device(device));
        if (!memory)
            throw Error(BITNET_E_UNSUPPORTED, "this operating system is not asked for its memory by this build");
        bitnet_device_memory info{};
        info.total = memory->total_bytes;
        info.free = memory->free_bytes;
        info.used = memory->total_bytes - memory->free_bytes;
        info.limit_bytes = memory->limit_bytes;
        write_info(out_memory, info);
    });
}

bitnet_status bitnet_device_get_info(const char* device, bitnet_device_info* out_info) {
    return api_call(__func__, [&] { write_info(out_info, info_of(require_device(device))); });
}

bitnet_status bitnet_device_get_json(char* buffer, size_t capacity, size_t* out_size) {
    return api_call(__func__, [&] {
        nlohmann::ordered_json json = {{"schema", "bitnet-devices/1"}, {"devices", nlohmann::ordered_json::array()}};
        json["devices"].push_back(device_json({BITNET_DEVICE_CPU, 0}));
        for (const DeviceName& device : cuda_devices()) json["devices"].push_back(device_json(device));
        json["devices"].push_back(device_json({BITNET_DEVICE_METAL, 0}));
        json["features"] = nlohmann::ordered_json::array();
        for (size_t i = 0; i < feature_count(); ++i) json["features"].push_back(feature_name(i));
        write_text(json.dump(), buffer, capacity, out_size);
    });
}

size_t bitnet_feature_get_count(void) { return feature_count(); }

const char* bitnet_feature_get_name(size_t index) { return feature_name(index); }

int32_t bitnet_feature_is_built(const char* name) { return name != nullptr && feature_is_built(name) ? 1 : 0; }

const char* bitnet_features(void) { return feature_text(); }

}  // extern "C"
