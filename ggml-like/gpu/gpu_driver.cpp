#include "ggml-like/gpu/gpu_driver.h"

#include <atomic>

#include "ggml-like/gpu/cuda_driver.h"

namespace tg {
namespace {

constinit std::atomic<GpuDriver*> g_driver{nullptr};

}  // namespace

GpuDriver& gpu_driver() {
    static CudaDriver nvidia({.image = cuda_image()});
    GpuDriver* const chosen = g_driver.load(std::memory_order_acquire);
    return chosen != nullptr ? *chosen : nvidia;
}

void set_gpu_driver(GpuDriver* driver) noexcept { g_driver.store(driver, std::memory_order_release); }

}  // namespace tg
