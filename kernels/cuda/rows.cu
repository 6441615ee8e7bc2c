// Rows moved: those that a step's outputs need, and rows made longer with zeros. Bytes are copied, so a NaN keeps its own.
#include "kernels/cuda/gpu_lanes.h"
#include "kernels/cuda/kernel_args.h"

namespace kern::gpu {

GPU_KERNEL(pick_rows, PickRowsArgs, 256) {
    for_each_row(args.n, [&](int64_t row) {
        const uint32_t* from = args.x + args.rows[row] * args.width;
        for_each_number(args.width, [&](int64_t i) { args.out[row * args.width + i] = from[i]; });
    });
}

GPU_KERNEL(pad, PadArgs, 256) {
    for_each_row(args.n_rows, [&](int64_t row) {
        for_each_number(args.to, [&](int64_t i) {
            args.out[row * args.to + i] = i < args.from ? args.x[row * args.from + i] : 0u;
        });
    });
}

}  // namespace kern::gpu
