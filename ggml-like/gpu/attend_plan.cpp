#include "ggml-like/gpu/attend_plan.h"

#include "kernels/cuda/kernel_args.h"

namespace tg {
namespace {

using kern::gpu::kShareCells;

// Of one list in a row; fewer are served as if each were alone.
constexpr int32_t kLeastTogether = 16;
// Of all such in a step: tiles of fewer tokens are too few blocks for a device.
constexpr int32_t kLeastInTiles = 64;

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

int64_t AttendPlan::most_shares(int64_t n_alone, int64_t most_cells) {
    return std::min(n_alone * divide_up(most_cells, kShareCells), std::max(n_alone, kMostShares));
}

void AttendPlan::make(std::span<const int32_t> lists, std::span<const int32_t> n_cells, int32_t tile_tokens) {
    const auto n = static_cast<int32_t>(lists.size());
    const auto seen = [&](int32_t token) { return n_cells[static_cast<size_t>(token)]; };
    together_.clear();
    order_.clear();
    int32_t n_in_tiles = 0;
    for (int32_t first = 0, end = 0; first < n; first = end) {
        for (end = first; end < n && lists[static_cast<size_t>(end)] == lists[static_cast<size_t>(first)];) ++end;
        if (end - first < kLeastTogether) continue;
        together_.emplace_back(first, end);
        n_in_tiles += end - first;
    }
    if (n_in_tiles < kLeastInTiles) together_.clear();
    int32_t next = 0;
    for (const auto& [first, end] : together_) {
        for (; next < first; ++next) order_.push_back(next);
        next = end;
    }
    for (; next < n; ++next) order_.push_back(next);
    std::sort(order_.begin(), order_.end(),
              [&](int32_t a, int32_t b) { return seen(a) != seen(b) ? seen(a) > seen(b) : a < b; });

    tiles_.clear();
    for (const auto& [first, end] : together_) {
        for (int32_t t = first; t < end; t += tile_tokens)
            tiles_.insert(tiles_.end(), {t, std::min(tile_tokens, end - t)});
    }
    n_together_ = static_cast<int64_t>(tiles_.size() / 2);
    // Whole pairs, the later ones of a prompt first: they see more.
    for (int64_t i = 0, j = n_together_ - 1; i < j; ++i, --j) {
        std::swap_ranges(tiles_.begin() + 2 * i, tiles_.begin() + 2 * i + 2, tiles_.begin() + 2 * j);
    }
    n_alone_ = static_cast<int64_t>(order_.size());
    for (const int32_t token : order_) tiles_.insert(tiles_.end(), {token, 1});

    shares_.clear();
    if (n_alone_ < kFewTexts) return;
    int32_t share_cells = kShareCells;
    const auto count = [&] {
        int64_t sum = 0;
        for (const int32_t token : order_) sum += divide_up(seen(token), share_cells);
        return sum;
    };
    int64_t n_shares = count();
    for (; n_shares > std::max(n_alone_, kMostShares); n_shares = count()) share_cells *= 2;
    shares_.insert(shares_.end(), {static_cast<int32_t>(n_shares), share_cells});
    for (int64_t i = 0; i < n_alone_; ++i) {
        for (int32_t at = 0; at < seen(order_[static_cast<size_t>(i)]); at += share_cells) {
            shares_.insert(shares_.end(), {static_cast<int32_t>(n_together_ + i), at});
        }
    }
}

}  // namespace tg
