// The GPU kernels as the build made them: one fatbin for all architectures, in the library itself.
#pragma once

#include <cstddef>

namespace tg {

struct CudaImage {
    const unsigned char* bytes = nullptr;
    size_t n_bytes = 0;
    int needed_version = 12000;  // of CUDA, that a driver must know to run it: 13000 is 13.0
};

// Empty where the library was built without kernels (BITNET_CUDA=OFF).
CudaImage cuda_image() noexcept;

}  // namespace tg
