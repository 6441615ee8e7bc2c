// Floats to stored bytes and back for every type of the quantiser, in pieces of whole blocks, so that a tensor of any size
// needs no second copy. What concerns the tensor as a whole - is it ternary already, what is its scale, does it fit the
// type - is found first, by make_quant_plan.
#pragma once

#include <cstdint>

#include "src/quantizer/quant_format.h"

namespace bitnet {

struct QuantPlan {
    QuantFormat format;
    int64_t n_values;
    float low, high;  // smallest and largest value
    bool on_grid;     // ternary types: the values are {-s, 0, +s} over the tensor (i2_s) or each block (tq1_0, tq2_0)
    float scale;      // ternary types: s of the grid (i2_s; the largest one of tq types), or mean |x|
};
// Throws BITNET_E_QUANT_INPUT for a value that is NaN or infinite, BITNET_E_QUANT_OVERFLOW for values beyond the type.
QuantPlan make_quant_plan(const QuantFormat& format, const float* input, int64_t n_values);

// Where block 0 of a piece lies; scales and zero points only where the type has them apart from its codes.
struct QuantPiece {
    uint8_t* codes;
    float* scales;
    uint8_t* zero_points;
};
// The whole tensor's pointers. data has quant_shape's bytes; scales may be null where they are inside the bytes, too.
QuantPiece piece_of(const QuantFormat& format, int64_t n_values, void* data, float* scales);
// The piece that begins at value first, a multiple of the block.
QuantPiece piece_at(const QuantFormat& format, const QuantPiece& whole, int64_t first);

// Quantises n values (whole blocks). Returns whether a scale other than 0 was written, true for types without.
// Throws BITNET_E_QUANT_OVERFLOW, _SCALE, _ZERO_POINT.
bool encode_piece(const QuantPlan& plan, const float* src, int64_t n, const QuantPiece& out);
// Throws BITNET_E_QUANT_SCALE when values other than 0 got no scale at all.
void require_scales(const QuantPlan& plan, bool any_scale);
// tensor_scale: of i2_s; others ignore it.
void decode_piece(const QuantFormat& format, float tensor_scale, const QuantPiece& in, int64_t n, float* dst);

// Whole tensors. quantize_values also writes the tail of i2_s and, where scales is not null, its scale there.
void quantize_values(const QuantPlan& plan, const float* input, void* out, float* scales);
// The scale of i2_s, 1 for others; checks what comes from outside: BITNET_E_QUANT_INPUT, BITNET_E_QUANT_SCALE.
float check_quantized(const QuantFormat& format, const void* data, const float* scales, int64_t n_values);
void write_i2s_tail(const QuantFormat& format, int64_t n_values, float scale, void* data);

}  // namespace bitnet
