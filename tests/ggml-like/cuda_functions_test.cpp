// The driver's functions and numbers as we declare them, against NVIDIA's header where a toolkit is installed.
#include <doctest/doctest.h>

#include "ggml-like/gpu/cuda_driver_api.h"

#if __has_include(<cuda.h>)
#include <cuda.h>
#endif

#if defined(CUDA_VERSION)

namespace {

// Enums and handles are other types there; what a call passes is their size and whether they are addresses.
template <typename T>
constexpr int kind_of = static_cast<int>(sizeof(T)) * 2 + (std::is_pointer_v<T> ? 1 : 0);
template <typename ROurs, typename RTheirs, typename... Ours, typename... Theirs>
constexpr bool alike(ROurs (*)(Ours...), RTheirs (*)(Theirs...)) {
    if constexpr (sizeof...(Ours) != sizeof...(Theirs)) {
        return false;
    } else {
        return kind_of<ROurs> == kind_of<RTheirs> && ((kind_of<Ours> == kind_of<Theirs>)&&...);
    }
}

#define CUDA_FUNCTION(need, name, params)                                                                              \
    static_assert(alike(static_cast<decltype(tg::cuda::Api::name)>(nullptr), static_cast<decltype(&::name)>(nullptr)), \
                  #name);
#include "ggml-like/gpu/cuda_functions.inc"
#undef CUDA_FUNCTION

using namespace tg::cuda;
static_assert(ok == static_cast<int>(CUDA_SUCCESS) && invalid_value == static_cast<int>(CUDA_ERROR_INVALID_VALUE));
static_assert(out_of_memory == static_cast<int>(CUDA_ERROR_OUT_OF_MEMORY));
static_assert(no_device == static_cast<int>(CUDA_ERROR_NO_DEVICE));
static_assert(invalid_image == static_cast<int>(CUDA_ERROR_INVALID_IMAGE));
static_assert(no_binary_for_gpu == static_cast<int>(CUDA_ERROR_NO_BINARY_FOR_GPU));
static_assert(ecc_uncorrectable == static_cast<int>(CUDA_ERROR_ECC_UNCORRECTABLE));
static_assert(invalid_ptx == static_cast<int>(CUDA_ERROR_INVALID_PTX));
static_assert(nvlink_uncorrectable == static_cast<int>(CUDA_ERROR_NVLINK_UNCORRECTABLE));
static_assert(jit_compiler_not_found == static_cast<int>(CUDA_ERROR_JIT_COMPILER_NOT_FOUND));
static_assert(unsupported_ptx_version == static_cast<int>(CUDA_ERROR_UNSUPPORTED_PTX_VERSION));
static_assert(not_found == static_cast<int>(CUDA_ERROR_NOT_FOUND));
static_assert(illegal_address == static_cast<int>(CUDA_ERROR_ILLEGAL_ADDRESS));
static_assert(launch_timeout == static_cast<int>(CUDA_ERROR_LAUNCH_TIMEOUT));
static_assert(context_is_destroyed == static_cast<int>(CUDA_ERROR_CONTEXT_IS_DESTROYED));
static_assert(device_assert == static_cast<int>(CUDA_ERROR_ASSERT));
static_assert(hardware_stack_error == static_cast<int>(CUDA_ERROR_HARDWARE_STACK_ERROR));
static_assert(launch_failed == static_cast<int>(CUDA_ERROR_LAUNCH_FAILED) &&
              unknown == static_cast<int>(CUDA_ERROR_UNKNOWN));
static_assert(max_threads_per_block == static_cast<int>(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK));
static_assert(clock_rate == static_cast<int>(CU_DEVICE_ATTRIBUTE_CLOCK_RATE));
static_assert(multiprocessor_count == static_cast<int>(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT));
static_assert(memory_clock_rate == static_cast<int>(CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE));
static_assert(memory_bus_width == static_cast<int>(CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH));
static_assert(l2_cache_size == static_cast<int>(CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE));
static_assert(max_threads_per_multiprocessor == static_cast<int>(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR));
static_assert(capability_major == static_cast<int>(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR));
static_assert(capability_minor == static_cast<int>(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR));
static_assert(max_shared_per_block_optin == static_cast<int>(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN));
static_assert(max_dynamic_shared == static_cast<int>(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES));
static_assert(error_log_buffer == static_cast<int>(CU_JIT_ERROR_LOG_BUFFER));
static_assert(error_log_buffer_bytes == static_cast<int>(CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES));
static_assert(kStreamNonBlocking == static_cast<unsigned>(CU_STREAM_NON_BLOCKING));
static_assert(kEventNoTiming == static_cast<unsigned>(CU_EVENT_DISABLE_TIMING));

}  // namespace

#endif

TEST_CASE("what breaks a context is told apart from what only fails a call") {
    for (const int status : {214, 220, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 999}) {
        CHECK(tg::cuda::breaks_context(static_cast<tg::cuda::Status>(status)));
    }
    for (const int status : {0, 1, 2, 100, 201, 209, 218, 222, 500, 600, 701, 713, 720, 801}) {
        CHECK_FALSE(tg::cuda::breaks_context(static_cast<tg::cuda::Status>(status)));
    }
    CHECK(tg::cuda::version_text(12040) == "12.4");
    CHECK(tg::cuda::version_text(13000) == "13.0");
}
