// What a tensor is for, by its name, and sums of bytes by that.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bitnet {

enum class TensorRole : uint8_t { attention, feed_forward, norm, embedding, output, other };
inline constexpr size_t kTensorRoleCount = 6;

// By the part behind "blk.N.": "attn_q.weight" and "attn_q.scale" are attention, "attn_norm.weight" is a norm.
TensorRole tensor_role(std::string_view name) noexcept;
// N of "blk.N.attn_q.weight"; 0 of the embedding, whose place is before the first layer; the largest number of what comes
// behind the last one.
int64_t tensor_layer(std::string_view name) noexcept;
// "attention", "feed_forward", ...; static storage.
const char* tensor_role_name(TensorRole role) noexcept;

struct BytesByRole {
    std::array<uint64_t, kTensorRoleCount> bytes{};

    uint64_t& operator[](TensorRole role) noexcept { return bytes[static_cast<size_t>(role)]; }
    uint64_t operator[](TensorRole role) const noexcept { return bytes[static_cast<size_t>(role)]; }
    uint64_t total() const noexcept {
        uint64_t sum = 0;
        for (const uint64_t n : bytes) sum += n;
        return sum;
    }
};

}  // namespace bitnet
