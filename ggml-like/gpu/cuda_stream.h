// Work that runs in order on one of NVIDIA's devices. Copies go through pinned memory of the stream's own, so that the host's
// bytes are free at once and the device fetches them while the host goes on.
#pragma once

#include "ggml-like/gpu/cuda_device.h"

namespace tg {

class CudaStream final : public GpuStream {
public:
    explicit CudaStream(CudaDevice& device);
    ~CudaStream() override;
    CudaStream(const CudaStream&) = delete;
    CudaStream& operator=(const CudaStream&) = delete;

    const GpuInfo& info() const noexcept override { return device_.info(); }
    void launch(kern::gpu::KernelId kernel, const GpuGrid& grid, const void* args, size_t n_args) override;
    void copy_in(void* to, const void* from, size_t n_bytes) override;
    void copy_within(void* to, const void* from, size_t n_bytes) override;
    void copy_from(GpuStream& source, void* to, const void* from, size_t n_bytes) override;
    void clear(void* to, size_t n_bytes) override;
    void copy_out(void* to, const void* from, size_t n_bytes) override;
    void synchronize() override;
    bool can_record() const noexcept override;
    void begin_recording() override;
    std::unique_ptr<GpuRecording> end_recording() override;
    void drop_recording() noexcept override;
    void replay(const GpuRecording& recording) override;

    // Any function of any module of the device's context, with the driver's array of pointers to parameters.
    void launch_function(cuda::Function function, const uint32_t grid[3], const uint32_t block[3],
                         uint32_t shared_bytes, void** params);

    // Of each of the two halves of pinned memory; longer copies go in parts.
    static constexpr size_t kHalfBytes = size_t{4} << 20;

private:
    struct Half {
        uint8_t* bytes = nullptr;
        cuda::Event done = nullptr;  // recorded behind the last copy that uses the half
        bool busy = false;
    };
    void take_memory();
    void turn();
    void record(Half& half);
    void wait_for(Half& half);
    cuda::Event mark();
    void wait_for(cuda::Event event);
    void close() noexcept;

    CudaDevice& device_;
    cuda::Stream stream_ = nullptr;
    cuda::Event mark_ = nullptr;  // behind what other streams wait for
    Half halves_[2];
    int current_ = 0;
    size_t n_used_ = 0;  // of the current half, by copies to the device that may still run
};

}  // namespace tg
