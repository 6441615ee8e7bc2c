// The GPU kernels as the build made them: one fatbin for all architectures, in the library itself.
#pragma once

#include <cstddef>

namespace tg {

struct CudaImage {
    const unsigned char* bytes = nullptr;
    size_t n_bytes = 0;
};

// Empty where the library was built without kernels (BITNET_CUDA=OFF).
CudaImage cuda_image() noexcept;

}  // namespace tg
