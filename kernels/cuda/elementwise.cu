// Two rows in, one out: add and the gates of the feed-forward part. The steps of cpu/vec_generic.h, four numbers a thread
// where the rows' addresses allow loads of sixteen bytes.
#include "kernels/cuda/gate_ops.h"
#include "kernels/cuda/gpu_lanes.h"
#include "kernels/cuda/kernel_args.h"

namespace kern::gpu {
namespace {

template <class Op>
GPU_FUNCTION void for_each_pair(const BinaryArgs& args, Op op) {
    const uintptr_t addresses = reinterpret_cast<uintptr_t>(args.a) | reinterpret_cast<uintptr_t>(args.b) |
                                reinterpret_cast<uintptr_t>(args.out);
    const int64_t n_wide = addresses % sizeof(Floats4) == 0 ? args.n / 4 : 0;
    for_each_number(n_wide, [&](int64_t i) {
        const Floats4 a = reinterpret_cast<const Floats4*>(args.a)[i];
        const Floats4 b = reinterpret_cast<const Floats4*>(args.b)[i];
        Floats4 out;
        for (int k = 0; k < 4; ++k) out.f[k] = canonical_nan(op(a.f[k], b.f[k]));
        reinterpret_cast<Floats4*>(args.out)[i] = out;
    });
    const int64_t done = 4 * n_wide;
    for_each_number(args.n - done,
                    [&](int64_t i) { args.out[done + i] = canonical_nan(op(args.a[done + i], args.b[done + i])); });
}

}  // namespace

GPU_KERNEL(add, BinaryArgs, 256) {
    for_each_pair(args, [](float a, float b) { return a + b; });
}

GPU_KERNEL(relu2_mul, BinaryArgs, 256) {
    for_each_pair(args, [](float gate, float up) { return relu2_gate(gate, up); });
}

GPU_KERNEL(silu_mul, BinaryArgs, 256) {
    for_each_pair(args, [](float gate, float up) { return silu_gate(gate, up); });
}

GPU_KERNEL(gelu_mul, BinaryArgs, 256) {
    for_each_pair(args, [](float gate, float up) { return gelu_gate(gate, up); });
}

}  // namespace kern::gpu
