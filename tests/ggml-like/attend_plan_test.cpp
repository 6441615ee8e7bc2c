// Who attends together: prompts in tiles, everybody else alone, those that see most first, and shares of work that cover every cell
// once.
#include "ggml-like/gpu/attend_plan.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <vector>

using tg::AttendPlan;

namespace {

struct Tokens {
    std::vector<int32_t> lists, n_cells;

    void prompt(int32_t list, int32_t n, int32_t n_before) {
        for (int32_t t = 0; t < n; ++t) {
            lists.push_back(list);
            n_cells.push_back(n_before + t + 1);
        }
    }
    void text(int32_t list, int32_t cells) { prompt(list, 1, cells - 1); }
};

// How often each token is served, and that nobody who sees more comes later in its part.
std::vector<int> served(const AttendPlan& plan, const Tokens& tokens, int32_t tile_tokens) {
    std::vector<int> count(tokens.lists.size());
    CHECK(plan.tiles().size() == static_cast<size_t>(2 * (plan.n_together() + plan.n_alone())));
    for (int64_t i = 0; i < plan.n_together() + plan.n_alone(); ++i) {
        const auto at = static_cast<size_t>(2 * i);
        const int32_t first = plan.tiles()[at], n = plan.tiles()[at + 1];
        CHECK((i < plan.n_together() ? n >= 1 && n <= tile_tokens : n == 1));
        for (int32_t t = first; t < first + n; ++t) {
            ++count[static_cast<size_t>(t)];
            CHECK(tokens.lists[static_cast<size_t>(t)] == tokens.lists[static_cast<size_t>(first)]);
        }
        if (i <= plan.n_together()) continue;
        const auto seen = [&](size_t j) { return tokens.n_cells[static_cast<size_t>(plan.tiles()[j])]; };
        CHECK(seen(at - 2) >= seen(at));
    }
    return count;
}

}  // namespace

TEST_CASE("each token of a step attends once: prompts in tiles, others alone") {
    Tokens tokens;
    for (int32_t i = 0; i < 20; ++i) tokens.text(i, 1 + i * 71 % 400);
    tokens.prompt(100, 50, 7);
    tokens.text(101, 9);
    tokens.prompt(102, 15, 0);  // too few to be tiles
    tokens.prompt(103, 20, 900);
    AttendPlan plan;
    for (int again = 0; again < 2; ++again) {
        plan.make(tokens.lists, tokens.n_cells, 8);
        CHECK(served(plan, tokens, 8) == std::vector<int>(tokens.lists.size(), 1));
        CHECK(plan.n_together() == 7 + 3);
        CHECK(plan.n_alone() == 20 + 1 + 15);
    }
    CHECK(plan.tiles()[0] == 20 + 50 + 1 + 15 + 16);  // the end of the last prompt sees most
}

TEST_CASE("a short prompt, alone or beside texts, is served token by token") {
    Tokens tokens;
    tokens.prompt(0, 63, 0);
    AttendPlan plan;
    plan.make(tokens.lists, tokens.n_cells, 8);
    CHECK(plan.n_together() == 0);
    CHECK(plan.n_alone() == 63);
    tokens.prompt(0, 1, 63);
    plan.make(tokens.lists, tokens.n_cells, 8);
    CHECK(plan.n_together() == 8);
    CHECK(plan.n_alone() == 0);
    CHECK(plan.shares().empty());
}

TEST_CASE("shares cover the cells of every text once, are of one size, and no more than a recorded step allows for") {
    for (const int32_t n_texts : {1, 7, 8, 64, 600}) {
        for (const int32_t longest : {1, 128, 129, 5000, 100000}) {
            CAPTURE(n_texts);
            CAPTURE(longest);
            Tokens tokens;
            for (int32_t i = 0; i < n_texts; ++i) tokens.text(i, 1 + static_cast<int32_t>(int64_t{i} * 7919 % longest));
            tokens.n_cells[static_cast<size_t>(n_texts / 2)] = longest;
            AttendPlan plan;
            plan.make(tokens.lists, tokens.n_cells, 8);
            CHECK(plan.shares().size() <= AttendPlan::most_share_numbers(static_cast<size_t>(n_texts)));
            if (n_texts < AttendPlan::kFewTexts) {
                CHECK(plan.shares().empty());
                continue;
            }
            const int32_t n_shares = plan.shares()[0], cells = plan.shares()[1];
            CHECK(plan.shares().size() == static_cast<size_t>(2 + 2 * n_shares));
            CHECK(n_shares <= AttendPlan::most_shares(n_texts, longest));
            CHECK(cells % 128 == 0);
            std::map<int32_t, int64_t> covered;  // by tile: places are in order
            for (int32_t i = 0; i < n_shares; ++i) {
                const auto at = static_cast<size_t>(2 + 2 * i);
                const int32_t tile = plan.shares()[at], first = plan.shares()[at + 1];
                CHECK(covered[tile] == first);
                covered[tile] += cells;
            }
            CHECK(covered.size() == static_cast<size_t>(n_texts));
            for (const auto& [tile, n] : covered) {
                const int32_t seen = tokens.n_cells[static_cast<size_t>(plan.tiles()[static_cast<size_t>(2 * tile)])];
                CHECK(n >= seen);
                CHECK(n - cells < seen);
            }
        }
    }
}
