// rms_norm of a row and its column of the format "i8" in one go, one block a row: what is normed goes into codes without a
// second pass over memory. The floats are written only where somebody else reads them.
#include "kernels/cuda/pack_column.h"
#include "kernels/cuda/row_factor.h"

namespace kern::gpu {

GPU_KERNEL(norm_pack, NormPackArgs, 1024) {
    __shared__ RowFactorShared factor_shared;
    __shared__ PackShared pack_shared;
    const PackActsArgs& pack = args.pack;
    const int64_t row = static_cast<int64_t>(blockIdx.x) * pack.k;
    const float factor = row_factor(pack.x + row, pack.k, args.eps, factor_shared);
    const auto four = [&](int64_t i) {
        Bytes16 values = load16(reinterpret_cast<const uint8_t*>(pack.x + row + i));
        for (int j = 0; j < 4; ++j) {
            values.word[j] = float_bits(normed(float_from_bits(values.word[j]), factor, args.weight, i + j));
        }
        return values;
    };
    const auto first_four = [&](int64_t i) {
        const Bytes16 values = four(i);
        if (args.normed != nullptr) store16(reinterpret_cast<uint8_t*>(args.normed + row + i), values);
        return values;
    };
    pack_column(pack, pack.acts + static_cast<int64_t>(blockIdx.x) * pack.column_bytes, pack_shared, first_four, four);
}

}  // namespace kern::gpu
