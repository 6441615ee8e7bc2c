// The table of storage types and the size arithmetic on it. A new type is one row here, its picture and its codec.
#include "kernels/quant_types.h"

#include <cstring>

#include "kernels/block_layouts.h"
#include "kernels/codecs.h"
#include "kernels/ternary_dialects.h"
#include "kernels/ternary_layouts.h"

namespace kern {
namespace {

constexpr QuantTypeInfo kTypes[kQuantTypeCount] = {
    // type           name     id  length      bytes                tail           ternary
    {QuantType::f32, "f32", 0, 1, 4, 0, false, decode_f32, encode_f32},
    {QuantType::f16, "f16", 1, 1, 2, 0, false, decode_f16, encode_f16},
    {QuantType::bf16, "bf16", 30, 1, 2, 0, false, decode_bf16, encode_bf16},
    {QuantType::q8_0, "q8_0", 8, kQ8_0Block, sizeof(BlockQ8_0), 0, false, decode_q8_0, encode_q8_0},
    {QuantType::q4_0, "q4_0", 2, kQ4_0Block, sizeof(BlockQ4_0), 0, false, decode_q4_0, encode_q4_0},
    {QuantType::q6_k, "q6_k", 14, kQ6KBlock, sizeof(BlockQ6K), 0, false, decode_q6_k, encode_q6_k},
    {QuantType::tq1_0, "tq1_0", 34, kTqBlock, sizeof(BlockTq1_0), 0, true, decode_tq1_0, encode_tq1_0},
    {QuantType::tq2_0, "tq2_0", 35, kTqBlock, sizeof(BlockTq2_0), 0, true, decode_tq2_0, encode_tq2_0},
    {QuantType::i2_s, "i2_s", 36, kI2sBlock, kI2sBlockBytes, kI2sTailBytes, true, decode_i2_s, encode_i2_s},
    {QuantType::iq2_s, "iq2_s", 22, kIq2SBlock, sizeof(BlockIq2S), 0, false, decode_iq2_s, nullptr},
    {QuantType::tl1, "tl1", 38, 4, 1, kTlTailBytes, true, nullptr, nullptr, true, 0},
    {QuantType::tl2, "tl2", 39, 32, 0, kTlTailBytes, true, nullptr, nullptr, true, 0},  // its bytes: tl2_code_bytes
    {QuantType::iq1_bn, "iq1_bn", 134, kBnBlock, kIq1BnBlockBytes, 0, true, nullptr, nullptr, true, 2},
    {QuantType::iq2_bn, "iq2_bn", 135, kBnBlock, kIq2BnBlockBytes, 0, true, nullptr, nullptr, true, 4},
    {QuantType::iq2_bn_r4, "iq2_bn_r4", 335, kBnBlock, kIq2BnBlockBytes, 0, true, nullptr, nullptr, true, 4},
    {QuantType::q4_1, "q4_1", 3, kQ4_1Block, sizeof(BlockQ4_1), 0, false, decode_q4_1, encode_q4_1},
    {QuantType::q1_0, "q1_0", 41, kQ1_0Block, sizeof(BlockQ1_0), 0, false, decode_q1_0, nullptr},
    {QuantType::q2_0, "q2_0", 42, kQ2_0Block, sizeof(BlockQ2_0), 0, false, decode_q2_0, nullptr},
    {QuantType::q2_0_g128, "q2_0_g128", 42, kQ2_0G128Block, sizeof(BlockQ2_0G128), 0, false, decode_q2_0_g128, nullptr},
};

constexpr bool rows_are_in_enum_order() {
    for (int i = 0; i < kQuantTypeCount; ++i) {
        if (static_cast<int>(kTypes[i].type) != i) return false;
    }
    return true;
}
static_assert(rows_are_in_enum_order(), "quant_type_info indexes the table by the enum");

// a * b, or false when it does not fit. Both are sizes, b is not 0.
bool multiply(uint64_t a, uint64_t b, uint64_t* out) {
    if (a > UINT64_MAX / b) return false;
    *out = a * b;
    return true;
}

}  // namespace

const QuantTypeInfo& quant_type_info(QuantType type) { return kTypes[static_cast<int>(type)]; }

const QuantTypeInfo* find_quant_type_by_file_id(uint32_t file_id) {
    for (const QuantTypeInfo& info : kTypes) {
        if (info.file_id == file_id) return &info;
    }
    return nullptr;
}

const QuantTypeInfo* find_quant_type_by_name(const char* name) {
    if (name == nullptr) return nullptr;
    for (const QuantTypeInfo& info : kTypes) {
        if (std::strcmp(info.name, name) == 0) return &info;
    }
    return nullptr;
}

uint64_t quant_row_bytes(QuantType type, int64_t k) {
    const QuantTypeInfo& info = quant_type_info(type);
    return info.row_head_bytes + static_cast<uint64_t>(k) / info.block_length * info.block_bytes;
}

bool quant_tensor_bytes(QuantType type, int64_t k, int64_t n_rows, uint64_t* out) {
    const QuantTypeInfo& info = quant_type_info(type);
    if (k < 0 || n_rows < 0 || static_cast<uint64_t>(k) % info.block_length != 0) return false;
    uint64_t bytes = 0;
    if (type == QuantType::tl2) {
        if (!tl2_code_bytes(static_cast<uint64_t>(k), static_cast<uint64_t>(n_rows), &bytes)) return false;
        *out = bytes + info.tail_bytes;
        return true;
    }
    uint64_t row_bytes = 0;
    if (!multiply(static_cast<uint64_t>(k) / info.block_length, info.block_bytes, &row_bytes)) return false;
    if (row_bytes > UINT64_MAX - info.row_head_bytes) return false;
    row_bytes += info.row_head_bytes;
    if (row_bytes != 0 && !multiply(static_cast<uint64_t>(n_rows), row_bytes, &bytes)) return false;
    if (bytes > UINT64_MAX - info.tail_bytes) return false;
    *out = bytes + info.tail_bytes;
    return true;
}

}  // namespace kern
