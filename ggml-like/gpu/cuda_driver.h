// NVIDIA's devices of this machine, found when first asked for.
#pragma once

#include <mutex>
#include <vector>

#include "ggml-like/gpu/cuda_driver_api.h"
#include "ggml-like/gpu/cuda_image.h"
#include "ggml-like/gpu/gpu_device.h"

namespace tg {

struct CudaOptions {
    CudaImage image;                           // the kernels; none: there are no devices
    std::string library = cuda::kLibraryName;  // a path, for tests
};

// Kernels are written for this compute capability and later ones.
inline constexpr int32_t kOldestCapability[2] = {7, 5};

class CudaDriver final : public GpuDriver {
public:
    explicit CudaDriver(CudaOptions options) : options_(std::move(options)) {}

    int32_t device_count() override;
    std::string problem() override;
    // Shared while anyone has it; the last one closes it. Throws GpuError.
    std::shared_ptr<GpuDevice> open(int32_t index) override;
    GpuInfo describe(int32_t index) override;
    std::string device_problem(int32_t index) override;

    // Of the driver: 12040 is CUDA 12.4; 0 where there is none.
    int version();

private:
    struct Found {
        cuda::DeviceNumber number = 0;
        GpuInfo info;
        std::weak_ptr<GpuDevice> opened;
    };
    void find();
    Found& at(int32_t index);

    const CudaOptions options_;
    std::once_flag once_;
    std::shared_ptr<const cuda::Api> api_;
    std::string problem_;
    std::vector<Found> devices_;
    std::mutex opening_;
};

}  // namespace tg
