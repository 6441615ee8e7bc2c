// The accepted tokens that the penalties look at: a window over the last n of them, or all, with a count per token that
// is kept up to date token by token, so that sampling never walks the window.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bitnet.h"

namespace bitnet {

struct TokenCount {
    bitnet_token token;
    int64_t count;
};

class TokenHistory {
public:
    // last_n: tokens that count; 0: none; -1: all of them (then only the counts are stored, at most one per token).
    explicit TokenHistory(int32_t last_n);

    // Makes room for one more token, so that the next add() cannot fail.
    void reserve_one();
    // Needs a reserve_one() before it.
    void add(bitnet_token token) noexcept;
    void clear() noexcept;

    // The distinct tokens of the window in rising order.
    const std::vector<TokenCount>& counts() const noexcept { return counts_; }

private:
    void count_up(bitnet_token token) noexcept;
    void count_down(bitnet_token token) noexcept;

    int32_t last_n_;
    std::vector<bitnet_token> ring_;  // grows up to last_n_ tokens; oldest_ is the next to leave
    size_t oldest_ = 0;
    std::vector<TokenCount> counts_;
};

}  // namespace bitnet
