// Bit pictures of the classic block types Q8_0, Q4_0 and Q6_K, little-endian, exactly as they lie in a file.
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
static_assert(sizeof(BlockQ6K) == 210 && offsetof(BlockQ6K, qh) == 128 && offsetof(BlockQ6K, scales) == 192 &&
              offsetof(BlockQ6K, d) == 208);

}  // namespace kern
