// Weights as floats, eight neighbours at a time, from the planes of weight_layouts.h: read_eight(type's name, planes,
// index of the first in the whole matrix, to). Every type's block is whole eights, and an eight has one scale. What is
// decoded are the floats of the file's type exactly (kernels/cpu/dense_generic.h says why no grouping of the products
// matters), but for the payloads of NaNs; read_one keeps those too. Bit pictures: kernels/block_layouts.h, kernels/ternary_layouts.h.
#pragma once

#include "kernels/cuda/kernel_args.h"
#include "kernels/cuda/wide_loads.h"

namespace kern::gpu {

struct ReadF32 {
    static constexpr bool kPlain = true;  // rows of any length, so perhaps not aligned: read_one as well
};
struct ReadF16 {
    static constexpr bool kPlain = true;
};
struct ReadBf16 {
    static constexpr bool kPlain = true;
};
struct ReadQ8_0 {
    static constexpr bool kPlain = false;
};
struct ReadQ4_0 {
    static constexpr bool kPlain = false;
};
struct ReadQ4_1 {
    static constexpr bool kPlain = false;
};
struct ReadQ6_K {
    static constexpr bool kPlain = false;
};
struct ReadQ1_0 {
    static constexpr bool kPlain = false;
};
template <int block>
struct ReadTwoBits {
    static constexpr bool kPlain = false;
};
using ReadQ2_0 = ReadTwoBits<64>;
using ReadQ2_0_G128 = ReadTwoBits<128>;
struct ReadIq2_S {
    static constexpr bool kPlain = false;
};
struct ReadI2_S {};  // codes less one: their scale is the tensor's
struct ReadTq2_0 {};

// Value i of a plane of halves, as a float.
GPU_FUNCTION float half_of(const uint8_t* plane, int64_t i) {
    return half_to_float(reinterpret_cast<const uint16_t*>(plane)[i]);
}

GPU_FUNCTION float signed_byte(uint32_t word, int i) {
    return static_cast<float>(static_cast<int8_t>(word >> (8 * i) & 255u));
}

GPU_FUNCTION float read_one(ReadF32, const PlaneAddresses& w, int64_t i) {
    return reinterpret_cast<const float*>(w.plane[0])[i];
}
GPU_FUNCTION float read_one(ReadF16, const PlaneAddresses& w, int64_t i) {
    return f16_bits_to_f32(reinterpret_cast<const uint16_t*>(w.plane[0])[i]);
}
GPU_FUNCTION float read_one(ReadBf16, const PlaneAddresses& w, int64_t i) {
    return bf16_bits_to_f32(reinterpret_cast<const uint16_t*>(w.plane[0])[i]);
}

GPU_FUNCTION void read_eight(ReadF32, const PlaneAddresses& w, int64_t at, float (&to)[8]) {
    const Bytes16 low = load16(w.plane[0] + 4 * at);
    const Bytes16 high = load16(w.plane[0] + 4 * at + 16);
    for (int i = 0; i < 4; ++i) {
        to[i] = float_from_bits(low.word[i]);
        to[4 + i] = float_from_bits(high.word[i]);
    }
}

GPU_FUNCTION void read_eight(ReadF16, const PlaneAddresses& w, int64_t at, float (&to)[8]) {
    const Bytes16 halves = load16(w.plane[0] + 2 * at);
    for (int i = 0; i < 8; ++i) to[i] = half_to_float(static_cast<uint16_t>(halves.word[i / 2] >> (i % 2 * 16)));
}

GPU_FUNCTION void read_eight(ReadBf16, const PlaneAddresses& w, int64_t at, float (&to)[8]) {
    const Bytes16 halves = load16(w.plane[0] + 2 * at);
    for (int i = 0; i < 8; ++i) to[i] = bf16_bits_to_f32(static_cast<uint16_t>(halves.word[i / 2] >> (i % 2 * 16)));
}

GPU_FUNCTION void read_eight(ReadQ8_0, const PlaneAddresses& w, int64_t at, float (&to)[8]) {
    const Bytes8 q = load8(w.plane[0] + at);
    const float d = half_of(w.plane[1], at / 32);
    for (int i = 0; i < 8; ++i) to[i] = d * signed_byte(q.word[i / 4], i % 4);
}

// The eight codes of a block of 32 whose nibbles are 16 bytes, low ones first.
GPU_FUNCTION Bytes8 eight_nibbles(const uint8_t* plane, int64_t at) {
    Bytes8 codes = load8(plane + at / 32 * 16 + at % 16);
    const int shift = at % 32 < 16 ? 0 : 4;
    for (int i = 0; i < 2; ++i) codes.word[i] = codes.word[i] >> shift & 0x0f0f0f0fu;
    return codes;
}

GPU_FUNCTION void read_eight(ReadQ4_0, const PlaneAddresses& w, int64_t at, float (&to)[8]) {
    const Bytes8 codes = eight_nibbles(w.plane[0], at);
    const float d = half_of(w.plane[1], at / 32);
    for (int i = 0; i < 8; ++i) to[i] = d * (signed_byte(codes.word[i / 4], i % 4) - 8.0f);
}

GPU_FUNCTION void read_eight(ReadQ4_1, const PlaneAddresses& w, int64_t at, float (&to)[8]) {
    const Bytes8 codes = eight_nibbles(w.plane[0], at);
    const float d = half_of(w.plane[1], at / 32);
    const float least = half_of(w.plane[2], at / 32);
    for (int i = 0; i < 8; ++i) to[i] = d * signed_byte(codes.word[i / 4], i % 4) + least;
}

GPU_FUNCTION void read_eight(ReadQ6_K, const PlaneAddresses& w, int64_t at, float (&to)[8]) {
    const int64_t block = at / 256;
    const int half = static_cast<int>(at % 256) / 128;
    const int quarter = static_cast<int>(at % 128) / 32;
    const int l = static_cast<int>(at % 32);
    const Bytes8 low = load8(w.plane[0] + 128 * block + 64 * half + 32 * (quarter & 1) + l);
    const Bytes8 high = load8(w.plane[1] + 64 * block + 32 * half + l);
    const float scale =
        half_of(w.plane[3], block) * static_cast<float>(reinterpret_cast<const int8_t*>(w.plane[2])[at / 16]);
    for (int i = 0; i < 8; ++i) {
        const uint32_t four_low = low.word[i / 4] >> (quarter / 2 * 4) & 0x0f0f0f0fu;
        const uint32_t four_high = high.word[i / 4] >> (2 * quarter) & 0x03030303u;
        to[i] = scale * (signed_byte(four_low | four_high << 4, i % 4) - 32.0f);
    }
}

GPU_FUNCTION void read_eight(ReadQ1_0, const PlaneAddresses& w, int64_t at, float (&to)[8]) {
    const uint32_t bits = w.plane[0][at / 8];
    const float d = half_of(w.plane[1], at / 128);
    for (int i = 0; i < 8; ++i) to[i] = (bits >> i & 1u) != 0 ? d : -d;
}

template <int block>
GPU_FUNCTION void read_eight(ReadTwoBits<block>, const PlaneAddresses& w, int64_t at, float (&to)[8]) {
    const uint32_t codes = reinterpret_cast<const uint16_t*>(w.plane[0])[at / 8];
    const float d = half_of(w.plane[1], at / block);
    for (int i = 0; i < 8; ++i) to[i] = d * static_cast<float>(static_cast<int>(codes >> (2 * i) & 3u) - 1);
}

GPU_FUNCTION void read_eight(ReadIq2_S, const PlaneAddresses& w, int64_t at, float (&to)[8]) {
    const int64_t group = at / 8;
    const int in_four = static_cast<int>(group % 4);
    const uint32_t high = static_cast<uint32_t>(w.plane[2][group / 4] >> (2 * in_four) & 3);
    const uint32_t row = reinterpret_cast<const uint16_t*>(w.plane[5])[w.plane[0][group] | high << 8];
    const uint32_t signs = w.plane[1][group];
    const int scale = w.plane[3][group / 4] >> (in_four / 2 * 4) & 15;
    const float step = half_of(w.plane[4], at / 256) * (0.5f + static_cast<float>(scale)) * 0.25f;
    for (int i = 0; i < 8; ++i) {
        const int code = static_cast<int>(row >> (2 * i) & 3u);
        const float magnitude = static_cast<float>(8 + 17 * code + code / 2);  // 8, 25, 43
        to[i] = step * ((signs >> i & 1u) != 0 ? -magnitude : magnitude);
    }
}

GPU_FUNCTION void read_eight(ReadI2_S, const PlaneAddresses& w, int64_t at, float (&to)[8]) {
    const Bytes8 codes = load8(w.plane[0] + at / 128 * 32 + at % 32);
    const int field = static_cast<int>(at % 128) / 32;
    for (int i = 0; i < 8; ++i) {
        to[i] = signed_byte(static_cast<uint32_t>(i2s_field(codes.word[i / 4], field)), i % 4) - 1.0f;
    }
}

GPU_FUNCTION void read_eight(ReadTq2_0, const PlaneAddresses& w, int64_t at, float (&to)[8]) {
    const Bytes8 codes = load8(w.plane[0] + at / 128 * 32 + at % 32);
    const int field = static_cast<int>(at % 128) / 32;
    const float d = half_of(w.plane[1], at / 256);
    for (int i = 0; i < 8; ++i) {
        to[i] = d * (signed_byte(static_cast<uint32_t>(tq2_field(codes.word[i / 4], field)), i % 4) - 1.0f);
    }
}

}  // namespace kern::gpu
