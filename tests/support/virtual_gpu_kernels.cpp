// Every GPU kernel as C++ for the CPU that plays the grid, and the table of them all.
#include "tests/support/virtual_gpu.h"

// Behind the standard library's headers, which would not like CUDA's words.
#include "kernels/cuda/all_kernels.cu"
#include "kernels/cuda/kernel_ids.h"

namespace test {
namespace {

template <class Args, void (*kernel)(const Args&)>
void run(const void* args) {
    static_assert(sizeof(Args) <= 4096);  // what a launch can pass
    kernel(*static_cast<const Args*>(args));
}

}  // namespace

using namespace kern::gpu;

const VirtualKernel kVirtualKernels[kKernelCount] = {
#define GPU_KERNEL_ROW(name, Args) {run<Args, bitnet_##name>, bitnet_##name##_max_threads},
#include "kernels/cuda/kernel_list.inc"
#undef GPU_KERNEL_ROW
};

}  // namespace test
