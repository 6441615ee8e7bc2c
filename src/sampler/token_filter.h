// Which tokens may come next, asked by the sampler before all of its steps; a grammar is one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bitnet.h"

namespace bitnet {

// One thread at a time. A call that throws leaves it as before.
class TokenFilter {
public:
    virtual ~TokenFilter() = default;
    // Bit i % 64 of word i / 64 is 1 where token i may come; tokens behind the words may not. At least one may. Lent until the
    // next call. Throws BITNET_E_STATE when no token may come, BITNET_E_SECURITY_EXHAUSTION when it takes too long to find out.
    virtual std::span<const uint64_t> allowed() = 0;
    // Throws BITNET_E_STATE for a token that may not come.
    virtual void accept(bitnet_token token) = 0;
    // Back to before the first accepted token.
    virtual void reset() noexcept = 0;
};

inline bool is_allowed(std::span<const uint64_t> allowed, size_t token) noexcept {
    return token / 64 < allowed.size() && (allowed[token / 64] >> (token % 64) & 1) != 0;
}

}  // namespace bitnet
