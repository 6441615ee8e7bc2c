// Little-endian numbers in saved states, read and written byte by byte, and the size of what a cell holds.
#pragma once

#include <cstddef>
#include <cstdint>

#include "src/context/kv_cache.h"

namespace bitnet {

template <typename T>
void put_le(uint8_t*& to, T value) {
    for (size_t i = 0; i < sizeof value; ++i) *to++ = static_cast<uint8_t>(static_cast<uint64_t>(value) >> (8 * i));
}

template <typename T>
T get_le(const uint8_t*& from) {
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(T); ++i) value |= static_cast<uint64_t>(*from++) << (8 * i);
    return static_cast<T>(value);
}

// Rows travel as they lie in memory: F16 words, little-endian on every platform this library builds for.
inline size_t kv_row_bytes(const KvCache& cache) { return static_cast<size_t>(cache.row_width()) * sizeof(uint16_t); }

// A token's keys and values in all layers. Every factor is bounded by hparams_read.cpp: below 2^35.
inline uint64_t kv_cell_bytes(const KvCache& cache) {
    return 2 * cache.layers().size() * uint64_t{kv_row_bytes(cache)};
}

}  // namespace bitnet
