// What GPU kernels take: plain structs of numbers and addresses of device memory, the same bytes for nvcc and for the host.
#pragma once

#include <cstdint>

namespace kern::gpu {

// out[i] = op(a[i], b[i]); out may be a or b.
struct BinaryArgs {
    const float* a;
    const float* b;
    float* out;
    int64_t n;
};

// Matrix products and what belongs to them: pack_acts.cu, i2s_vec.cu, i2s_mma.cu, tq_mat.cu, dense_mat.cu, get_rows.cu.

// Columns of the format "i8" (kernels/cpu/act_i8.h); the offsets are those of one column of k values.
struct PackActsArgs {
    const float* x;  // [n_cols][k], 16-byte aligned, k a multiple of 4
    uint8_t* acts;
    int64_t k;
    int64_t column_bytes;
    int64_t sums_offset;
};

// What every product does with its sums.
struct MatOutput {
    float* out;               // [n_cols][n_rows]
    const float* row_scales;  // or null
    int64_t n_rows;
    int64_t n_cols;
    float out_scale;
};

struct I2sArgs {
    const uint8_t* codes;  // rows of row_bytes = k / 4
    const uint8_t* acts;
    int64_t row_bytes;
    int64_t column_bytes;
    float tensor_scale;
    MatOutput output;
};

struct TqArgs {
    const uint8_t* codes;  // 64 bytes a block, in the order of TQ2_0
    const uint16_t* d;     // a half a block
    const uint8_t* acts;
    int64_t n_blocks;  // of a row
    int64_t column_bytes;
    int64_t sums_offset;
    MatOutput output;
};

// The planes of weight_layouts.h, by address.
struct PlaneAddresses {
    const uint8_t* plane[6];
};

struct DenseArgs {
    PlaneAddresses weights;
    const float* x;  // [n_cols][act_stride]
    int64_t act_stride;
    int64_t k;
    MatOutput output;
};

struct GetRowsArgs {
    PlaneAddresses weights;
    const int32_t* tokens;
    const float* row_scales;  // or null
    float* out;               // [n_tokens][width]
    int64_t k;                // of a stored row
    int64_t width;
    int32_t type;  // kern::QuantType
    float tensor_scale;
    float factor;
};

}  // namespace kern::gpu
