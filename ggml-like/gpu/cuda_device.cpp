#include "ggml-like/gpu/cuda_device.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "ggml-like/gpu/cuda_stream.h"

namespace tg {
namespace {

constexpr uint32_t kUsualShared = 48 * 1024;  // of a block, unasked

// Statuses of cuModuleLoadDataEx that mean: nothing in the image is for this device, or for this driver.
bool fits_not(cuda::Status status) noexcept {
    return status == cuda::invalid_image || status == cuda::no_binary_for_gpu || status == cuda::invalid_ptx ||
           status == cuda::unsupported_ptx_version || status == cuda::jit_compiler_not_found;
}

}  // namespace

CudaDevice::CudaDevice(std::shared_ptr<const cuda::Api> api, cuda::DeviceNumber device, GpuInfo info, CudaImage image)
    : api_(std::move(api)), device_(device), info_(std::move(info)) {
    check(api_->cuDevicePrimaryCtxRetain(&context_, device_), "cuDevicePrimaryCtxRetain", GpuFault::unavailable);
    try {
        module_ = load_module(image.bytes, "the library's kernels");
        for (int i = 0; i < kern::gpu::kKernelCount; ++i) {
            Kernel& kernel = kernels_[static_cast<size_t>(i)];
            kernel.function = find_function(module_, kern::gpu::kKernels[i].symbol);
            kernel.shared_bytes = kUsualShared;
            if (kernel.function != nullptr) continue;
            throw GpuError(GpuFault::capability, label() + ": the library's kernels lack " +
                                                     kern::gpu::kKernels[i].symbol +
                                                     "; the library was not built as one");
        }
    } catch (...) {
        close();
        throw;
    }
}

CudaDevice::~CudaDevice() { close(); }

void CudaDevice::close() noexcept {
    if (module_ != nullptr) unload_module(module_);
    api_->cuDevicePrimaryCtxRelease_v2(device_);
}

std::string CudaDevice::label() const { return "cuda:" + std::to_string(info_.index) + " (" + info_.name + ")"; }

CudaDevice::Use::Use(CudaDevice& device) : device_(device) {
    if (device.is_lost_.load(std::memory_order_acquire)) {
        const std::lock_guard<std::mutex> lock(device.lock_);
        throw GpuError(GpuFault::compute, device.label() + " cannot be used any more since " + device.lost_ +
                                              "; start the program again to use it, or go on with another device");
    }
    device.check(device.api_->cuCtxPushCurrent_v2(device.context_), "cuCtxPushCurrent");
}

CudaDevice::Use::~Use() {
    cuda::Context was = nullptr;
    device_.api_->cuCtxPopCurrent_v2(&was);
}

void CudaDevice::check(cuda::Status status, const char* call, GpuFault fault) {
    if (status == cuda::ok) return;
    std::string text = std::string(call) + ": " + cuda::describe(*api_, status);
    if (cuda::breaks_context(status)) {
        const std::lock_guard<std::mutex> lock(lock_);
        if (lost_.empty()) lost_ = text;
        is_lost_.store(true, std::memory_order_release);
        fault = GpuFault::compute;  // what is waited for tells of the kernels before
        text += "; a kernel failed, or the device did, and nothing more runs on it in this process";
    }
    if (status == cuda::out_of_memory) fault = GpuFault::out_of_memory;
    throw GpuError(fault, label() + ": " + text);
}

GpuMemory CudaDevice::memory() {
    const Use use(*this);
    size_t free = 0;
    size_t total = 0;
    check(api_->cuMemGetInfo_v2(&free, &total), "cuMemGetInfo");
    return {free, total};
}

uint8_t* CudaDevice::allocate(size_t n_bytes, const char* what) {
    const Use use(*this);
    cuda::Address address = 0;
    const cuda::Status status = api_->cuMemAlloc_v2(&address, std::max<size_t>(n_bytes, 1));
    if (status == cuda::out_of_memory) {
        size_t free = 0;
        size_t total = 0;
        if (api_->cuMemGetInfo_v2(&free, &total) != cuda::ok) free = total = 0;
        throw GpuError(GpuFault::out_of_memory,
                       label() + ": no room for " + std::to_string(n_bytes) + " bytes of " + what + ": " +
                           std::to_string(free) + " of its " + std::to_string(total) +
                           " bytes are free; choose a smaller context or model, or another device",
                       n_bytes, free);
    }
    check(status, "cuMemAlloc", GpuFault::other);
    uint8_t* const block = reinterpret_cast<uint8_t*>(address);
    try {
        const std::lock_guard<std::mutex> lock(lock_);
        blocks_[block] = n_bytes;
    } catch (...) {
        api_->cuMemFree_v2(address);
        throw;
    }
    return block;
}

void CudaDevice::release(uint8_t* address) noexcept {
    if (address == nullptr) return;
    {
        const std::lock_guard<std::mutex> lock(lock_);
        if (blocks_.erase(address) == 0) return;
    }
    // A lost device has nothing to free any more, and says so.
    if (api_->cuCtxPushCurrent_v2(context_) != cuda::ok) return;
    api_->cuMemFree_v2(reinterpret_cast<cuda::Address>(address));
    cuda::Context was = nullptr;
    api_->cuCtxPopCurrent_v2(&was);
}

std::unique_ptr<GpuStream> CudaDevice::make_stream() { return std::make_unique<CudaStream>(*this); }

void CudaDevice::synchronize_all() {
    const Use use(*this);
    wait("cuCtxSynchronize", [&] { return api_->cuCtxSynchronize(); });
}

uint64_t CudaDevice::allocated_bytes() const {
    const std::lock_guard<std::mutex> lock(lock_);
    uint64_t sum = 0;
    for (const auto& [address, n_bytes] : blocks_) sum += n_bytes;
    return sum;
}

void CudaDevice::reach(CudaDevice& other) {
    {
        const std::lock_guard<std::mutex> lock(lock_);
        if (!reached_.insert(other.context_).second) return;
    }
    const Use use(*this);
    int can = 0;
    if (api_->cuDeviceCanAccessPeer(&can, device_, other.device_) != cuda::ok || can == 0) return;
    api_->cuCtxEnablePeerAccess(other.context_, 0);  // it may be already; and without it copies are only slower
}

bool CudaDevice::read_uuid(cuda::Uuid* uuid) const noexcept {
    return api_->cuDeviceGetUuid_v2 != nullptr && api_->cuDeviceGetUuid_v2(uuid, device_) == cuda::ok;
}

cuda::Module CudaDevice::load_module(const void* image, const char* what) {
    const Use use(*this);
    char log[4096] = "";
    cuda::JitOption options[] = {cuda::error_log_buffer, cuda::error_log_buffer_bytes};
    // The driver takes numbers as pointers here.
    void* values[] = {log, reinterpret_cast<void*>(sizeof log - 1)};
    cuda::Module module = nullptr;
    const cuda::Status status = api_->cuModuleLoadDataEx(&module, image, 2, options, values);
    if (!fits_not(status)) {
        check(status, "cuModuleLoadDataEx");
        return module;
    }
    log[sizeof log - 1] = '\0';
    std::string said(log, std::strlen(log));
    while (!said.empty() && static_cast<unsigned char>(said.back()) <= ' ') said.pop_back();
    if (!said.empty()) said = ": " + said;
    throw GpuError(GpuFault::capability, label() + ": cuModuleLoadDataEx: " + cuda::describe(*api_, status) + said +
                                             "; " + what + " are not for compute capability " +
                                             std::to_string(info_.major) + "." + std::to_string(info_.minor) +
                                             ", or need a newer driver than this one, which knows CUDA " +
                                             cuda::version_text(api_->version));
}

void CudaDevice::unload_module(cuda::Module module) noexcept {
    if (api_->cuCtxPushCurrent_v2(context_) != cuda::ok) return;
    api_->cuModuleUnload(module);
    cuda::Context was = nullptr;
    api_->cuCtxPopCurrent_v2(&was);
}

cuda::Function CudaDevice::find_function(cuda::Module module, const char* name) {
    const Use use(*this);
    cuda::Function function = nullptr;
    const cuda::Status status = api_->cuModuleGetFunction(&function, module, name);
    if (status == cuda::not_found) return nullptr;
    check(status, "cuModuleGetFunction");
    return function;
}

cuda::Function CudaDevice::kernel(kern::gpu::KernelId id, uint32_t shared_bytes) {
    Kernel& kernel = kernels_[static_cast<size_t>(id)];
    if (shared_bytes > kernel.shared_bytes.load(std::memory_order_relaxed)) {
        allow_shared(kernel.function, shared_bytes, kern::gpu::kKernels[static_cast<size_t>(id)].symbol);
        kernel.shared_bytes.store(shared_bytes, std::memory_order_relaxed);
    }
    return kernel.function;
}

void CudaDevice::allow_shared(cuda::Function function, uint32_t shared_bytes, const char* name) {
    if (shared_bytes <= kUsualShared) return;
    if (shared_bytes > static_cast<uint32_t>(std::max(info_.max_shared_bytes, 0))) {
        throw GpuError(GpuFault::capability, label() + ": " + name + " takes " + std::to_string(shared_bytes) +
                                                 " bytes of shared memory in a block, the device has " +
                                                 std::to_string(info_.max_shared_bytes));
    }
    check(api_->cuFuncSetAttribute(function, cuda::max_dynamic_shared, static_cast<int>(shared_bytes)),
          "cuFuncSetAttribute");
}

CudaCounters CudaDevice::counters() const noexcept {
    return {n_launches_, n_copies_in_, n_copies_out_, bytes_in_, bytes_out_, n_waits_, wait_ns_};
}

void CudaDevice::reset_counters() noexcept {
    for (auto* counter : {&n_launches_, &n_copies_in_, &n_copies_out_, &bytes_in_, &bytes_out_, &n_waits_, &wait_ns_}) {
        counter->store(0, std::memory_order_relaxed);
    }
}

void CudaDevice::count_copy_in(size_t n_bytes) noexcept {
    ++n_copies_in_;
    bytes_in_ += n_bytes;
}

void CudaDevice::count_copy_out(size_t n_bytes) noexcept {
    ++n_copies_out_;
    bytes_out_ += n_bytes;
}

void CudaDevice::count_wait(uint64_t ns) noexcept {
    ++n_waits_;
    wait_ns_ += ns;
}

uint64_t CudaDevice::now_ns() noexcept {
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
            .count());
}

}  // namespace tg
