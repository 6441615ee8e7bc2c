// Unaligned little-endian numbers in byte buffers.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace bitnet {

// Weights are used in place where the file is mapped, and every file this library reads is little-endian.
static_assert(std::endian::native == std::endian::little, "this library runs on little-endian machines");

template <typename T>
T load_le(const uint8_t* bytes) noexcept {
    T value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
}

template <typename T>
void store_le(uint8_t* bytes, T value) noexcept {
    std::memcpy(bytes, &value, sizeof value);
}

}  // namespace bitnet
