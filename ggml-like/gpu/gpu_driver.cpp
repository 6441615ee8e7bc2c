#include "ggml-like/gpu/gpu_driver.h"

#include <atomic>

namespace tg {
namespace {

constinit std::atomic<GpuDriver*> g_driver{nullptr};

class NoDriver final : public GpuDriver {
public:
    int32_t device_count() override { return 0; }
    std::string problem() override { return "this library was built without CUDA"; }
    std::shared_ptr<GpuDevice> open(int32_t) override { throw Error(ErrorKind::device, "cuda: " + problem()); }
};

}  // namespace

GpuDriver& gpu_driver() {
    static NoDriver none;
    GpuDriver* const chosen = g_driver.load(std::memory_order_acquire);
    return chosen != nullptr ? *chosen : none;
}

void set_gpu_driver(GpuDriver* driver) noexcept { g_driver.store(driver, std::memory_order_release); }

}  // namespace tg
