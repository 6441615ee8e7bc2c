// TQ1_0 weights become TQ2_0 blocks at load: pulling five base-3 digits out of a byte costs more than the memory
// traffic it saves, and one set of fast kernels then serves both types.
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/ternary_layouts.h"

namespace kern {

size_t tq1_packed_bytes(int64_t n_rows, int64_t k) {
    return static_cast<size_t>(n_rows) * static_cast<size_t>(k / kTqBlock) * sizeof(BlockTq2_0);
}

void tq1_pack(const void* file_weights, int64_t, int64_t k, int64_t row_begin, int64_t row_end, void* packed) {
    const size_t blocks_per_row = static_cast<size_t>(k / kTqBlock);
    const size_t first = static_cast<size_t>(row_begin) * blocks_per_row;
    tq1_0_repack_as_tq2_0(static_cast<const unsigned char*>(file_weights) + first * sizeof(BlockTq1_0),
                          static_cast<size_t>(row_end - row_begin) * blocks_per_row,
                          static_cast<unsigned char*>(packed) + first * sizeof(BlockTq2_0));
}

}  // namespace kern
