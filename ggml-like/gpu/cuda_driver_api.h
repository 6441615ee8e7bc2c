// NVIDIA's driver as a table of functions, found in its library while the program runs, so that a build needs no toolkit and
// a machine no GPU. The types are the driver's, by their sizes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace tg::cuda {

using DeviceNumber = int;
using Address = unsigned long long;  // of device memory
using Context = struct ContextOfDriver*;
using Module = struct ModuleOfDriver*;
using Function = struct FunctionOfDriver*;
using Stream = struct StreamOfDriver*;
using Event = struct EventOfDriver*;
using Graph = struct GraphOfDriver*;
using GraphExec = struct GraphExecOfDriver*;
struct Uuid {
    unsigned char bytes[16];
};

// Any other number may come back; these are looked at.
enum Status : int {
    ok = 0,
    invalid_value = 1,
    out_of_memory = 2,
    no_device = 100,
    invalid_image = 200,
    no_binary_for_gpu = 209,
    ecc_uncorrectable = 214,
    invalid_ptx = 218,
    nvlink_uncorrectable = 220,
    jit_compiler_not_found = 221,
    unsupported_ptx_version = 222,
    not_found = 500,
    illegal_address = 700,
    launch_timeout = 702,
    context_is_destroyed = 709,
    device_assert = 710,
    hardware_stack_error = 714,
    launch_failed = 719,
    capture_unsupported = 900,
    unknown = 999
};
enum Attribute : int {
    max_threads_per_block = 1,
    clock_rate = 13,
    multiprocessor_count = 16,
    memory_clock_rate = 36,
    memory_bus_width = 37,
    l2_cache_size = 38,
    max_threads_per_multiprocessor = 39,
    capability_major = 75,
    capability_minor = 76,
    max_shared_per_block_optin = 97
};
enum FunctionAttribute : int { max_dynamic_shared = 8 };
enum JitOption : int { error_log_buffer = 5, error_log_buffer_bytes = 6 };
enum CaptureMode : int { capture_relaxed = 2 };  // others on this thread may go on as they like
inline constexpr unsigned kStreamNonBlocking = 1;  // does not wait for the default stream
inline constexpr unsigned kEventNoTiming = 2;

#if defined(_WIN32)
#define CUDA_DRIVER_CALL __stdcall
inline constexpr const char* kLibraryName = "nvcuda.dll";
#else
#define CUDA_DRIVER_CALL
inline constexpr const char* kLibraryName = "libcuda.so.1";
#endif

struct Api {
#define CUDA_FUNCTION(need, name, params) Status(CUDA_DRIVER_CALL* name) params = nullptr;
#include "ggml-like/gpu/cuda_functions.inc"
#undef CUDA_FUNCTION
    int version = 0;  // of CUDA, that the driver knows: 12040 is 12.4
};

// The table of a library, whose driver is started; null where that cannot be, and *problem says why and what to do. Optional
// functions may be null in it.
std::shared_ptr<const Api> load_api(const std::string& library, int needed_version, std::string* problem);

// "CUDA_ERROR_OUT_OF_MEMORY (out of memory)", "error 12345".
std::string describe(const Api& api, Status status);
// "12.4"
std::string version_text(int version);
// After this nothing runs in the context any more.
bool breaks_context(Status status) noexcept;

}  // namespace tg::cuda
