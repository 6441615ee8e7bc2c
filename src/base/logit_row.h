// The logits of one output: of all tokens, or of those that can matter to whoever asked for them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace bitnet {

struct LogitRow {
    const float* logits = nullptr;  // [n]
    size_t n = 0;
    const int32_t* tokens =
        nullptr;  // [n], rising: whose they are, all others being -infinity; null: token i's is logits[i]
    size_t n_vocab = 0;

    LogitRow() = default;
    LogitRow(const float* all, size_t n_all) : logits(all), n(n_all), n_vocab(n_all) {}
    LogitRow(const float* some, const int32_t* of, size_t n_some, size_t n_all)
        : logits(some), n(n_some), tokens(of), n_vocab(n_all) {}

    int32_t token(size_t i) const noexcept { return tokens != nullptr ? tokens[i] : static_cast<int32_t>(i); }
    // Where the token's logit is, n where it has none here.
    size_t find(int32_t token) const noexcept {
        if (tokens == nullptr) return token >= 0 && static_cast<size_t>(token) < n ? static_cast<size_t>(token) : n;
        const int32_t* at = std::lower_bound(tokens, tokens + n, token);
        return at != tokens + n && *at == token ? static_cast<size_t>(at - tokens) : n;
    }
};

}  // namespace bitnet
