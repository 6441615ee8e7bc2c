// Who is served together when a step attends: tokens in a row of one list of cells, as those of a prompt are, go through their cells in
// tiles; all others are texts of their own, each with its own length. Two lists that travel with a step's inputs say so, so that what
// was recorded for some texts serves them at any length.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tg {

class AttendPlan {
public:
    // Fewer texts have no list of shares: each has the same share of the blocks.
    static constexpr int64_t kFewTexts = 8;
    static constexpr int64_t kMostShares = 512;  // unless there are more texts

    // lists[t]: which list of cells token t reads; n_cells[t]: how many it sees.
    void make(std::span<const int32_t> lists, std::span<const int32_t> n_cells, int32_t tile_tokens);

    // Pairs (first token, tokens): first n_together tiles, then n_alone of one token. In each part those that see most come first, so
    // that none of them begins when all others end.
    std::span<const int32_t> tiles() const noexcept { return tiles_; }
    int64_t n_together() const noexcept { return n_together_; }
    int64_t n_alone() const noexcept { return n_alone_; }
    // What the tokens alone have to score, in shares of about the same size: how many shares, how many cells in each, then pairs (tile,
    // first place).
    std::span<const int32_t> shares() const noexcept { return shares_; }
    // No more shares for so many texts that see at most so many cells.
    static int64_t most_shares(int64_t n_alone, int64_t most_cells);

    // Numbers that tiles and shares of so many tokens take at most.
    static size_t most_tile_numbers(size_t n_tokens) { return 2 * n_tokens; }
    static size_t most_share_numbers(size_t n_tokens) {
        return n_tokens < kFewTexts ? 0 : 2 + 2 * std::max<size_t>(n_tokens, kMostShares);
    }

private:
    std::vector<int32_t> tiles_, shares_, order_;
    std::vector<std::pair<int32_t, int32_t>> together_;  // tokens [first, end)
    int64_t n_together_ = 0, n_alone_ = 0;
};

}  // namespace tg
