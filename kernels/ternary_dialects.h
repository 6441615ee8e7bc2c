// Ternary types of other programs that are never multiplied as stored: TL1 and TL2 (bitnet.cpp's look-up tables), IQ1_BN,
// IQ2_BN and IQ2_BN_R4 (ik_llama.cpp), and I2_S whose rows are no whole blocks. At load they become I2_S codes, so one set
// of kernels serves every dialect at the same speed and gives the same bits. Codes are ternary_layouts.h's: the weight plus one.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/quant_types.h"
#include "kernels/ternary_layouts.h"

namespace kern {

// The tiles that the byte order of TL1 and TL2 depends on, in bitnet.cpp's words. No file records them.
struct TlTiling {
    int64_t bm_rows = 0;  // BM: rows of a tile
    int64_t bk = 0;       // BK: columns of a tile
    int64_t bm = 0;       // rows of a step within a tile; TL2: always 32
};

// TL1, M rows of K weights, a byte per 4: index = 3 w[k] + w[k+1] + 4 (0..8) for each pair of even k; with by = 256/bm,
// outermost first
//   [M/BM][K/BK][BM/bm][BK/by][bm/16][by/4] x 16 bytes, byte r = row r of 16, high nibble = the even pair, low = the odd
// then 32 bytes of tail that begin with the f32 scale of the tensor.   w = scale * weight
//
// TL2: t = 9 w[k] + 3 w[k+1] + w[k+2] for each triple of the first K3 = K / BK * BK columns: |t| (0..13) as an index, a
// bit for t < 0; then pairs as in TL1 for the rest K2. With rr = m % 32, G(rr) = {0,2,1,3}[rr/8] * 8 + rr % 8:
//   (a) M K3/6 bytes   [M/BM][K3/BK][BM/32][BK/6] x 32 bytes, byte G(rr): high nibble = even triple, low = odd
//   (b) M K3/24 bytes  [M/BM][K3/BK][BM/32][BK/24] x 16 u16, number rr % 16, bit 15 - (2 (q % 8) + rr / 16) for triple
//                      q of the tile, 8 triples each
//   (c) M K2/4 bytes   [M/BM][K2/32][BM/32][8] x 32 bytes, byte G(rr): high nibble = even pair, low = odd
// What tl2_code_bytes reserves is more than these take; the tail as above comes behind it.
inline constexpr int kTlTailBytes = 32;

// IQ2_BN, a row: f32 scale, then K/64 blocks of 16 bytes; byte j: w[j], w[j+16], w[j+32], w[j+48] from the low bits up.
// IQ2_BN_R4, four rows: four f32 scales, then K/64 blocks of 64 bytes; byte 16 l + 4 r + i of row r: w[16 l + i], + 4,
//            + 8, + 12 from the low bits up.
// IQ1_BN, a row: f16 scale, then K/64 blocks of 13 bytes. Byte 3 g + b: trits of w[16 g + 5 b .. + 4], the first the
//            least significant; byte 12: those of w[15], w[31], w[47], w[63]. A byte is ceil(v * 256 / 243) as in TQ1_0.
// I2_S whose K is no multiple of 128 (bitnet_b1_58-3B: 8640): bitnet.cpp packs the tensor as one row of M K weights, so a
// block holds the end of one row and the beginning of the next.
inline constexpr int kBnBlock = 64;
inline constexpr int kIq2BnBlockBytes = 16;
inline constexpr int kIq1BnBlockBytes = 13;

// Bytes that bitnet.cpp reserves for TL2 codes, by a formula that knows no tiles: all but 256 columns at 5 bits per 3
// weights, 256 columns at 2 bits, each division an integer one from left to right, rounded up to 32. False for k below
// 256 and on overflow.
bool tl2_code_bytes(uint64_t k, uint64_t n_rows, uint64_t* out);

struct DialectShape {
    QuantType type;
    int64_t k;
    int64_t n_rows;
    TlTiling tiling;  // of tl1 and tl2
};

// Why a shape cannot be repacked, as the end of a sentence that begins with the tensor ("has rows that are ..."), or null.
// Everything below needs null.
const char* dialect_problem(const DialectShape& shape);
// One scale per row, where others have one for the tensor.
bool dialect_has_row_scales(QuantType type);
// Its byte order depends on DialectShape::tiling.
bool dialect_is_tiled(QuantType type);
// Bytes of a row as dialect_to_i2s writes it.
inline int64_t dialect_code_bytes(const DialectShape& shape) { return i2s_padded(shape.k) / 4; }
// Rows may be repacked and encoded in pieces of a multiple of these.
int64_t dialect_row_step(const DialectShape& shape);

// Repacks rows [row_begin, row_end) of a whole tensor at `data` as I2_S codes (whole blocks, no tail), row_begin first,
// and their scales into row_scales, row_begin first, for types that have them. A row whose scale is 0 becomes zeros.
// Returns the first row with codes that mean no weight, or row_end; such codes count as weight 0.
int64_t dialect_to_i2s(const DialectShape& shape, const void* data, int64_t row_begin, int64_t row_end, void* codes,
                       float* row_scales);
// Where a row's scale lies in the tensor, of types that have row scales.
uint64_t dialect_row_scale_offset(const DialectShape& shape, int64_t row);
// The scale of a tensor without row scales.
float dialect_tensor_scale(const DialectShape& shape, const void* data);

// The other way: stores rows [row_begin, row_end), row_begin + i at src + i * k, of weights {-s, 0, s} (the sign counts,
// see kI2sZeroBelow) in a whole tensor whose bytes are 0 until then. scale: of the tensor, of every row of types with
// row scales; 0 there: each row's largest magnitude.
void dialect_encode(const DialectShape& shape, const float* src, int64_t row_begin, int64_t row_end, float scale,
                    void* data);

// The k weights of a row of I2_S codes in whole blocks, as floats.
void i2s_row_to_floats(const void* codes, float scale, int64_t k, float* dst);

// codec_tl.cpp, codec_bn.cpp: the parts of the above.
const char* tl_tiling_problem(const DialectShape& shape);
bool tl_codes_of_row(const DialectShape& shape, const uint8_t* data, int64_t row, void* i2s_row);
void tl_encode_row(const DialectShape& shape, const float* src, int64_t row, uint8_t* data);
bool bn_codes_of_row(const DialectShape& shape, const uint8_t* data, int64_t row, void* i2s_row, float* scale);
void bn_encode_row(const DialectShape& shape, const float* src, int64_t row, float scale, uint8_t* data);

// The code of a weight of {-s, 0, s}.
inline unsigned ternary_code(float w) { return w >= kI2sZeroBelow ? 2u : w <= -kI2sZeroBelow ? 0u : 1u; }

// Writes codes one after the other as a row of I2_S, and fills up the last block when it goes out of scope.
class I2sRowWriter {
public:
    explicit I2sRowWriter(void* row) : to_(static_cast<uint8_t*>(row)) {}
    ~I2sRowWriter() {
        while (n_ != 0) put(1);
    }
    I2sRowWriter(const I2sRowWriter&) = delete;
    I2sRowWriter& operator=(const I2sRowWriter&) = delete;
    void put(unsigned code) {
        block_[n_++] = static_cast<uint8_t>(code);
        if (n_ == 128) flush();
    }

private:
    void flush() {
        for (int p = 0; p < 32; ++p) {
            to_[p] = static_cast<uint8_t>(block_[p] << 6 | block_[32 + p] << 4 | block_[64 + p] << 2 | block_[96 + p]);
        }
        to_ += 32;
        n_ = 0;
    }

    uint8_t* to_;
    int n_ = 0;
    uint8_t block_[128];
};

}  // namespace kern
