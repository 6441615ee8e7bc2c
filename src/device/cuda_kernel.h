// What stands behind a bitnet_cuda handle: a device, a stream of work on it, memory and modules of the handle's own. Any thread
// may call; calls wait for each other. Throws tg::GpuError for what the device does, Error for what is asked wrongly.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "ggml-like/gpu/cuda_device.h"
#include "ggml-like/gpu/cuda_stream.h"
#include "src/device/device_driver.h"

namespace bitnet {

// Kernels that a host loaded. It keeps its device.
class CudaKernelModule {
public:
    CudaKernelModule(std::shared_ptr<tg::CudaDevice> device, const std::string& ptx);
    ~CudaKernelModule();
    CudaKernelModule(const CudaKernelModule&) = delete;
    CudaKernelModule& operator=(const CudaKernelModule&) = delete;

    tg::cuda::Function find(const std::string& name);
    bool has(tg::cuda::Function function) const;

private:
    std::shared_ptr<tg::CudaDevice> device_;
    tg::cuda::Module module_;
    mutable std::mutex lock_;
    std::set<tg::cuda::Function> found_;
};

struct CudaLaunch {
    uint32_t grid[3];
    uint32_t block[3];
    uint32_t shared_bytes;
    tg::cuda::Function function;
    void** params;
    size_t n_params;
};

class CudaKernel {
public:
    explicit CudaKernel(int32_t index);
    ~CudaKernel();

    const tg::GpuInfo& info() const noexcept { return device_->info(); }
    // Of NVIDIA's driver; 0 and "" for another device.
    int driver_version() const noexcept;
    std::string uuid() const;
    // Throws BITNET_E_UNSUPPORTED where the device is not NVIDIA's.
    tg::CudaDevice& cuda() const;

    std::shared_ptr<CudaKernelModule> load(const std::string& ptx);
    void launch(const CudaLaunch& launch);

    uint64_t allocate(size_t n_bytes);
    void release(uint64_t address);
    void copy_in(uint64_t to, const void* from, size_t n_bytes);
    void copy_out(void* to, uint64_t from, size_t n_bytes);
    void synchronize_all();
    void matmul(const std::vector<DeviceMatmulI2s>& work);

    tg::GpuMemory memory() { return device_->memory(); }
    struct Allocated {
        uint32_t n_blocks = 0;
        uint64_t n_bytes = 0;
    };
    Allocated allocated() const;

private:
    void require_inside(uint64_t address, size_t n_bytes) const;

    std::shared_ptr<tg::GpuDevice> device_;
    std::shared_ptr<tg::CudaDevice> cuda_;  // the same, where it is NVIDIA's
    std::unique_ptr<tg::GpuStream> stream_;
    mutable std::mutex lock_;  // below, and the stream
    std::map<uint64_t, size_t> blocks_;
    std::vector<std::weak_ptr<CudaKernelModule>> modules_;
};

}  // namespace bitnet
