// Tokens of one sequence that are computed before anyone knows whether they come up: Context::decode_ahead is given them and
// leaves here what Context::follow_ahead needs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "bitnet.h"

namespace bitnet {

struct DecodedAhead {
    static constexpr int32_t kMost = 16;  // tokens behind the one that is certain

    // What to decode behind the end of the sequence.
    bitnet_seq_id id = -1;
    int32_t n = 0;
    std::array<bitnet_token, kMost> tokens{};
    // What came of it.
    int32_t next = 0;  // of the tokens, the one that follows the sequence now
    int32_t row = 0;   // of the context's outputs, where those of the first token are; the others' follow
    std::array<int32_t, kMost> cells{};  // which hold their keys and values although they are free
    uint64_t touched = 0;                // what counts changes of the context, when all this was right; 0: not yet

    bool empty() const noexcept { return next >= n; }
    void clear() noexcept {
        n = next = 0;
        touched = 0;
    }
};

}  // namespace bitnet
