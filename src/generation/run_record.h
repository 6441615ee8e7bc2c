// What a generation writes down while it runs, for its receipt: the tokens that were drawn, the logits they were drawn from
// and the kernels that computed those.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "bitnet.h"
#include "src/base/sha256.h"
#include "src/context/kernel_log.h"

namespace bitnet {

struct RunRecord {
    std::chrono::system_clock::time_point begin = std::chrono::system_clock::now();
    int32_t n_threads = 0;
    std::vector<bitnet_token> drawn;   // the token that ended the text included
    std::vector<Sha256Digest> logits;  // of the bytes of the floats that drawn[i] was drawn from
    KernelLog kernels;
};

// Of floats as the platform holds them: little-endian, as this library requires.
inline Sha256Digest logits_digest(const float* logits, size_t n) {
    Sha256 hash;
    hash.add(logits, n * sizeof(float));
    return hash.finish();
}

}  // namespace bitnet
