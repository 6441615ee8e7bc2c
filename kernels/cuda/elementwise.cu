// Two rows in, one out: add and the gates of the feed-forward part. A thread a number, the steps of cpu/vec_generic.h.
#include "kernels/cuda/grid_lang.h"
#include "kernels/cuda/kernel_args.h"
#include "kernels/f16_bits.h"

namespace kern::gpu {
namespace {

// body(i) for the thread's share of n numbers.
template <class Body>
GPU_FUNCTION void for_each_number(int64_t n, Body body) {
    const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += step) body(i);
}

}  // namespace

GPU_KERNEL(add, BinaryArgs, 256) {
    for_each_number(args.n, [&](int64_t i) { args.out[i] = canonical_nan(args.a[i] + args.b[i]); });
}

}  // namespace kern::gpu
