// Activations of the ternary kernels: every column (token) quantised to int8 with one scale, plus the sums a kernel
// needs because weight codes are 0..2 and not -1..1:  sum((code - 1) * q) = sum(code * q) - sum(q).
// One column, all of it 64-byte aligned, one after the other in memory:
//   ActColumn header          64 bytes
//   q                         k bytes, zero-padded to a multiple of 256, in one of two orders
//   int32 block_sums          one per 256 of q, zero-padded to a multiple of 64 bytes
// "i8" keeps q in the order of k. "i8x64" swaps 32-byte pieces within every 256 so that a kernel that loads 64 packed
// bytes (codes of weights 0..127 in the first 32 bytes, 128..255 in the second) meets one 64-byte piece a code field:
//   piece       0       1        2        3        4        5         6        7
//   i8          0..31   32..63   64..95   96..127  128..159 160..191  192..223 224..255
//   i8x64       0..31   128..159 32..63   160..191 64..95   192..223  96..127  224..255
// Groups of four neighbouring values stay together in both.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/mul_mat_kernel.h"

namespace kern {

inline constexpr int kActBlock = 256;
inline constexpr int kActPiece = 32;

struct ActColumn {
    float act_scale;  // q = x * act_scale, rounded; an infinite x makes it 0, and the outputs NaN
    int32_t sum;      // of q
    uint8_t unused[56];
};
static_assert(sizeof(ActColumn) == 64);

// Offsets of a column with k values. static: a file built for AVX must not lend its copy to the rest of the program.
static constexpr int64_t act_block_count(int64_t k) { return (k + kActBlock - 1) / kActBlock; }
static constexpr int64_t act_values_offset() { return static_cast<int64_t>(sizeof(ActColumn)); }
static constexpr int64_t act_sums_offset(int64_t k) { return act_values_offset() + act_block_count(k) * kActBlock; }
static constexpr int64_t act_column_bytes(int64_t k) {
    return act_sums_offset(k) + (act_block_count(k) * 4 + 63) / 64 * 64;
}

// The same columns, made by the quantiser of each level; all of them give the same bits.
extern constinit const ActFormat act_i8_scalar;
#if defined(__x86_64__)
extern constinit const ActFormat act_i8_avx2;
extern constinit const ActFormat act_i8x64_avx512;
#elif defined(__aarch64__)
extern constinit const ActFormat act_i8_neon;
#endif

// What every pack does around its level's quantiser: columns [col_begin, col_end) of x go to dst. finish(q, n_blocks,
// sums) fills the block sums and may reorder q.
using QuantizeI8 = float (*)(const float* x, int64_t n, int8_t* q, int32_t* sum);
using FinishColumn = void (*)(int8_t* q, int64_t n_blocks, int32_t* block_sums);
void act_pack_columns(QuantizeI8 quantize, FinishColumn finish, const float* x, int64_t x_stride, int64_t k,
                      int64_t col_begin, int64_t col_end, void* dst);
// The same around columns that are codes already (ActFormat::pack_codes).
void act_pack_codes(FinishColumn finish, const int8_t* q, int64_t q_stride, const float* scales, int64_t k,
                    int64_t col_begin, int64_t col_end, void* dst);
size_t act_bytes(int64_t k, int64_t n_cols);

}  // namespace kern
