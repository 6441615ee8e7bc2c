// What goes wrong on a GPU, told apart by what a caller can do about it; src/api gives each its own status.
#pragma once

#include <cstdint>

#include "ggml-like/tensor_error.h"

namespace tg {

enum class GpuFault {
    unavailable,    // no such device, no driver, or one that does not start
    out_of_memory,  // needed() and available() say how much, 0 where unknown
    compute,        // a launch or a kernel failed
    capability,     // the device or its driver is too old, or lacks something
    sync,           // waiting for it failed
    other
};

class GpuError : public Error {
public:
    GpuError(GpuFault fault, std::string message, uint64_t needed = 0, uint64_t available = 0)
        : Error(fault == GpuFault::out_of_memory ? ErrorKind::device_memory : ErrorKind::device, std::move(message)),
          fault_(fault), needed_(needed), available_(available) {}
    GpuFault fault() const noexcept { return fault_; }
    uint64_t needed() const noexcept { return needed_; }
    uint64_t available() const noexcept { return available_; }

private:
    GpuFault fault_;
    uint64_t needed_;
    uint64_t available_;
};

}  // namespace tg
