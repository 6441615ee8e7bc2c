// Little-endian numbers in saved states, read and written byte by byte, and the size of what a cell holds.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

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

// The keys and the values of a layer. A cell's row travels head by head, each as it lies in memory: F16 words, little-endian on
// every platform this library builds for, or bytes of codes and F16 scales.
inline std::array<tg::CellRows, 2> kv_rows(const KvCache& cache, const tg::KvLayer& layer) {
    const KvShape& shape = cache.shape();
    const auto rows = [&](uint8_t* first, kern::KvType type) {
        return tg::CellRows{first, layer.n_cells, shape.n_head_kv, kern::kv_head_bytes(type, shape.head_dim),
                            layer.place};
    };
    return {{rows(layer.k, layer.k_type), rows(layer.v, layer.v_type)}};
}

// A token's keys and values in all layers. Every factor is bounded by hparams_read.cpp: below 2^35.
inline uint64_t kv_cell_bytes(const KvCache& cache) {
    return cache.layers().size() * static_cast<uint64_t>(cache.shape().k_bytes() + cache.shape().v_bytes());
}

// The types of keys and values in the highest bits of the word of a state that holds the low 28 bits of the row's width;
// F16 is 0, so states from before there were types are of F16.
constexpr int kKTypeShift = 28, kVTypeShift = 30;
constexpr uint32_t kWidthMask = (uint32_t{1} << kKTypeShift) - 1;

inline uint32_t kv_shape_word(const KvCache& cache) {
    return (static_cast<uint32_t>(cache.row_width()) & kWidthMask) |
           static_cast<uint32_t>(cache.shape().k_type) << kKTypeShift |
           static_cast<uint32_t>(cache.shape().v_type) << kVTypeShift;
}

// Why the keys and values of a state whose word this is do not fit the cache, as the end of a sentence that begins with the
// state; empty: they fit.
inline std::string kv_types_problem(const KvCache& cache, uint32_t word) {
    const uint32_t own = kv_shape_word(cache);
    if (((word ^ own) & ~kWidthMask) == 0) return {};
    const auto name = [](uint32_t type) {
        return type > static_cast<uint32_t>(kern::KvType::q4_0) ? "unknown"
                                                                : kv_type_name(static_cast<kern::KvType>(type));
    };
    const auto types = [&](uint32_t w) {
        return std::string(name(w >> kKTypeShift & 3)) + " keys and " + name(w >> kVTypeShift) + " values";
    };
    return "has " + types(word) + ", the context " + types(own);
}

}  // namespace bitnet
