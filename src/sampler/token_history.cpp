// A ring buffer beside a sorted vector. A window holds few distinct tokens, so moving the tail of a small sorted vector
// beats a hash table here, and its order is the same everywhere.
#include "src/sampler/token_history.h"

#include <algorithm>

namespace bitnet {
namespace {

// Memory taken at once; a longer window grows as tokens arrive, so penalty_last_n = 2^31-1 costs nothing by itself.
constexpr int32_t kInitialCapacity = 256;

bool token_less(const TokenCount& entry, bitnet_token token) { return entry.token < token; }

void reserve_more(auto& items) {
    if (items.size() == items.capacity()) items.reserve(std::max<size_t>(2 * items.size(), kInitialCapacity));
}

}  // namespace

TokenHistory::TokenHistory(int32_t last_n) : last_n_(last_n) {
    const int32_t capacity = last_n < 0 ? kInitialCapacity : std::min(last_n, kInitialCapacity);
    if (last_n > 0) ring_.reserve(static_cast<size_t>(capacity));
    counts_.reserve(static_cast<size_t>(capacity) + 1);
}

void TokenHistory::reserve_one() {
    if (last_n_ == 0) return;
    if (last_n_ > 0 && ring_.size() < static_cast<size_t>(last_n_)) reserve_more(ring_);
    reserve_more(counts_);
}

void TokenHistory::add(bitnet_token token) noexcept {
    if (last_n_ == 0) return;
    if (last_n_ > 0) {
        if (ring_.size() < static_cast<size_t>(last_n_)) {
            ring_.push_back(token);
        } else {
            count_down(ring_[oldest_]);
            ring_[oldest_] = token;
            oldest_ = (oldest_ + 1) % ring_.size();
        }
    }
    count_up(token);
}

void TokenHistory::clear() noexcept {
    ring_.clear();
    counts_.clear();
    oldest_ = 0;
}

void TokenHistory::count_up(bitnet_token token) noexcept {
    const auto at = std::lower_bound(counts_.begin(), counts_.end(), token, token_less);
    if (at != counts_.end() && at->token == token)
        ++at->count;
    else
        counts_.insert(at, TokenCount{token, 1});
}

void TokenHistory::count_down(bitnet_token token) noexcept {
    const auto at = std::lower_bound(counts_.begin(), counts_.end(), token, token_less);
    if (--at->count == 0) counts_.erase(at);
}

}  // namespace bitnet
