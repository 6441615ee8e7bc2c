// GPUs that are not there: a GpuDriver whose devices are host memory and whose kernels fiber_grid.h plays, so that everything
// above a driver is tested on any machine. Stricter than a GPU: fresh memory is garbage, blocks have guards, copies must lie
// within a block, a stream serves one thread at a time. What a GPU would not tell is a GridError, or a problem of the device,
// with which a program ends unless a test has asked for it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ggml-like/gpu/gpu_device.h"
#include "kernels/cuda/kernel_ids.h"

namespace test {

struct VirtualKernel {
    void (*run)(const void* args);
    uint32_t max_threads;  // of a block
};
// By KernelId, from the text that nvcc compiles.
extern const VirtualKernel kVirtualKernels[kern::gpu::kKernelCount];

// The smallest of the GPUs that there are kernels for, so that what runs here asks none of them for too much.
struct VirtualGpuOptions {
    int32_t n_devices = 1;
    uint64_t memory_bytes = uint64_t{256} << 20;
    int32_t n_multiprocessors = 4;
    int32_t max_shared_bytes = 64 * 1024;
    int32_t major = 7;
    int32_t minor = 5;
    std::string problem = {};  // of the driver, where there is no device
    std::vector<uint64_t> memory_of = {};  // of the first devices, where they differ
};

// What a test lets fail.
enum class FaultPoint { allocate, launch, copy_in, copy_within, clear, copy_out, synchronize, make_stream, copy_from };

struct VirtualFault {
    FaultPoint at = FaultPoint::launch;
    uint64_t after = 0;  // so many succeed before
    tg::ErrorKind kind = tg::ErrorKind::device;
    bool lasting = false;  // and everything else fails from then on, as on a GPU that was lost
};

struct VirtualCounters {
    uint64_t n_allocations = 0;
    uint64_t n_blocks = 0;  // not released yet
    uint64_t used_bytes = 0;
    uint64_t most_used_bytes = 0;
    uint64_t n_streams = 0;  // that there are now
    uint64_t n_launches = 0;
    std::array<uint64_t, kern::gpu::kKernelCount> n_launches_of = {};
    uint64_t n_copies_in = 0;
    uint64_t n_copies_out = 0;
    uint64_t n_bytes_in = 0;
    uint64_t n_bytes_out = 0;
    uint64_t n_bytes_within = 0;
    uint64_t n_bytes_cleared = 0;
    uint64_t n_synchronizes = 0;
    uint64_t n_replays = 0;
    uint64_t n_copies_from = 0;  // other devices
    uint64_t n_bytes_from = 0;
};

class VirtualDevice : public tg::GpuDevice {
public:
    virtual VirtualCounters counters() = 0;
    // Takes the place of a fault that has not happened.
    virtual void set_fault(const VirtualFault& fault) = 0;
    virtual void clear_fault() = 0;
    // While it is on, whatever is read back from the device has its first bit wrong.
    virtual void set_wrong(bool on) = 0;
    // While it is on, what comes from other devices has its first bit wrong, and no copy fails for it.
    virtual void set_deaf(bool on) = 0;
    // Bytes written behind a block, blocks released twice, and now also blocks and streams that are left; empty where all is
    // well. Asking clears the list.
    virtual std::string take_problems() = 0;
};

class VirtualGpu : public tg::GpuDriver {
public:
    explicit VirtualGpu(const VirtualGpuOptions& options = {});

    int32_t device_count() override { return static_cast<int32_t>(devices_.size()); }
    std::string problem() override { return problem_; }
    std::shared_ptr<tg::GpuDevice> open(int32_t index) override;
    VirtualDevice& device(int32_t index) { return *devices_.at(static_cast<size_t>(index)); }

private:
    std::vector<std::shared_ptr<VirtualDevice>> devices_;
    std::string problem_;
};

}  // namespace test
