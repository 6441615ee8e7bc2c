// Storage types of weights: one table row per type. Bit pictures are in ternary_layouts.h and block_layouts.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kern {

enum class QuantType : uint8_t {
    f32,
    f16,
    bf16,
    q8_0,
    q4_0,
    q6_k,
    tq1_0,
    tq2_0,
    i2_s,
    iq2_s,
    // Dialects, repacked as i2_s at load: ternary_dialects.h.
    tl1,
    tl2,
    iq1_bn,
    iq2_bn,
    iq2_bn_r4,
    // Read as floats.
    q4_1,
    q1_0,
    q2_0,
    q2_0_g128
};
inline constexpr int kQuantTypeCount = 19;

struct QuantTypeInfo {
    QuantType type;
    const char* name;       // "i2_s": as in messages, the ABI and options
    uint32_t file_id;       // ggml type id in a GGUF file
    uint32_t block_length;  // weights per block; a row's length K must be a multiple of it
    uint32_t block_bytes;
    uint32_t tail_bytes;    // bytes after the whole tensor (I2_S: f32 scale + 28 unused)
    bool ternary;           // multiplied with int8-quantised activations
    // Decodes / encodes n weights (a multiple of block_length) at a block border, scalar code.
    // tensor_scale: the I2_S tail scale; other types ignore it. encode is null where this build cannot write the type.
    // Both are null for dialects, which are read and written by whole tensors.
    void (*decode)(const void* src, float tensor_scale, int64_t n, float* dst);
    void (*encode)(const float* src, float tensor_scale, int64_t n, void* dst);
    bool dialect = false;         // see ternary_dialects.h; no kernel multiplies it
    uint32_t row_head_bytes = 0;  // before the blocks of each row: its scale
};

const QuantTypeInfo& quant_type_info(QuantType type);
const QuantTypeInfo* find_quant_type_by_file_id(uint32_t file_id);  // nullptr if unknown
const QuantTypeInfo* find_quant_type_by_name(const char* name);     // nullptr if unknown

// Bytes of a tensor of n_rows rows of k weights, tail included. False on overflow or when k is not a multiple of the
// block length; *out is then untouched.
bool quant_tensor_bytes(QuantType type, int64_t k, int64_t n_rows, uint64_t* out);
// Bytes of one row, without the tail (k a multiple of the block length). Rows of tl1, tl2 and iq2_bn_r4 do not lie apart.
uint64_t quant_row_bytes(QuantType type, int64_t k);

}  // namespace kern
