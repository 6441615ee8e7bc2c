// A GPU as the tensor layer sees it: memory, streams of work, kernels by number. Implemented over NVIDIA's driver
// (cuda_device.cpp) and, in tests, by a CPU that plays the grid (tests/support/virtual_gpu.h). All that fails throws
// tg::Error, over the driver GpuError (gpu_error.h), with a sentence that names the call and the device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "ggml-like/tensor_error.h"
#include "kernels/cuda/kernel_ids.h"

namespace tg {

// What is known of a device; numbers that the driver does not tell are 0.
struct GpuInfo {
    std::string name;            // "NVIDIA H100 80GB HBM3"
    int32_t index = 0;           // cuda:N
    int32_t major = 0;           // compute capability
    int32_t minor = 0;
    int32_t n_multiprocessors = 0;
    int32_t max_threads_per_block = 0;
    int32_t max_threads_per_multiprocessor = 0;
    int32_t max_shared_bytes = 0;  // of a block that asks for more than the usual 48 KiB
    int32_t clock_khz = 0;
    int32_t memory_clock_khz = 0;
    int32_t memory_bus_bits = 0;
    uint64_t l2_bytes = 0;
    uint64_t memory_bytes = 0;   // of the device, in use or not
};

struct GpuMemory {
    uint64_t free = 0;
    uint64_t total = 0;
};

struct GpuGrid {
    uint32_t x = 1, y = 1, z = 1;  // blocks
    uint32_t threads = 0;          // of a block, a multiple of 32
    uint32_t shared_bytes = 0;     // dynamic
};

// Launches that were kept to be run again and again, at the price of one. Belongs to the stream that made it.
class GpuRecording {
public:
    virtual ~GpuRecording() = default;
};

// Work that runs in order. One thread at a time uses a stream; streams of a device run beside each other.
class GpuStream {
public:
    virtual ~GpuStream() = default;
    virtual const GpuInfo& info() const noexcept = 0;
    // args: the kernel's struct of kernel_args.h, copied before this returns.
    virtual void launch(kern::gpu::KernelId kernel, const GpuGrid& grid, const void* args, size_t n_args) = 0;
    // The host's bytes may change once this has returned.
    virtual void copy_in(void* to, const void* from, size_t n_bytes) = 0;
    virtual void copy_within(void* to, const void* from, size_t n_bytes) = 0;
    // Bytes of the device of another stream, of the same driver, come here without the host, as they are behind all work of
    // that stream so far and before its later work; for this stream it is work like any other. Nobody waits.
    virtual void copy_from(GpuStream& source, void* to, const void* from, size_t n_bytes) = 0;
    virtual void clear(void* to, size_t n_bytes) = 0;
    // Waits until the bytes are there.
    virtual void copy_out(void* to, const void* from, size_t n_bytes) = 0;
    // Waits for all work so far; what failed in it is thrown here at the latest.
    virtual void synchronize() = 0;

    // From begin_recording to end_recording launches are kept and do not run; nothing else may be asked for in between. After a
    // failure in between, drop_recording() forgets them. Only where can_record().
    virtual bool can_record() const noexcept = 0;
    virtual void begin_recording() = 0;
    virtual std::unique_ptr<GpuRecording> end_recording() = 0;
    virtual void drop_recording() noexcept = 0;
    virtual void replay(const GpuRecording& recording) = 0;

    template <class Args>
    void run(kern::gpu::KernelId kernel, const GpuGrid& grid, const Args& args) {
        launch(kernel, grid, &args, sizeof args);
    }
};

// Used from any thread.
class GpuDevice {
public:
    virtual ~GpuDevice() = default;
    virtual const GpuInfo& info() const noexcept = 0;
    virtual GpuMemory memory() = 0;
    // 256-byte aligned; never null. what names the block in the message.
    virtual uint8_t* allocate(size_t n_bytes, const char* what) = 0;
    virtual void release(uint8_t* address) noexcept = 0;
    // The device outlives its streams.
    virtual std::unique_ptr<GpuStream> make_stream() = 0;
};

// The GPUs of this process: found once, opened when first asked for and then shared.
class GpuDriver {
public:
    virtual ~GpuDriver() = default;
    // 0 where there is none; problem() then says why: "libcuda.so.1 is not installed".
    virtual int32_t device_count() = 0;
    virtual std::string problem() = 0;
    // index below device_count().
    virtual std::shared_ptr<GpuDevice> open(int32_t index) = 0;
    // What is known of a device without opening it, where the driver tells.
    virtual GpuInfo describe(int32_t index) { return open(index)->info(); }
    // Why a device that is there cannot be used: "compute capability 6.1; ..."; "" when it can.
    virtual std::string device_problem(int32_t) { return ""; }
};

}  // namespace tg
