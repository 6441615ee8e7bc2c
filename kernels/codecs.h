// Scalar decode and encode of every storage type, the functions behind the table in quant_types.cpp.
// n is a multiple of the block length; src and dst need no alignment beyond that of float on the float side.
// Encoders never meet undefined behaviour: a value that is not finite counts as 0 in the block types.
#pragma once

#include <cstdint>

namespace kern {

// codec_plain.cpp
void decode_f32(const void* src, float tensor_scale, int64_t n, float* dst);
void encode_f32(const float* src, float tensor_scale, int64_t n, void* dst);
void decode_f16(const void* src, float tensor_scale, int64_t n, float* dst);
void encode_f16(const float* src, float tensor_scale, int64_t n, void* dst);
void decode_bf16(const void* src, float tensor_scale, int64_t n, float* dst);
void encode_bf16(const float* src, float tensor_scale, int64_t n, void* dst);

// codec_blocks.cpp
void decode_q8_0(const void* src, float tensor_scale, int64_t n, float* dst);
void encode_q8_0(const float* src, float tensor_scale, int64_t n, void* dst);
void decode_q4_0(const void* src, float tensor_scale, int64_t n, float* dst);
void encode_q4_0(const float* src, float tensor_scale, int64_t n, void* dst);
void decode_q4_1(const void* src, float tensor_scale, int64_t n, float* dst);
void encode_q4_1(const float* src, float tensor_scale, int64_t n, void* dst);
// codec_low_bit.cpp
void decode_q1_0(const void* src, float tensor_scale, int64_t n, float* dst);
void decode_q2_0(const void* src, float tensor_scale, int64_t n, float* dst);
void decode_q2_0_g128(const void* src, float tensor_scale, int64_t n, float* dst);
// codec_q6_k.cpp
void decode_q6_k(const void* src, float tensor_scale, int64_t n, float* dst);
void encode_q6_k(const float* src, float tensor_scale, int64_t n, void* dst);

// codec_iq2_s.cpp
void decode_iq2_s(const void* src, float tensor_scale, int64_t n, float* dst);

// codec_ternary.cpp
void decode_tq1_0(const void* src, float tensor_scale, int64_t n, float* dst);
void encode_tq1_0(const float* src, float tensor_scale, int64_t n, void* dst);
void decode_tq2_0(const void* src, float tensor_scale, int64_t n, float* dst);
void encode_tq2_0(const float* src, float tensor_scale, int64_t n, void* dst);
void decode_i2_s(const void* src, float tensor_scale, int64_t n, float* dst);
void encode_i2_s(const float* src, float tensor_scale, int64_t n, void* dst);

}  // namespace kern
