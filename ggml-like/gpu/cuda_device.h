// One of NVIDIA's devices: its primary context, the library's kernels in it, and the memory that was taken from it.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "ggml-like/gpu/cuda_driver_api.h"
#include "ggml-like/gpu/cuda_image.h"
#include "ggml-like/gpu/gpu_device.h"
#include "ggml-like/gpu/gpu_error.h"

namespace tg {

// What a device did since it was opened or reset.
struct CudaCounters {
    uint64_t n_launches = 0;
    uint64_t n_copies_in = 0;
    uint64_t n_copies_out = 0;
    uint64_t bytes_in = 0;
    uint64_t bytes_out = 0;
    uint64_t n_waits = 0;
    uint64_t wait_ns = 0;  // that threads of the host waited for it
};

class CudaDevice final : public GpuDevice {
public:
    // Throws GpuError where the device does not open or the image does not fit it.
    CudaDevice(std::shared_ptr<const cuda::Api> api, cuda::DeviceNumber device, GpuInfo info, CudaImage image);
    ~CudaDevice() override;
    CudaDevice(const CudaDevice&) = delete;
    CudaDevice& operator=(const CudaDevice&) = delete;

    const GpuInfo& info() const noexcept override { return info_; }
    GpuMemory memory() override;
    uint8_t* allocate(size_t n_bytes, const char* what) override;
    void release(uint8_t* address) noexcept override;
    std::unique_ptr<GpuStream> make_stream() override;

    // Waits for everything that runs in the context, whoever launched it.
    void synchronize_all();
    uint64_t allocated_bytes() const;
    CudaCounters counters() const noexcept;
    void reset_counters() noexcept;

    // Lets copies from the other device take the direct way where there is one; else they pass through the host.
    void reach(CudaDevice& other);

    // False where the driver does not tell.
    bool read_uuid(cuda::Uuid* uuid) const noexcept;
    const cuda::Api& api() const noexcept { return *api_; }
    // The device's; they live as long as it.
    cuda::Context context() const noexcept { return context_; }
    cuda::Module module() const noexcept { return module_; }

    // PTX (text with a NUL behind), a cubin or a fatbin; the driver's own words are in the message where it takes none of it.
    cuda::Module load_module(const void* image, const char* what);
    void unload_module(cuda::Module module) noexcept;
    // Null where the module has no such function.
    cuda::Function find_function(cuda::Module module, const char* name);
    // Ready for a launch with so much dynamic shared memory.
    cuda::Function kernel(kern::gpu::KernelId id, uint32_t shared_bytes);
    void allow_shared(cuda::Function function, uint32_t shared_bytes, const char* name);

    // Makes the context the calling thread's for a while; the host's own one is back behind it. Throws where the device is lost.
    class Use {
    public:
        explicit Use(CudaDevice& device);
        ~Use();
        Use(const Use&) = delete;
        Use& operator=(const Use&) = delete;

    private:
        CudaDevice& device_;
    };
    // Throws what a call's status says; after some the device is lost, and every later Use says so.
    void check(cuda::Status status, const char* call, GpuFault fault = GpuFault::other);
    // check, with the time that the call took as time waited.
    template <typename Call>
    void wait(const char* name, Call&& call) {
        const uint64_t start = now_ns();
        const cuda::Status status = call();
        count_wait(now_ns() - start);
        check(status, name, GpuFault::sync);
    }
    void count_launch() noexcept { ++n_launches_; }
    void count_copy_in(size_t n_bytes) noexcept;
    void count_copy_out(size_t n_bytes) noexcept;

private:
    static uint64_t now_ns() noexcept;
    void count_wait(uint64_t ns) noexcept;
    void close() noexcept;
    std::string label() const;

    std::shared_ptr<const cuda::Api> api_;
    const cuda::DeviceNumber device_;
    const GpuInfo info_;
    cuda::Context context_ = nullptr;
    cuda::Module module_ = nullptr;

    struct Kernel {
        cuda::Function function = nullptr;
        std::atomic<uint32_t> shared_bytes = 0;  // that launches may ask for
    };
    std::array<Kernel, kern::gpu::kKernelCount> kernels_;

    mutable std::mutex lock_;  // below
    std::map<uint8_t*, size_t> blocks_;
    std::set<cuda::Context> reached_;
    std::string lost_;  // what broke the context; "" while it works

    std::atomic<bool> is_lost_ = false;
    std::atomic<uint64_t> n_launches_ = 0, n_copies_in_ = 0, n_copies_out_ = 0, bytes_in_ = 0, bytes_out_ = 0;
    std::atomic<uint64_t> n_waits_ = 0, wait_ns_ = 0;
};

}  // namespace tg
