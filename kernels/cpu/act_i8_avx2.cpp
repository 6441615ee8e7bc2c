// Int8 activation columns in the order "i8", packed with AVX2.
#include "kernels/cpu/act_i8.h"
#include "kernels/cpu/vec_kernel_sets.h"
#include "kernels/cpu/x86_intrinsics.h"

namespace kern {
namespace {

int32_t add_lanes(__m256i v) {
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1));
    return _mm_cvtsi128_si32(sum);
}

// Eight maddubs of 1 * q, two a lane: |sum| <= 8 * 2 * 127 = 2032, far within int16.
void sum_blocks(int8_t* q, int64_t n_blocks, int32_t* block_sums) {
    const __m256i ones8 = _mm256_set1_epi8(1);
    const __m256i ones16 = _mm256_set1_epi16(1);
    for (int64_t b = 0; b < n_blocks; ++b) {
        __m256i sum = _mm256_setzero_si256();
        for (int i = 0; i < kActBlock; i += 32) {
            const __m256i v = _mm256_load_si256(reinterpret_cast<const __m256i*>(q + b * kActBlock + i));
            sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(ones8, v));
        }
        block_sums[b] = add_lanes(_mm256_madd_epi16(sum, ones16));
    }
}

void pack(const float* x, int64_t x_stride, int64_t k, int64_t, int64_t col_begin, int64_t col_end, void* dst) {
    act_pack_columns(vec_avx2.quantize_i8, sum_blocks, x, x_stride, k, col_begin, col_end, dst);
}

void pack_codes(const int8_t* q, int64_t q_stride, const float* scales, int64_t k, int64_t col_begin, int64_t col_end,
                void* dst) {
    act_pack_codes(sum_blocks, q, q_stride, scales, k, col_begin, col_end, dst);
}

}  // namespace

constinit const ActFormat act_i8_avx2 = {
    .name = "i8", .bytes = act_bytes, .pack = pack, .col_tile = 1, .pack_codes = pack_codes};

}  // namespace kern
