// The window of accepted tokens against a plain recount of the last n.
#include "src/sampler/token_history.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "src/sampler/rng.h"

using bitnet::TokenHistory;

namespace {

void add(TokenHistory& history, bitnet_token token) {
    history.reserve_one();
    history.add(token);
}

std::map<bitnet_token, int64_t> as_map(const TokenHistory& history) {
    std::map<bitnet_token, int64_t> counts;
    bitnet_token last = -1;
    for (const bitnet::TokenCount& entry : history.counts()) {
        CHECK(entry.token > last);  // sorted, no repeats
        CHECK(entry.count > 0);
        last = entry.token;
        counts[entry.token] = entry.count;
    }
    return counts;
}

}  // namespace

TEST_CASE("the counts are those of the last n accepted tokens") {
    for (const int32_t last_n : {1, 2, 3, 64, 255, 256, 257, 1000}) {
        CAPTURE(last_n);
        TokenHistory history(last_n);
        std::vector<bitnet_token> all;
        bitnet::Pcg32 rng(static_cast<uint64_t>(last_n));
        for (int i = 0; i < 1500; ++i) {
            const auto token = static_cast<bitnet_token>(rng.next_u32() % 97);
            all.push_back(token);
            add(history, token);
            if (i % 37 != 0) continue;
            std::map<bitnet_token, int64_t> expected;
            const size_t window = std::min(all.size(), static_cast<size_t>(last_n));
            for (size_t k = all.size() - window; k < all.size(); ++k) ++expected[all[k]];
            REQUIRE(as_map(history) == expected);
        }
    }
}

TEST_CASE("a window of -1 counts everything ever accepted") {
    TokenHistory history(-1);
    for (int i = 0; i < 5000; ++i) add(history, i % 10);
    const auto counts = as_map(history);
    CHECK(counts.size() == 10);
    for (const auto& [token, count] : counts) CHECK(count == 500);
}

TEST_CASE("a window of 0 remembers nothing") {
    TokenHistory history(0);
    add(history, 5);
    CHECK(history.counts().empty());
}

TEST_CASE("the largest window takes no memory before tokens arrive, and the largest id is a token like others") {
    TokenHistory history(2147483647);
    add(history, 2147483647);
    add(history, 0);
    CHECK(as_map(history) == std::map<bitnet_token, int64_t>{{0, 1}, {2147483647, 1}});
}

TEST_CASE("clearing starts a new window") {
    TokenHistory history(3);
    for (const bitnet_token token : {1, 2, 3, 4}) add(history, token);
    history.clear();
    CHECK(history.counts().empty());
    for (const bitnet_token token : {7, 7, 8, 9}) add(history, token);
    CHECK(as_map(history) == std::map<bitnet_token, int64_t>{{7, 1}, {8, 1}, {9, 1}});
}
