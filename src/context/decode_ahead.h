// Tokens of one sequence that were computed before anyone knew whether they come up: what Context::decode_ahead left.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "bitnet.h"

namespace bitnet {

struct DecodedAhead {
    static constexpr int32_t kMost = 16;  // tokens behind the one that is certain

    bitnet_seq_id id = -1;
    int32_t n = 0;     // tokens ahead
    int32_t next = 0;  // of them, the one that follows the sequence
    std::array<bitnet_token, kMost> tokens{};
    std::array<int32_t, kMost> cells{};  // which hold their keys and values although they are free
    uint64_t touched = 0;              // Context::touched() when they were right

    bool empty() const noexcept { return next >= n; }
    void clear() noexcept { n = next = 0; }
};

}  // namespace bitnet
