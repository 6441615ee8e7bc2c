// Int8 activation columns in the order "i8x64", packed with AVX-512.
#include "kernels/cpu/act_i8.h"
#include "kernels/cpu/vec_kernel_sets.h"
#include "kernels/cpu/x86_intrinsics.h"

namespace kern {
namespace {

// Sums every 256 values, then swaps their eight 32-byte pieces into the order of act_i8.h.
// Per int16 lane two products 1 * q four times: |sum| <= 1016.
void sum_and_reorder_blocks(int8_t* q, int64_t n_blocks, int32_t* block_sums) {
    const __m512i ones8 = _mm512_set1_epi8(1);
    const __m512i ones16 = _mm512_set1_epi16(1);
    for (int64_t b = 0; b < n_blocks; ++b) {
        int8_t* block = q + b * kActBlock;
        const __m512i p01 = _mm512_load_si512(block);
        const __m512i p23 = _mm512_load_si512(block + 64);
        const __m512i p45 = _mm512_load_si512(block + 128);
        const __m512i p67 = _mm512_load_si512(block + 192);
        const __m512i sum16 =
            _mm512_add_epi16(_mm512_add_epi16(_mm512_maddubs_epi16(ones8, p01), _mm512_maddubs_epi16(ones8, p23)),
                             _mm512_add_epi16(_mm512_maddubs_epi16(ones8, p45), _mm512_maddubs_epi16(ones8, p67)));
        block_sums[b] = _mm512_reduce_add_epi32(_mm512_madd_epi16(sum16, ones16));
        // 0x44: lower halves of both operands, 0xee: upper halves
        _mm512_store_si512(block, _mm512_shuffle_i64x2(p01, p45, 0x44));
        _mm512_store_si512(block + 64, _mm512_shuffle_i64x2(p01, p45, 0xee));
        _mm512_store_si512(block + 128, _mm512_shuffle_i64x2(p23, p67, 0x44));
        _mm512_store_si512(block + 192, _mm512_shuffle_i64x2(p23, p67, 0xee));
    }
}

void pack(const float* x, int64_t x_stride, int64_t k, int64_t, int64_t col_begin, int64_t col_end, void* dst) {
    act_pack_columns(vec_avx512.quantize_i8, sum_and_reorder_blocks, x, x_stride, k, col_begin, col_end, dst);
}

void pack_codes(const int8_t* q, int64_t q_stride, const float* scales, int64_t k, int64_t col_begin, int64_t col_end,
                void* dst) {
    act_pack_codes(sum_and_reorder_blocks, q, q_stride, scales, k, col_begin, col_end, dst);
}

}  // namespace

constinit const ActFormat act_i8x64_avx512 = {
    .name = "i8x64", .bytes = act_bytes, .pack = pack, .col_tile = 1, .pack_codes = pack_codes};

}  // namespace kern
