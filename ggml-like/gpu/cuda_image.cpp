// The fatbin that cmake/cuda_kernels.cmake embeds; without BITNET_CUDA there is none and no toolkit is needed.
#include "ggml-like/gpu/cuda_image.h"

#if defined(BITNET_CUDA)
extern "C" const unsigned char bitnet_cuda_fatbin[];
extern "C" const unsigned char bitnet_cuda_fatbin_end[];
#endif

namespace tg {

CudaImage cuda_image() noexcept {
#if defined(BITNET_CUDA)
    return {bitnet_cuda_fatbin, static_cast<size_t>(bitnet_cuda_fatbin_end - bitnet_cuda_fatbin)};
#else
    return {};
#endif
}

}  // namespace tg
