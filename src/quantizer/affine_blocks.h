// int8 and int4: blocks of any length with one float scale each, kept apart from the codes, and for asymmetric ones a zero
// point. Encoders expect finite values and a count that is whole blocks.
#pragma once

#include <cstdint>

#include "src/quantizer/quant_format.h"

namespace bitnet {

enum class AffineProblem {
    none,
    range,      // max - min is no float
    zero_point  // it would lie outside of the codes
};

// codes: at the first byte of the blocks; zero_points: null where symmetric. block_index and zero_point of the problem are
// relative to src. Nothing is promised about the output after a problem.
struct AffineFault {
    AffineProblem problem = AffineProblem::none;
    int64_t block_index = 0;
    double zero_point = 0;
};
AffineFault encode_affine(const QuantFormat& format, const float* src, int64_t n, uint8_t* codes, float* scales,
                          uint8_t* zero_points);
void decode_affine(const QuantFormat& format, const uint8_t* codes, const float* scales, const uint8_t* zero_points,
                   int64_t n, float* dst);

}  // namespace bitnet
