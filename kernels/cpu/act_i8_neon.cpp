// Int8 activation columns in the order "i8", packed with NEON.
#include <arm_neon.h>

#include "kernels/cpu/act_i8.h"
#include "kernels/cpu/vec_kernel_sets.h"

namespace kern {
namespace {

// Two values a lane and step: |sum| <= 16 * 2 * 128 = 4096, far within int16.
void sum_blocks(int8_t* q, int64_t n_blocks, int32_t* block_sums) {
    static_assert(kActBlock == 256);
    for (int64_t b = 0; b < n_blocks; ++b) {
        int16x8_t sum = vdupq_n_s16(0);
        for (int i = 0; i < kActBlock; i += 16) sum = vpadalq_s8(sum, vld1q_s8(q + b * kActBlock + i));
        block_sums[b] = vaddlvq_s16(sum);
    }
}

void pack(const float* x, int64_t x_stride, int64_t k, int64_t, int64_t col_begin, int64_t col_end, void* dst) {
    act_pack_columns(vec_neon.quantize_i8, sum_blocks, x, x_stride, k, col_begin, col_end, dst);
}

void pack_codes(const int8_t* q, int64_t q_stride, const float* scales, int64_t k, int64_t col_begin, int64_t col_end,
                void* dst) {
    act_pack_codes(sum_blocks, q, q_stride, scales, k, col_begin, col_end, dst);
}

}  // namespace

constinit const ActFormat act_i8_neon = {
    .name = "i8", .bytes = act_bytes, .pack = pack, .col_tile = 1, .pack_codes = pack_codes};

}  // namespace kern
