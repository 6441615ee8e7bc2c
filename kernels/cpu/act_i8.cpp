// Packing of int8 activation columns (layout: act_i8.h): the part all levels share, and the scalar level.
#include "kernels/cpu/act_i8.h"

#include <cstring>

#include "kernels/cpu/vec_kernel_sets.h"

namespace kern {
namespace {

void sum_blocks(int8_t* q, int64_t n_blocks, int32_t* block_sums) {
    for (int64_t b = 0; b < n_blocks; ++b) {
        int32_t sum = 0;
        for (int i = 0; i < kActBlock; ++i) sum += q[b * kActBlock + i];
        block_sums[b] = sum;
    }
}

void pack_scalar(const float* x, int64_t x_stride, int64_t k, int64_t, int64_t col_begin, int64_t col_end, void* dst) {
    act_pack_columns(vec_scalar.quantize_i8, sum_blocks, x, x_stride, k, col_begin, col_end, dst);
}

void pack_codes_scalar(const int8_t* q, int64_t q_stride, const float* scales, int64_t k, int64_t col_begin,
                       int64_t col_end, void* dst) {
    act_pack_codes(sum_blocks, q, q_stride, scales, k, col_begin, col_end, dst);
}

// Header, zero padding and block sums around fill(c, q, &sum), which writes k codes and their sum and returns the scale.
template <class Fill>
void for_columns(FinishColumn finish, int64_t k, int64_t col_begin, int64_t col_end, void* dst, Fill&& fill) {
    const int64_t stride = act_column_bytes(k);
    const int64_t n_blocks = act_block_count(k);
    const int64_t sums_offset = act_sums_offset(k);
    for (int64_t c = col_begin; c < col_end; ++c) {
        unsigned char* column = static_cast<unsigned char*>(dst) + c * stride;
        int8_t* q = reinterpret_cast<int8_t*>(column + act_values_offset());
        ActColumn header = {};
        header.act_scale = fill(c, q, &header.sum);
        std::memcpy(column, &header, sizeof header);
        std::memset(q + k, 0, static_cast<size_t>(n_blocks * kActBlock - k));
        // dst is 64-byte aligned and every offset a multiple of 64, so the sums are aligned int32.
        std::memset(column + sums_offset, 0, static_cast<size_t>(stride - sums_offset));
        finish(q, n_blocks, reinterpret_cast<int32_t*>(column + sums_offset));
    }
}

}  // namespace

size_t act_bytes(int64_t k, int64_t n_cols) {
    return static_cast<size_t>(act_column_bytes(k)) * static_cast<size_t>(n_cols);
}

void act_pack_columns(QuantizeI8 quantize, FinishColumn finish, const float* x, int64_t x_stride, int64_t k,
                      int64_t col_begin, int64_t col_end, void* dst) {
    for_columns(finish, k, col_begin, col_end, dst, [&](int64_t c, int8_t* q, int32_t* sum) {
        return quantize(x + c * x_stride, k, q, sum);
    });
}

void act_pack_codes(FinishColumn finish, const int8_t* codes, int64_t codes_stride, const float* scales, int64_t k,
                    int64_t col_begin, int64_t col_end, void* dst) {
    for_columns(finish, k, col_begin, col_end, dst, [&](int64_t c, int8_t* q, int32_t* sum) {
        std::memcpy(q, codes + c * codes_stride, static_cast<size_t>(k));
        for (int64_t i = 0; i < k; ++i) *sum += q[i];
        return scales == nullptr ? 1.0f : scales[c];
    });
}

constinit const ActFormat act_i8_scalar = {
    .name = "i8", .bytes = act_bytes, .pack = pack_scalar, .col_tile = 1, .pack_codes = pack_codes_scalar};

}  // namespace kern
