// Bit pictures of the block types that are read as floats, little-endian, exactly as they lie in a file.
// Weights may start at any address: copy a block out with memcpy, never cast a pointer to one of these.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kern {

inline constexpr int kQ8_0Block = 32;
inline constexpr int kQ4_0Block = 32;
inline constexpr int kQ6KBlock = 256;

// Q8_0, 32 weights in 34 bytes:   w[i] = d * q[i]
//   byte  0..1   d, a half
//   byte  2..33  q[0..31], signed bytes
struct BlockQ8_0 {
    uint16_t d;
    int8_t q[32];
};

// Q4_0, 32 weights in 18 bytes:   w = d * (code - 8), code 0..15
//   byte  0..1   d, a half
//                bits 7:4     bits 3:0
//   byte 2 + j   w[16 + j]    w[j]         j = 0..15
struct BlockQ4_0 {
    uint16_t d;
    uint8_t q[16];
};

// IQ2_S, 256 weights in 82 bytes, not ternary and no relative of I2_S. Eight weights i = 8g .. 8g + 7 are a group, 32 groups:
//   w[8g + j] = d * (0.5 + scale) * 0.25 * magnitude[j], negative where bit j of signs[g] is set
//   magnitudes   row qs[g] | high << 8 of a table of 1024 rows of eight (iq2s_grid.py), high at bits 2(g%4)+1:2(g%4) of qh[g / 4]
//   scale        0..15, in scales[g / 4]: the low four bits for g % 4 = 0, 1, the high ones for 2, 3
inline constexpr int kIq2SBlock = 256;
struct BlockIq2S {
    uint16_t d;
    uint8_t qs[32];
    uint8_t signs[32];
    uint8_t qh[8];
    uint8_t scales[8];
};
static_assert(sizeof(BlockIq2S) == 82 && offsetof(BlockIq2S, signs) == 34 && offsetof(BlockIq2S, qh) == 66 &&
              offsetof(BlockIq2S, scales) == 74);

// Eight bytes at once, the first lowest: rows of the table (8, 25 or 43), and 0 or 255 by sign bits.
struct Iq2STables {
    uint64_t magnitudes[1024];
    uint64_t signs[256];
};
extern constinit const Iq2STables kIq2STables;  // codec_iq2_s.cpp
// Q4_1, 32 weights in 20 bytes:   w = d * code + m, code 0..15, placed as in Q4_0; d and m are halves
inline constexpr int kQ4_1Block = 32;
struct BlockQ4_1 {
    uint16_t d;
    uint16_t m;
    uint8_t q[16];
};

// Q1_0, 128 weights in 18 bytes:  w[8j + i] = bit i of q[j] ? d : -d
inline constexpr int kQ1_0Block = 128;
struct BlockQ1_0 {
    uint16_t d;
    uint8_t q[16];
};

// Q2_0, 64 weights in 18 bytes; Prism's models store 128 in 34 under the same id:   w[4j + i] = d * (code - 1), codes
// 0..3 at bits 2i+1:2i of q[j]. Code 3 (+2 d) is a value like the others.
inline constexpr int kQ2_0Block = 64;
inline constexpr int kQ2_0G128Block = 128;
struct BlockQ2_0 {
    uint16_t d;
    uint8_t q[16];
};
struct BlockQ2_0G128 {
    uint16_t d;
    uint8_t q[32];
};

// Q6_K, 256 weights in 210 bytes: w = d * scales[i / 16] * (code - 32), code 0..63 = high two bits : low four bits.
// The block is two halves of 128 weights; half h uses ql + 64h, qh + 32h, scales + 8h. Within a half, l = 0..31:
//              bits 7:6       bits 5:4       bits 3:2       bits 1:0
//   qh[l]      hi of w[96+l]  hi of w[64+l]  hi of w[32+l]  hi of w[l]
//              bits 7:4       bits 3:0
//   ql[l]      lo of w[64+l]  lo of w[l]
//   ql[32+l]   lo of w[96+l]  lo of w[32+l]
// The half d comes last.
struct BlockQ6K {
    uint8_t ql[128];
    uint8_t qh[64];
    int8_t scales[16];
    uint16_t d;
};

static_assert(sizeof(BlockQ8_0) == 34 && offsetof(BlockQ8_0, q) == 2);
static_assert(sizeof(BlockQ4_0) == 18 && offsetof(BlockQ4_0, q) == 2);
static_assert(sizeof(BlockQ4_1) == 20 && offsetof(BlockQ4_1, q) == 4);
static_assert(sizeof(BlockQ1_0) == 18 && sizeof(BlockQ2_0) == 18 && sizeof(BlockQ2_0G128) == 34);
static_assert(sizeof(BlockQ6K) == 210 && offsetof(BlockQ6K, qh) == 128 && offsetof(BlockQ6K, scales) == 192 &&
              offsetof(BlockQ6K, d) == 208);

}  // namespace kern
