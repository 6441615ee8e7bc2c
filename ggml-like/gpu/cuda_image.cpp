// The fatbin that cmake/cuda_kernels.cmake makes, as constant data: the assembler copies it in (examples/stories does the
// same with a model). Without BITNET_CUDA there is none, and no toolkit is needed.
#include "ggml-like/gpu/cuda_image.h"

#if defined(BITNET_CUDA_FATBIN)

// Hidden: the library shows nothing but its interface.
__asm__(
    ".section .rodata\n"
    ".balign 64\n"
    ".globl tg_cuda_fatbin_begin\n"
    ".hidden tg_cuda_fatbin_begin\n"
    "tg_cuda_fatbin_begin:\n"
    ".incbin \"" BITNET_CUDA_FATBIN
    "\"\n"
    ".globl tg_cuda_fatbin_end\n"
    ".hidden tg_cuda_fatbin_end\n"
    "tg_cuda_fatbin_end:\n"
    ".byte 0\n"
    ".text\n");
extern "C" {
extern const unsigned char tg_cuda_fatbin_begin[] __attribute__((visibility("hidden")));
extern const unsigned char tg_cuda_fatbin_end[] __attribute__((visibility("hidden")));
}

#endif

namespace tg {

CudaImage cuda_image() noexcept {
#if defined(BITNET_CUDA_FATBIN)
    return {tg_cuda_fatbin_begin, static_cast<size_t>(tg_cuda_fatbin_end - tg_cuda_fatbin_begin), BITNET_CUDA_VERSION};
#else
    return {};
#endif
}

}  // namespace tg
