// The window is looked at backwards: a repetition that ends at the newest token is then a common beginning of two
// suffixes, which the Z algorithm finds for all places together in linear time.
#include "src/sampler/dry_history.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace bitnet {
namespace {

constexpr size_t kInitialCapacity = 256;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kLargest = std::numeric_limits<float>::max();

// base^exponent for base >= 1 by squaring: at most 40 roundings, the same ones everywhere; may be infinite, never NaN.
double power(double base, uint32_t exponent) noexcept {
    double result = 1;
    for (; exponent != 0; exponent >>= 1) {
        if ((exponent & 1) != 0) result *= base;
        base *= base;
    }
    return result;
}

}  // namespace

DryHistory::DryHistory(DryConfig config)
    : config_(std::move(config)), last_n_(config_.multiplier != 0 ? static_cast<size_t>(config_.last_n) : 0) {
    std::vector<bitnet_token>& breakers = config_.breakers;
    std::sort(breakers.begin(), breakers.end());
    breakers.erase(std::unique(breakers.begin(), breakers.end()), breakers.end());
}

void DryHistory::reserve_one() {
    if (ring_.size() >= last_n_ || ring_.size() < ring_.capacity()) return;
    const size_t capacity = std::min(std::max(2 * ring_.size(), kInitialCapacity), last_n_);
    reversed_.reserve(capacity);
    repeats_.reserve(capacity);
    ring_.reserve(capacity);
}

void DryHistory::add(bitnet_token token) noexcept {
    if (last_n_ == 0) return;
    if (ring_.size() < last_n_) {
        ring_.push_back(token);
    } else {
        ring_[oldest_] = token;
        oldest_ = (oldest_ + 1) % ring_.size();
    }
}

void DryHistory::clear() noexcept {
    ring_.clear();
    oldest_ = 0;
}

bool DryHistory::is_breaker(bitnet_token token) const noexcept {
    return std::binary_search(config_.breakers.begin(), config_.breakers.end(), token);
}

void DryHistory::reverse_window() {
    const auto oldest = ring_.begin() + static_cast<ptrdiff_t>(oldest_);
    reversed_.resize(ring_.size());
    const auto middle = std::reverse_copy(ring_.begin(), oldest, reversed_.begin());
    std::reverse_copy(oldest, ring_.end(), middle);
}

size_t DryHistory::unbroken_length() const noexcept {
    size_t length = 0;
    while (length < reversed_.size() && !is_breaker(reversed_[length])) ++length;
    return length;
}

void DryHistory::find_repeats() {
    const size_t n = reversed_.size();
    repeats_.assign(n, 0);
    // [left, right): the match found so far that reaches furthest; inside of it earlier results are known.
    size_t left = 0, right = 0;
    for (size_t i = 1; i < n; ++i) {
        size_t length = i < right ? std::min<size_t>(right - i, repeats_[i - left]) : 0;
        while (i + length < n && reversed_[length] == reversed_[i + length]) ++length;
        repeats_[i] = static_cast<uint32_t>(length);
        if (i + length > right) {
            left = i;
            right = i + length;
        }
    }
}

void DryHistory::apply(float* logits, size_t n_vocab) {
    if (last_n_ == 0) return;
    // At the first call, whatever the window holds: later ones need not allocate.
    if (longest_.size() < n_vocab) longest_.resize(n_vocab);
    if (ring_.empty()) return;
    reverse_window();
    const size_t unbroken = unbroken_length();
    const auto allowed = static_cast<size_t>(config_.allowed_length);
    if (unbroken < allowed) return;
    find_repeats();
    // A repetition at place i was followed by the token at i - 1. The longest one of each token counts.
    for (size_t i = 1; i < reversed_.size(); ++i) {
        const size_t length = std::min<size_t>(repeats_[i], unbroken);
        const auto token = static_cast<size_t>(reversed_[i - 1]);
        if (length < allowed || token >= n_vocab) continue;
        longest_[token] = std::max(longest_[token], static_cast<uint32_t>(length));
    }
    for (size_t i = 1; i < reversed_.size(); ++i) {
        const auto token = static_cast<size_t>(reversed_[i - 1]);
        if (token >= n_vocab || longest_[token] == 0) continue;
        const uint32_t beyond = longest_[token] - static_cast<uint32_t>(allowed);
        longest_[token] = 0;
        if (logits[token] == -kInfinity || is_breaker(reversed_[i - 1])) continue;
        const double penalty = static_cast<double>(config_.multiplier) * power(config_.base, beyond);
        const double weakened = static_cast<double>(logits[token]) - penalty;
        logits[token] = static_cast<float>(std::max<double>(weakened, -kLargest));
    }
}

}  // namespace bitnet
