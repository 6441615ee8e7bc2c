// What quantising loses, in the envelopes of the specification's accuracy section as they can hold: tensors on the ternary
// grid come back exactly but for the rounding of scales; of any other tensor the loss is told.
#pragma once

#include <cstdint>

#include "src/quantizer/quant_codec.h"

namespace bitnet {

struct QuantAccuracy {
    bool on_grid = false;
    bool within = true;  // on the grid: as the envelope asks
    bool codes_equal = true;
    int64_t n_values = 0;
    double mse = 0;
    double max_abs_error = 0;
    double cosine = 1;
    double accuracy = 100;  // percent
};

// Quantises and dequantises piece by piece; throws as encode_piece and require_scales.
QuantAccuracy measure_accuracy(const QuantPlan& plan, const float* input);
// The same for bytes that were made from input.
QuantAccuracy measure_accuracy(const QuantPlan& plan, const float* input, const void* data, const float* scales);
// Throws BITNET_E_QUANT_ACCURACY below the minimum, a percentage.
void require_accuracy(const QuantPlan& plan, const QuantAccuracy& accuracy, double minimum);

}  // namespace bitnet
