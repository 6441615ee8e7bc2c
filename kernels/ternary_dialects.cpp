// Which dialect is read by which codec, and what all of them demand of a shape.
#include "kernels/ternary_dialects.h"

#include <cstring>

#include "kernels/ternary_layouts.h"

namespace kern {
namespace {

int64_t scale_offset(const DialectShape& s) {
    if (s.type == QuantType::i2_s) return s.k * s.n_rows / 4;
    uint64_t bytes = 0;
    quant_tensor_bytes(s.type, s.k, s.n_rows, &bytes);
    return static_cast<int64_t>(bytes) - kTlTailBytes;
}

bool i2s_codes_of_row(const DialectShape& s, const uint8_t* data, int64_t row, void* i2s_row) {
    I2sRowWriter out(i2s_row);
    bool valid = true;
    for (int64_t i = row * s.k; i < (row + 1) * s.k; ++i) {
        const int64_t in_block = i % kI2sBlock;
        const unsigned byte = data[i / kI2sBlock * kI2sBlockBytes + in_block % 32];
        const unsigned code = byte >> (6 - 2 * (in_block / 32)) & 3u;
        valid = valid && code != 3;
        out.put(code == 3 ? 1 : code);
    }
    return valid;
}

bool codes_of_row(const DialectShape& s, const uint8_t* data, int64_t row, void* to, float* scale) {
    if (s.type == QuantType::i2_s) return i2s_codes_of_row(s, data, row, to);
    return dialect_is_tiled(s.type) ? tl_codes_of_row(s, data, row, to) : bn_codes_of_row(s, data, row, to, scale);
}

}  // namespace

const char* dialect_problem(const DialectShape& s) {
    if (s.k < 1 || s.n_rows < 1) return "is empty";
    if (s.type == QuantType::i2_s && s.k * s.n_rows % kI2sBlock != 0) return "is no multiple of 128 weights";
    if (dialect_is_tiled(s.type)) return tl_tiling_problem(s);
    if (s.type == QuantType::iq2_bn_r4 && s.n_rows % 4 != 0) return "has rows that are no multiple of 4";
    return nullptr;
}

bool dialect_is_tiled(QuantType type) { return type == QuantType::tl1 || type == QuantType::tl2; }

bool dialect_has_row_scales(QuantType type) { return !dialect_is_tiled(type) && type != QuantType::i2_s; }

int64_t dialect_row_step(const DialectShape& s) { return dialect_is_tiled(s.type) ? 32 : 4; }

int64_t dialect_to_i2s(const DialectShape& s, const void* data, int64_t row_begin, int64_t row_end, void* codes,
                       float* row_scales) {
    const uint8_t* from = static_cast<const uint8_t*>(data);
    int64_t bad = row_end;
    for (int64_t row = row_begin; row < row_end; ++row) {
        uint8_t* to = static_cast<uint8_t*>(codes) + (row - row_begin) * dialect_code_bytes(s);
        float* scale = row_scales != nullptr ? row_scales + (row - row_begin) : nullptr;
        const bool valid = codes_of_row(s, from, row, to, scale);
        if (!valid && bad == row_end) bad = row;
    }
    return bad;
}

float dialect_tensor_scale(const DialectShape& s, const void* data) {
    float scale;
    std::memcpy(&scale, static_cast<const uint8_t*>(data) + scale_offset(s), sizeof scale);
    return scale;
}

void dialect_encode(const DialectShape& s, const float* src, int64_t row_begin, int64_t row_end, float scale,
                    void* data) {
    uint8_t* to = static_cast<uint8_t*>(data);
    for (int64_t row = row_begin; row < row_end; ++row, src += s.k) {
        if (dialect_is_tiled(s.type)) {
            tl_encode_row(s, src, row, to);
        } else {
            bn_encode_row(s, src, row, scale, to);
        }
    }
    if (dialect_is_tiled(s.type) && row_begin == 0) std::memcpy(to + scale_offset(s), &scale, sizeof scale);
}

void i2s_row_to_floats(const void* codes, float scale, int64_t k, float* dst) {
    const QuantTypeInfo& i2s = quant_type_info(QuantType::i2_s);
    const int64_t whole = k / kI2sBlock * kI2sBlock;
    i2s.decode(codes, scale, whole, dst);
    if (whole == k) return;
    float last[kI2sBlock];
    i2s.decode(static_cast<const uint8_t*>(codes) + whole / 4, scale, kI2sBlock, last);
    std::memcpy(dst + whole, last, static_cast<size_t>(k - whole) * sizeof(float));
}

}  // namespace kern
