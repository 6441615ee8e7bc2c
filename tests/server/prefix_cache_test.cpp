// The prefix cache as a table: longest prefix, tenants apart, what is redundant, what goes first.
#include "server/engine/prefix_cache.h"

#include <doctest/doctest.h>

using namespace serve;

namespace {

using Tokens = std::vector<bitnet_token>;
using Sequences = std::vector<bitnet_seq_id>;

}  // namespace

TEST_CASE("the prefix cache finds the sequence that has the most in common") {
    PrefixCache cache;
    CHECK(!cache.find("", Tokens{1, 2, 3, 4}));
    CHECK(cache.keep(0, "", {1, 2, 3, 4, 5}).empty());
    CHECK(cache.keep(1, "", {1, 2, 3, 4, 6, 7, 8}).empty());
    const auto hit = cache.find("", Tokens{1, 2, 3, 4, 6, 7, 9, 9});
    REQUIRE(hit);
    CHECK(hit->sequence == 1);
    CHECK(hit->n_tokens == 6);
    CHECK(!cache.find("", Tokens{1, 2, 3, 9}));  // too short to be worth it
    CHECK(!cache.find("", Tokens{}));
}

TEST_CASE("a tenant never finds another one's prefix, not even by the same tokens") {
    PrefixCache cache;
    cache.keep(0, "alice", {1, 2, 3, 4, 5});
    CHECK(!cache.find("bob", Tokens{1, 2, 3, 4, 5}));
    CHECK(!cache.find("", Tokens{1, 2, 3, 4, 5}));
    CHECK(!cache.find("alice2", Tokens{1, 2, 3, 4, 5}));
    // Nor does one that is kept make the other's redundant.
    CHECK(cache.keep(1, "bob", {1, 2, 3, 4, 5, 6}).empty());
    CHECK(cache.find("alice", Tokens{1, 2, 3, 4, 5})->sequence == 0);
    CHECK(cache.size() == 2);
}

TEST_CASE("a sequence that another one holds the beginning of is not kept twice") {
    PrefixCache cache;
    cache.keep(0, "", {1, 2, 3, 4, 5});
    CHECK(cache.keep(1, "", {1, 2, 3, 4, 5, 6}) == Sequences{0});
    CHECK(cache.keep(2, "", {1, 2, 3, 4}) == Sequences{2});
    CHECK(cache.keep(3, "", {1, 2, 3, 4, 5, 6}) == Sequences{3});
    CHECK(cache.keep(4, "", {1, 2}) == Sequences{4});
    CHECK(cache.keep(5, "", {}) == Sequences{5});
    CHECK(cache.size() == 1);
}

TEST_CASE("the prefix that was not used longest is evicted first") {
    PrefixCache cache;
    CHECK(cache.evict() == -1);
    cache.keep(0, "", {1, 1, 1, 1});
    cache.keep(1, "", {2, 2, 2, 2});
    cache.keep(2, "", {3, 3, 3, 3});
    CHECK(cache.find("", Tokens{1, 1, 1, 1}));
    CHECK(cache.evict() == 1);
    CHECK(cache.evict() == 2);
    CHECK(cache.evict() == 0);
    CHECK(cache.evict() == -1);
}
