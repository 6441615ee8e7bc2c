#include "ggml-like/graph_trace.h"

namespace tg {

uint64_t checksum_bytes(const void* data, size_t n_bytes, uint64_t seed) {
    const uint8_t* bytes = static_cast<const uint8_t*>(data);
    uint64_t hash = seed;
    for (size_t i = 0; i < n_bytes; ++i) hash = (hash ^ bytes[i]) * 1099511628211ull;
    return hash;
}

}  // namespace tg
