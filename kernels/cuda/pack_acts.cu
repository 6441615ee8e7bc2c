// Floats become columns of the format "i8", one block a column.
#include "kernels/cuda/pack_column.h"

namespace kern::gpu {

GPU_KERNEL(pack_acts, PackActsArgs, 1024) {
    __shared__ PackShared shared;
    const uint8_t* x = reinterpret_cast<const uint8_t*>(args.x + static_cast<int64_t>(blockIdx.x) * args.k);
    uint8_t* column = args.acts + static_cast<int64_t>(blockIdx.x) * args.column_bytes;
    const auto four = [&](int64_t i) { return load16(x + 4 * i); };
    pack_column(args, column, shared, four, four);
}

}  // namespace kern::gpu
