#include "ggml-like/gpu/cuda_driver.h"

#include <algorithm>

#include "ggml-like/gpu/cuda_device.h"
#include "ggml-like/gpu/gpu_error.h"

namespace tg {
namespace {

// What the driver tells of a device; a call that fails leaves the sentence of why.
class Reader {
public:
    Reader(const cuda::Api& api, int32_t index, std::string* problem) : api_(api), index_(index), problem_(problem) {}

    bool read(cuda::DeviceNumber* number, GpuInfo* info) {
        size_t n_bytes = 0;
        int32_t cache_bytes = 0;
        char name[256] = "";
        const bool told = good("cuDeviceGet", api_.cuDeviceGet(number, index_)) &&
                          good("cuDeviceGetName", api_.cuDeviceGetName(name, sizeof name - 1, *number)) &&
                          good("cuDeviceTotalMem", api_.cuDeviceTotalMem_v2(&n_bytes, *number)) &&
                          read(*number, cuda::capability_major, &info->major) &&
                          read(*number, cuda::capability_minor, &info->minor) &&
                          read(*number, cuda::multiprocessor_count, &info->n_multiprocessors) &&
                          read(*number, cuda::max_threads_per_block, &info->max_threads_per_block) &&
                          read(*number, cuda::max_threads_per_multiprocessor, &info->max_threads_per_multiprocessor) &&
                          read(*number, cuda::max_shared_per_block_optin, &info->max_shared_bytes) &&
                          read(*number, cuda::clock_rate, &info->clock_khz) &&
                          read(*number, cuda::memory_clock_rate, &info->memory_clock_khz) &&
                          read(*number, cuda::memory_bus_width, &info->memory_bus_bits) &&
                          read(*number, cuda::l2_cache_size, &cache_bytes);
        info->index = index_;
        info->name = name;
        info->memory_bytes = n_bytes;
        info->l2_bytes = static_cast<uint64_t>(std::max(cache_bytes, 0));
        return told;
    }

private:
    bool good(const char* call, cuda::Status status) {
        if (status == cuda::ok) return true;
        *problem_ = "cuda:" + std::to_string(index_) + ": " + call + ": " + cuda::describe(api_, status) +
                    "; check NVIDIA's driver with nvidia-smi";
        return false;
    }

    bool read(cuda::DeviceNumber number, cuda::Attribute attribute, int32_t* out) {
        int value = 0;
        if (!good("cuDeviceGetAttribute", api_.cuDeviceGetAttribute(&value, attribute, number))) return false;
        *out = value;
        return true;
    }

    const cuda::Api& api_;
    const int32_t index_;
    std::string* const problem_;
};

}  // namespace

void CudaDriver::find() {
    std::call_once(once_, [&] {
        if (options_.image.n_bytes == 0) {
            problem_ = "this library was built without CUDA";
            return;
        }
        api_ = cuda::load_api(options_.library, options_.image.needed_version, &problem_);
        if (api_ == nullptr) return;
        int count = 0;
        if (const cuda::Status status = api_->cuDeviceGetCount(&count); status != cuda::ok) {
            problem_ = "cuDeviceGetCount: " + cuda::describe(*api_, status);
            return;
        }
        if (count <= 0) problem_ = "NVIDIA's driver finds no device";
        for (int32_t index = 0; index < count; ++index) {
            Found found;
            if (!Reader(*api_, index, &problem_).read(&found.number, &found.info)) break;
            devices_.push_back(std::move(found));
        }
    });
}

int32_t CudaDriver::device_count() {
    find();
    return static_cast<int32_t>(devices_.size());
}

std::string CudaDriver::problem() {
    find();
    return problem_;
}

int CudaDriver::version() {
    find();
    return api_ == nullptr ? 0 : api_->version;
}

CudaDriver::Found& CudaDriver::at(int32_t index) {
    find();
    if (index >= 0 && index < device_count()) return devices_[static_cast<size_t>(index)];
    const std::string why = problem_.empty() ? "NVIDIA's driver finds " + std::to_string(devices_.size()) +
                                                   (devices_.size() == 1 ? " device" : " devices") + ", numbered from 0"
                                             : problem_;
    throw GpuError(GpuFault::unavailable, "cuda:" + std::to_string(index) + ": " + why);
}

GpuInfo CudaDriver::describe(int32_t index) { return at(index).info; }

std::string CudaDriver::device_problem(int32_t index) {
    const GpuInfo& info = at(index).info;
    if (info.major > kOldestCapability[0] ||
        (info.major == kOldestCapability[0] && info.minor >= kOldestCapability[1])) {
        return "";
    }
    return info.name + " has compute capability " + std::to_string(info.major) + "." + std::to_string(info.minor) +
           ", this library needs " + std::to_string(kOldestCapability[0]) + "." + std::to_string(kOldestCapability[1]) +
           " or newer";
}

std::shared_ptr<GpuDevice> CudaDriver::open(int32_t index) {
    Found& found = at(index);
    if (const std::string problem = device_problem(index); !problem.empty()) {
        throw GpuError(GpuFault::capability, "cuda:" + std::to_string(index) + ": " + problem);
    }
    const std::lock_guard<std::mutex> lock(opening_);
    std::shared_ptr<GpuDevice> device = found.opened.lock();
    if (device == nullptr) {
        device = std::make_shared<CudaDevice>(api_, found.number, found.info, options_.image);
        found.opened = device;
    }
    return device;
}

}  // namespace tg
