#include "src/device/cuda_kernel.h"

#include <algorithm>
#include <cstdio>

#include "ggml-like/gpu/gpu_driver.h"
#include "ggml-like/gpu/gpu_weights.h"
#include "src/base/error.h"
#include "src/device/device_list.h"
#include "src/device/gpu_matmul.h"

namespace bitnet {
namespace {

std::shared_ptr<tg::GpuDevice> open(int32_t index) {
    if (index < 0 || index > kMaxDeviceIndex)
        throw Error(BITNET_E_ARGUMENT, "a CUDA device's index is 0..255, not " + std::to_string(index));
    const DeviceName name = {BITNET_DEVICE_CUDA, index};
    if (const std::string problem = device_problem(name); !problem.empty())
        throw Error(BITNET_E_DEVICE_NOT_AVAILABLE, problem).with_subject(format_device_name(name));
    return tg::gpu_driver().open(index);
}

// Parameters of a kernel, where the driver tells.
void require_params(tg::CudaDevice& device, const CudaLaunch& launch) {
    const tg::cuda::Api& api = device.api();
    if (api.cuFuncGetParamInfo == nullptr) return;
    const tg::CudaDevice::Use use(device);
    size_t offset = 0;
    size_t size = 0;
    const bool enough = api.cuFuncGetParamInfo(launch.function, launch.n_params, &offset, &size) != tg::cuda::ok;
    const bool few = launch.n_params == 0 ||
                     api.cuFuncGetParamInfo(launch.function, launch.n_params - 1, &offset, &size) == tg::cuda::ok;
    if (enough && few) return;
    throw Error(BITNET_E_ARGUMENT, std::string("the kernel takes ") + (enough ? "fewer" : "more") +
                                       " parameters than " + std::to_string(launch.n_params));
}

}  // namespace

CudaKernelModule::CudaKernelModule(std::shared_ptr<tg::CudaDevice> device, const std::string& ptx)
    : device_(std::move(device)), module_(device_->load_module(ptx.c_str(), "these kernels")) {}

CudaKernelModule::~CudaKernelModule() { device_->unload_module(module_); }

tg::cuda::Function CudaKernelModule::find(const std::string& name) {
    const tg::cuda::Function function = device_->find_function(module_, name.c_str());
    if (function == nullptr) {
        throw Error(BITNET_E_NOT_FOUND, "the module has no kernel '" + name + "'; C++ kernels need extern \"C\"")
            .with_subject(name);
    }
    const std::lock_guard<std::mutex> lock(lock_);
    found_.insert(function);
    return function;
}

bool CudaKernelModule::has(tg::cuda::Function function) const {
    const std::lock_guard<std::mutex> lock(lock_);
    return found_.contains(function);
}

CudaKernel::CudaKernel(int32_t index)
    : device_(open(index)), cuda_(std::dynamic_pointer_cast<tg::CudaDevice>(device_)), stream_(device_->make_stream()) {
}

CudaKernel::~CudaKernel() {
    stream_.reset();  // waits
    for (const auto& [address, n_bytes] : blocks_) device_->release(reinterpret_cast<uint8_t*>(address));
}

int CudaKernel::driver_version() const noexcept { return cuda_ == nullptr ? 0 : cuda_->api().version; }

std::string CudaKernel::uuid() const {
    tg::cuda::Uuid uuid;
    if (cuda_ == nullptr || !cuda_->read_uuid(&uuid)) return "";
    std::string text = "GPU-";
    for (size_t i = 0; i < sizeof uuid.bytes; ++i) {
        char digits[3];
        std::snprintf(digits, sizeof digits, "%02x", uuid.bytes[i]);
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        text += digits;
    }
    return text;
}

tg::CudaDevice& CudaKernel::cuda() const {
    if (cuda_ == nullptr) {
        throw Error(BITNET_E_UNSUPPORTED, std::string(tg::gpu_device_name(info().index)) +
                                              " is no device of NVIDIA's driver: it has no context, modules or counts");
    }
    return *cuda_;
}

std::shared_ptr<CudaKernelModule> CudaKernel::load(const std::string& ptx) {
    cuda();
    auto module = std::make_shared<CudaKernelModule>(cuda_, ptx);
    const std::lock_guard<std::mutex> lock(lock_);
    std::erase_if(modules_, [](const auto& old) { return old.expired(); });
    modules_.push_back(module);
    return module;
}

void CudaKernel::launch(const CudaLaunch& launch) {
    tg::CudaDevice& device = cuda();
    const std::lock_guard<std::mutex> lock(lock_);
    const std::shared_ptr<CudaKernelModule> module = [&]() -> std::shared_ptr<CudaKernelModule> {
        for (const auto& known : modules_) {
            std::shared_ptr<CudaKernelModule> alive = known.lock();
            if (alive != nullptr && alive->has(launch.function)) return alive;
        }
        return nullptr;
    }();
    if (module == nullptr) {
        throw Error(BITNET_E_ARGUMENT,
                    "the function is of no module that was loaded with this handle and is loaded still");
    }
    require_params(device, launch);
    static_cast<tg::CudaStream&>(*stream_).launch_function(launch.function, launch.grid, launch.block,
                                                           launch.shared_bytes, launch.params);
}

uint64_t CudaKernel::allocate(size_t n_bytes) {
    if (n_bytes == 0) throw Error(BITNET_E_ARGUMENT, "0 bytes are no memory");
    const std::lock_guard<std::mutex> lock(lock_);
    uint8_t* const block = device_->allocate(n_bytes, "a host's memory");
    const auto address = static_cast<uint64_t>(reinterpret_cast<uintptr_t>(block));
    try {
        blocks_[address] = n_bytes;
    } catch (...) {
        device_->release(block);
        throw;
    }
    return address;
}

void CudaKernel::release(uint64_t address) {
    const std::lock_guard<std::mutex> lock(lock_);
    if (blocks_.erase(address) == 0) throw Error(BITNET_E_ARGUMENT, "the address is of no allocation of this handle");
    device_->release(reinterpret_cast<uint8_t*>(address));  // which waits
}

void CudaKernel::require_inside(uint64_t address, size_t n_bytes) const {
    auto block = blocks_.upper_bound(address);
    if (block != blocks_.begin()) {
        --block;
        const uint64_t offset = address - block->first;
        if (offset <= block->second && n_bytes <= block->second - offset) return;
    }
    throw Error(BITNET_E_ARGUMENT,
                std::to_string(n_bytes) + " bytes at this address are not within one allocation of this handle");
}

void CudaKernel::copy_in(uint64_t to, const void* from, size_t n_bytes) {
    const std::lock_guard<std::mutex> lock(lock_);
    require_inside(to, n_bytes);
    stream_->copy_in(reinterpret_cast<void*>(to), from, n_bytes);
}

void CudaKernel::copy_out(void* to, uint64_t from, size_t n_bytes) {
    const std::lock_guard<std::mutex> lock(lock_);
    require_inside(from, n_bytes);
    stream_->copy_out(to, reinterpret_cast<const void*>(from), n_bytes);
}

void CudaKernel::synchronize_all() {
    const std::lock_guard<std::mutex> lock(lock_);
    stream_->synchronize();
    if (cuda_ != nullptr) cuda_->synchronize_all();
}

void CudaKernel::matmul(const std::vector<DeviceMatmulI2s>& work) {
    const std::lock_guard<std::mutex> lock(lock_);
    for (const DeviceMatmulI2s& one : work) run_gpu_matmul(device_, *stream_, one);
}

CudaKernel::Allocated CudaKernel::allocated() const {
    const std::lock_guard<std::mutex> lock(lock_);
    Allocated all;
    all.n_blocks = static_cast<uint32_t>(blocks_.size());
    for (const auto& [address, n_bytes] : blocks_) all.n_bytes += n_bytes;
    return all;
}

}  // namespace bitnet
