// The real code for NVIDIA's driver over the stand-in of fake_libcuda.h.
#pragma once

#include <string>

#include "ggml-like/gpu/cuda_driver.h"
#include "tests/support/fake_libcuda.h"

namespace test {

inline tg::CudaOptions fake_cuda_options() {
    static const unsigned char image[] = "FAKE: the library's kernels";
    tg::CudaOptions options;
    options.image = {image, sizeof image};
    options.library = kFakeLibcuda;
    return options;
}

}  // namespace test
