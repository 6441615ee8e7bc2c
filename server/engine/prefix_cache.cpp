// A list and a walk over it: there are a few dozen sequences, and two texts differ early or share what makes up for the look.
#include "server/engine/prefix_cache.h"

#include <algorithm>

namespace serve {

size_t common_prefix(std::span<const bitnet_token> a, std::span<const bitnet_token> b) {
    const size_t n = std::min(a.size(), b.size());
    return static_cast<size_t>(std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(n), b.begin()).first -
                               a.begin());
}

std::optional<PrefixCache::Hit> PrefixCache::find(const std::string& tenant, std::span<const bitnet_token> tokens) {
    auto best = entries_.end();
    size_t n_best = kLeastTokens - 1;
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
        if (entry->tenant != tenant) continue;
        const size_t n = common_prefix(entry->tokens, tokens);
        if (n <= n_best) continue;
        n_best = n;
        best = entry;
    }
    if (best == entries_.end()) return std::nullopt;
    entries_.splice(entries_.begin(), entries_, best);
    return Hit{best->sequence, n_best};
}

std::vector<bitnet_seq_id> PrefixCache::keep(bitnet_seq_id sequence, std::string tenant,
                                             std::vector<bitnet_token> tokens) {
    std::vector<bitnet_seq_id> freed;
    for (auto entry = entries_.begin(); entry != entries_.end();) {
        const size_t n = entry->tenant == tenant ? common_prefix(entry->tokens, tokens) : 0;
        if (n > 0 && n == tokens.size()) {
            entries_.splice(entries_.begin(), entries_, entry);
            freed.push_back(sequence);
            return freed;
        }
        if (n > 0 && n == entry->tokens.size()) {
            freed.push_back(entry->sequence);
            entry = entries_.erase(entry);
        } else {
            ++entry;
        }
    }
    if (tokens.size() < kLeastTokens)
        freed.push_back(sequence);
    else
        entries_.push_front({sequence, std::move(tenant), std::move(tokens)});
    return freed;
}

bitnet_seq_id PrefixCache::evict() {
    if (entries_.empty()) return -1;
    const bitnet_seq_id sequence = entries_.back().sequence;
    entries_.pop_back();
    return sequence;
}

}  // namespace serve
