// Counters of one context, in the shape of bitnet_metrics. Touched by the decoding thread only.
#pragma once

#include <cstdint>

namespace bitnet {

struct Metrics {
    uint64_t prefill_us = 0;
    uint64_t prefill_tokens = 0;
    uint64_t decode_us = 0;
    uint64_t decode_tokens = 0;
    uint64_t n_decodes = 0;
};

}  // namespace bitnet
