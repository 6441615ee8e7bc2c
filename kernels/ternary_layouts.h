// Bit pictures of the ternary types I2_S, TQ2_0 and TQ1_0, and the operations on whole packed tensors a loader needs.
// A code is the weight plus one: 0, 1, 2 = -1, 0, +1. Code 3 is never written; where a file has it unchecked, every
// decoder and kernel of ours reads it as +2, so that nothing depends on which kernel runs.
// Only declarations and constants live here: files built for wide instruction sets include this header.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kern {

// I2_S ("128/32"): 128 weights in 32 bytes; the blocks run over the flattened tensor, rows are multiples of 128.
//             bits 7:6    bits 5:4    bits 3:2    bits 1:0
//   byte p:   w[p]        w[32+p]     w[64+p]     w[96+p]        p = 0..31
// After the whole tensor 32 bytes of tail: one f32 scale, then 28 bytes without meaning.   w = scale * (code - 1)
inline constexpr int kI2sBlock = 128;
inline constexpr int kI2sBlockBytes = 32;
inline constexpr int kI2sTailBytes = 32;
// Weights of a row as kernels read it: whole blocks, what lies behind the row is code 1. Rows of files that are no whole
// blocks (see ternary_dialects.h) become such rows at load.
constexpr int64_t i2s_padded(int64_t k) { return (k + kI2sBlock - 1) / kI2sBlock * kI2sBlock; }
// The same on files written by an ARM build of bitnet.cpp ("64/16"): 64 weights in 16 bytes, p = 0..15:
//             bits 7:6    bits 5:4    bits 3:2    bits 1:0
//   byte p:   w[p]        w[16+p]     w[32+p]     w[48+p]
// No file says which of the two it is; i2s_repack_arm_order makes the first out of the second.

// A weight below this magnitude becomes code 1 when floats are encoded as I2_S.
inline constexpr float kI2sZeroBelow = 1e-6f;

// TQ2_0: 256 weights in 66 bytes, two halves h of 128; the half-precision scale d comes last.   w = d * (code - 1)
//                  bits 7:6        bits 5:4        bits 3:2        bits 1:0
//   byte 32h + m:  w[128h+96+m]    w[128h+64+m]    w[128h+32+m]    w[128h+m]      m = 0..31
inline constexpr int kTqBlock = 256;
struct BlockTq2_0 {
    uint8_t qs[64];
    uint16_t d;
};

// TQ1_0: 256 weights in 54 bytes, five trits a byte.   w = d * (trit - 1)
//   qs[m],    m = 0..31:  w[m], w[32+m], w[64+m], w[96+m], w[128+m]
//   qs[32+m], m = 0..15:  w[160+m], w[176+m], w[192+m], w[208+m], w[224+m]
//   qh[j],    j = 0..3:   w[240+j], w[244+j], w[248+j], w[252+j], and a zero trit
// The trits of a byte are the digits of v in base 3, the first weight the most significant; the byte is
// ceil(v * 256 / 243), so that v / 243 lies just below byte / 256 and multiplying by 3 pushes one digit out at the top:
//   trit n = ((byte * 3^n mod 256) * 3) >> 8
struct BlockTq1_0 {
    uint8_t qs[48];
    uint8_t qh[4];
    uint16_t d;
};

static_assert(sizeof(BlockTq2_0) == 66 && offsetof(BlockTq2_0, d) == 64);
static_assert(sizeof(BlockTq1_0) == 54 && offsetof(BlockTq1_0, qh) == 48 && offsetof(BlockTq1_0, d) == 52);

// False when one of the n bytes of packed two-bit codes holds a code 3.
bool ternary_codes_valid(const void* bytes, size_t n);
// The same for whole TQ blocks. A TQ1_0 byte decodes to trits whatever it is, but 13 of the 256 values (and 175 of the
// four-trit ones) come from no encoder: they mean a damaged or mislabelled file. The scales d are not looked at.
bool tq2_0_blocks_valid(const void* blocks, size_t n_blocks);
bool tq1_0_blocks_valid(const void* blocks, size_t n_blocks);

// Turns I2_S codes from the ARM order "64/16" into "128/32". n_weights is a multiple of 128. dst may equal src.
void i2s_repack_arm_order(const void* src, size_t n_weights, void* dst);
// Writes TQ1_0 blocks as TQ2_0 blocks with the same weights (lossless: same codes, same d). dst does not overlap src.
void tq1_0_repack_as_tq2_0(const void* src, size_t n_blocks, void* dst);

}  // namespace kern
