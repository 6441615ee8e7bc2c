// The row a matrix kernel fills in. out = W x, W in its storage type, x either floats or one of the int8 activation
// formats. A kernel computes output rows [row_begin, row_end) for all columns; the caller owns threads and memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/quant_types.h"

namespace kern {

// How activations lie in memory for a kernel. Two kernels with the same format can share one packed copy.
struct ActFormat {
    const char* name;  // "f32", "i8"
    // Bytes for n_cols columns (tokens) of k values. 0 for "f32": the kernel reads the floats where they are.
    size_t (*bytes)(int64_t k, int64_t n_cols);
    // Packs columns [col_begin, col_end) out of n_cols into dst (64-byte aligned, bytes(k, n_cols) long).
    // x: column c begins at x + c * x_stride. Columns are independent, so threads may split them at any border that is
    // a multiple of col_tile. Null for "f32".
    void (*pack)(const float* x, int64_t x_stride, int64_t k, int64_t n_cols, int64_t col_begin, int64_t col_end,
                 void* dst);
    int64_t col_tile;
    // The same from columns that are int8 codes already, -127..127: column c at q + c * q_stride, of scale scales[c] (its
    // values are code / scale), or 1 where scales is null. Null for "f32".
    void (*pack_codes)(const int8_t* q, int64_t q_stride, const float* scales, int64_t k, int64_t col_begin,
                       int64_t col_end, void* dst) = nullptr;
};

struct MulMatArgs {
    const void* weights;    // this kernel's layout: packed by MulMatKernel::pack, or the file's when pack is null
    float weight_scale;     // I2_S: the tensor's scale; 1 for types with scales inside
    const void* acts;       // packed activations (ActFormat), or floats with act_stride
    int64_t act_stride;     // floats between columns; "f32" format only
    float* out;             // out[c * out_stride + r]
    int64_t out_stride;
    int64_t k;              // input width; ternary types: at most 4 Mi, so that int32 sums are exact
    int64_t n_rows;         // rows of the whole matrix
    int64_t n_cols;         // tokens
    int64_t row_begin;      // the part to compute; a multiple of row_tile
    int64_t row_end;        // likewise, or n_rows
};

// How an I2_S matrix lies in memory once it is loaded. None of these is a type that a file can have; pictures of all but
// the first are in packed_layouts.h. Other types know `stored` only.
enum class WeightLayout : uint8_t {
    stored,  // as in the file, or in a form of its own that the kernel of the type has
    t5,      // five weights in a byte
    tl1,     // pairs of weights look their sum up
    tl2      // triples of weights do
};
inline constexpr int kWeightLayoutCount = 4;

struct MulMatKernel {
    const char* name;       // "i2s_avx2"
    const char* level;      // "avx2": what forcing this level selects
    QuantType type;         // of the file
    uint64_t needs;         // CPU feature bits
    bool exact;             // same bits as the scalar reference, always
    const ActFormat* act;
    int64_t row_tile;       // threads split rows at multiples of this
    // Null: weights are used in place. Else the size of, and the conversion into, this kernel's own layout; rows
    // [row_begin, row_end), multiples of row_tile, may be packed in parallel.
    size_t (*packed_bytes)(int64_t n_rows, int64_t k);
    void (*pack)(const void* file_weights, int64_t n_rows, int64_t k, int64_t row_begin, int64_t row_end, void* packed);
    void (*run)(const MulMatArgs& args);  // any n_cols >= 1
    WeightLayout layout = WeightLayout::stored;  // that pack makes
};

}  // namespace kern
