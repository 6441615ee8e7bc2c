#include "src/generation/draft_lookup.h"

#include <algorithm>
#include <bit>

namespace bitnet {
namespace {

// Multiplication by an odd constant (2^64 over the golden ratio) mixes into the high bits, which slot() takes.
uint64_t mix(uint64_t hash, bitnet_token token) noexcept {
    return (hash ^ (static_cast<uint64_t>(static_cast<uint32_t>(token)) + 1)) * 0x9E3779B97F4A7C15u;
}

}  // namespace

DraftLookup::DraftLookup(size_t n_most) : n_most_(n_most) {
    tokens_.reserve(n_most);
    const size_t n_slots = std::bit_ceil(std::clamp<size_t>(2 * std::min(n_most, kMostSlots), 1024, kMostSlots));
    mask_ = n_slots - 1;
    for (std::vector<uint32_t>& slots : follower_) slots.assign(n_slots, 0);
}

size_t DraftLookup::slot(size_t length, uint64_t hash) const noexcept {
    return static_cast<size_t>((hash + length) >> 40) & mask_;
}

// Whether the tokens before a are those before b.
bool DraftLookup::alike(size_t a, size_t b, size_t length) const noexcept {
    return a >= length &&
           std::equal(tokens_.begin() + static_cast<ptrdiff_t>(a - length), tokens_.begin() + static_cast<ptrdiff_t>(a),
                      tokens_.begin() + static_cast<ptrdiff_t>(b - length));
}

void DraftLookup::add(bitnet_token token) noexcept {
    const size_t n = tokens_.size();
    if (n >= n_most_) return;
    uint64_t hash = 0;
    for (size_t length = 1; length <= std::min(kLongest, n); ++length) {
        hash = mix(hash, tokens_[n - length]);
        if (length >= kShortest) follower_[length - kShortest][slot(length, hash)] = static_cast<uint32_t>(n);
    }
    tokens_.push_back(token);  // has its room
}

size_t DraftLookup::guess(std::span<bitnet_token> out) const noexcept {
    const size_t n = tokens_.size();
    size_t from = 0;
    uint64_t hash = 0;
    for (size_t length = 1; length <= std::min(kLongest, n); ++length) {
        hash = mix(hash, tokens_[n - length]);
        if (length < kShortest) continue;
        const size_t at = follower_[length - kShortest][slot(length, hash)];
        if (alike(at, n, length)) from = at;
    }
    if (from == 0) return 0;
    // Where the place is near the end, the guess repeats itself.
    for (size_t i = 0; i < out.size(); ++i) out[i] = from + i < n ? tokens_[from + i] : out[from + i - n];
    return out.size();
}

int32_t DraftLength::next() noexcept {
    if (pause_ == 0) return length_;
    --pause_;
    return 0;
}

void DraftLength::learn(int32_t n_guessed, int32_t n_right) noexcept {
    if (n_right > 0) {
        n_wrong_ = 0;
        length_ = std::min(most_, n_right == n_guessed ? 2 * std::max(length_, n_guessed) + 1 : n_right + 1);
        return;
    }
    length_ = 1;
    n_wrong_ = std::min(n_wrong_ + 1, 8);
    pause_ = n_wrong_ < 2 ? 0 : std::min(kLongestPause, 1 << (n_wrong_ - 2));
}

}  // namespace bitnet
