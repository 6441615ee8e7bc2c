// IQ1_BN, IQ2_BN and IQ2_BN_R4, the ternary types of ik_llama.cpp (pictures: ternary_dialects.h), a row at a time.
#include <cmath>
#include <cstring>

#include "kernels/codec_rounding.h"
#include "kernels/ternary_dialects.h"
#include "kernels/ternary_layouts.h"
#include "kernels/vec_kernels.h"

namespace kern {
namespace {

constexpr unsigned kPow3[] = {1, 3, 9, 27, 81, 243};

// Trit j of a byte, the first the least significant: pushed to the top like those of TQ1_0, in the other order.
unsigned trit_of(unsigned byte, int j) { return (byte * kPow3[4 - j] & 255u) * 3u >> 8; }

// Whether an encoder writes the byte for five trits (see tq1_0_blocks_valid), or for four (`last`: the fifth is 0).
bool trits_valid(unsigned byte, bool last) { return (byte * 243u & 255u) < 243u && (!last || trit_of(byte, 4) == 0); }

// Where a row's scale and blocks lie. A row of IQ2_BN_R4 lies among three others.
struct BnPlace {
    int64_t scale, blocks, block_step;

    BnPlace(const DialectShape& s, int64_t row) {
        const int64_t row_bytes = static_cast<int64_t>(quant_row_bytes(s.type, s.k));
        const int64_t head = quant_type_info(s.type).row_head_bytes;
        scale = row * row_bytes;
        blocks = scale + head;
        block_step = quant_type_info(s.type).block_bytes;
        if (s.type != QuantType::iq2_bn_r4) return;
        const int64_t group = row / 4 * 4 * row_bytes;
        scale = group + row % 4 * head;
        blocks = group + 4 * head + row % 4 * 4;
        block_step *= 4;
    }
};

// Where weight i of a 64-block lies: its byte from the block's place, and its shift.
struct TwoBits {
    int byte, shift;
};
TwoBits place_of(QuantType type, int i) {
    if (type == QuantType::iq2_bn) return {i % 16, i / 16 * 2};
    return {i / 16 * 16 + i % 4, i % 16 / 4 * 2};
}

bool two_bit_codes(QuantType type, const uint8_t* block, I2sRowWriter& out) {
    bool valid = true;
    for (int i = 0; i < kBnBlock; ++i) {
        const TwoBits at = place_of(type, i);
        const unsigned code = block[at.byte] >> at.shift & 3u;
        valid = valid && code != 3;
        out.put(code == 3 ? 1 : code);
    }
    return valid;
}

bool trit_codes(const uint8_t* block, I2sRowWriter& out) {
    bool valid = trits_valid(block[12], true);
    for (int g = 0; g < 4; ++g) {
        for (int b = 0; b < 3; ++b) {
            const unsigned byte = block[3 * g + b];
            valid = valid && trits_valid(byte, false);
            for (int j = 0; j < 5; ++j) out.put(trit_of(byte, j));
        }
        out.put(trit_of(block[12], g));
    }
    return valid;
}

uint8_t byte_of_trits(unsigned v) { return static_cast<uint8_t>((v * 256 + 242) / 243); }

void encode_trits(const float* src, uint8_t* block) {
    unsigned last = 0;
    for (int g = 0; g < 4; ++g) {
        for (int b = 0; b < 3; ++b) {
            unsigned v = 0;
            for (int j = 0; j < 5; ++j) v += kPow3[j] * ternary_code(src[16 * g + 5 * b + j]);
            block[3 * g + b] = byte_of_trits(v);
        }
        last += kPow3[g] * ternary_code(src[16 * g + 15]);
    }
    block[12] = byte_of_trits(last);
}

float largest(const float* src, int64_t n) {
    float most = 0.0f;
    for (int64_t i = 0; i < n; ++i) most = std::fmax(most, std::fabs(finite_or_zero(src[i])));
    return most;
}

}  // namespace

uint64_t dialect_row_scale_offset(const DialectShape& s, int64_t row) {
    return static_cast<uint64_t>(BnPlace(s, row).scale);
}

bool bn_codes_of_row(const DialectShape& s, const uint8_t* data, int64_t row, void* i2s_row, float* scale) {
    const BnPlace place(s, row);
    if (s.type == QuantType::iq1_bn) {
        uint16_t half;
        std::memcpy(&half, data + place.scale, sizeof half);
        *scale = f16_to_f32_value(half);
    } else {
        std::memcpy(scale, data + place.scale, sizeof *scale);
    }
    bool valid = true;
    {
        I2sRowWriter out(i2s_row);
        for (int64_t b = 0; b < s.k / kBnBlock; ++b) {
            const uint8_t* block = data + place.blocks + b * place.block_step;
            const bool good = s.type == QuantType::iq1_bn ? trit_codes(block, out) : two_bit_codes(s.type, block, out);
            valid = valid && good;
        }
    }
    // Scale 0 makes every weight 0, whatever its code: then the codes may say so, and any scale is right.
    if (*scale == 0.0f) std::memset(i2s_row, 0x55, static_cast<size_t>(dialect_code_bytes(s)));
    return valid;
}

void bn_encode_row(const DialectShape& s, const float* src, int64_t row, float scale, uint8_t* data) {
    const BnPlace place(s, row);
    if (scale == 0.0f) scale = largest(src, s.k);
    if (s.type == QuantType::iq1_bn) {
        const uint16_t half = f32_to_f16_value(scale);
        std::memcpy(data + place.scale, &half, sizeof half);
    } else {
        std::memcpy(data + place.scale, &scale, sizeof scale);
    }
    for (int64_t b = 0; b < s.k / kBnBlock; ++b, src += kBnBlock) {
        uint8_t* block = data + place.blocks + b * place.block_step;
        if (s.type == QuantType::iq1_bn) {
            encode_trits(src, block);
            continue;
        }
        for (int i = 0; i < kBnBlock; ++i) {
            const TwoBits at = place_of(s.type, i);
            block[at.byte] = static_cast<uint8_t>(block[at.byte] | ternary_code(src[i]) << at.shift);
        }
    }
}

}  // namespace kern
