// What GPU kernels take: plain structs of numbers and addresses of device memory, the same bytes for nvcc and for the host.
#pragma once

#include <cstdint>

namespace kern::gpu {

// out[i] = op(a[i], b[i]); out may be a or b.
struct BinaryArgs {
    const float* a;
    const float* b;
    float* out;
    int64_t n;
};

}  // namespace kern::gpu
