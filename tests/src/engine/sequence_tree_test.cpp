// The tree of sequences against plain lists: whatever is done, contents and the count of free cells must be what the lists
// say, and nothing may cost more than it promises.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "kernels/cpu/kernel_select.h"
#include "src/base/error.h"
#include "src/context/batch_split.h"
#include "src/context/kv_cache.h"
#include "tests/support/kernel_cases.h"

namespace {

using bitnet::SavedTree;
using bitnet::SequenceTree;

// One token: the number of the append that made it says which cell it must lie in.
struct Item {
    bitnet_pos position;
    int content;
    bool operator==(const Item&) const = default;
};
using Plain = std::vector<Item>;

bool in_range(bitnet_pos p, bitnet_pos p0, bitnet_pos p1) { return p >= (p0 < 0 ? 0 : p0) && (p1 < 0 || p < p1); }

Plain without(Plain list, bitnet_pos p0, bitnet_pos p1) {
    std::erase_if(list, [&](const Item& item) { return in_range(item.position, p0, p1); });
    return list;
}

Plain only(Plain list, bitnet_pos p0, bitnet_pos p1) {
    std::erase_if(list, [&](const Item& item) { return !in_range(item.position, p0, p1); });
    return list;
}

// A cache, a batch splitter and the lists that say what they should hold.
struct Pair {
    Pair(int cells, int seqs) : n_cells(cells), plain(static_cast<size_t>(seqs)) {
        kern::KernelSet kernels;
        kern::select_kernels("", &kernels);
        backend = tg::make_cpu_backend(*kernels.vec, 1, 16, 1);
        cache.emplace(*backend, bitnet::KvShape{1, 1, 1}, cells, seqs);
        split.emplace(8, 8, cells, seqs);
    }
    int n_seq() const { return static_cast<int>(plain.size()); }
    Plain& list(bitnet_seq_id id) { return plain[static_cast<size_t>(id)]; }

    std::set<int> contents() const {
        std::set<int> found;
        for (const Plain& p : plain) {
            for (const Item& item : p) found.insert(item.content);
        }
        return found;
    }
    // Differences between the cache and the lists.
    int check() const {
        int wrong = 0;
        std::map<int32_t, int> content_of;  // cell -> content
        for (bitnet_seq_id id = 0; id < n_seq(); ++id) {
            const Plain& expected = plain[static_cast<size_t>(id)];
            const std::vector<SequenceTree::Entry> entries = cache->entries(id);
            wrong += entries.size() != expected.size() || cache->size(id) != static_cast<int32_t>(expected.size());
            wrong += cache->end(id) != (expected.empty() ? 0 : expected.back().position + 1);
            for (size_t i = 0; i < std::min(entries.size(), expected.size()); ++i) {
                wrong += entries[i].position != expected[i].position || entries[i].token != expected[i].content;
                const auto [at, is_new] = content_of.emplace(entries[i].cell, expected[i].content);
                wrong += !is_new && at->second != expected[i].content;  // a cell that two tokens think theirs
            }
        }
        wrong += cache->n_free() != n_cells - static_cast<int>(contents().size());
        wrong += content_of.size() != contents().size();
        return wrong;
    }

    int n_cells;
    std::vector<Plain> plain;
    std::unique_ptr<tg::Backend> backend;
    std::optional<bitnet::KvCache> cache;
    std::optional<bitnet::BatchSplit> split;
    int next_content = 0;
};

// Reserves a random batch; a bad one, and one that is undone, must change nothing.
void run_batch(Pair& pair, test::Random& random) {
    std::vector<bitnet_token> tokens;
    std::vector<bitnet_seq_id> ids;
    std::vector<Plain> after = pair.plain;
    int content = pair.next_content;
    for (int i = 1 + random.below(6); i-- > 0;) {
        tokens.push_back(content);
        ids.push_back(random.below(pair.n_seq()));
        Plain& list = after[static_cast<size_t>(ids.back())];
        list.push_back({list.empty() ? 0 : list.back().position + 1, content++});
    }
    std::vector<bitnet_pos> positions;
    const bool bad = random.below(4) == 0;  // the last position is wrong, everything before it was reserved by then
    if (bad) {
        std::vector<Plain> so_far = pair.plain;
        for (const bitnet_seq_id id : ids) {
            Plain& list = so_far[static_cast<size_t>(id)];
            list.push_back({list.empty() ? 0 : list.back().position + 1, 0});
            positions.push_back(list.back().position);
        }
        ++positions.back();
    }
    bitnet::BatchView view;
    view.n_tokens = static_cast<int32_t>(tokens.size());
    view.tokens = tokens.data();
    view.seq_ids = ids.data();
    view.positions = bad ? positions.data() : nullptr;
    bool refused = false;
    try {
        pair.split->reserve(view, int64_t{1} << 30, *pair.cache);
    } catch (const bitnet::Error& error) {
        refused = true;
        CHECK((bad || error.status() == BITNET_E_KV_FULL));
    }
    if (refused) return;
    CHECK(!bad);
    if (random.below(3) == 0) {
        pair.split->undo(*pair.cache);
    } else {
        pair.plain = after;
    }
    pair.next_content = content;  // undone numbers are not used again: a freed cell's content would be noticed
}

// As prefill does: take the end off, put others there, and either keep those or bring the old end back.
int replace_end(Pair& pair, test::Random& random, bitnet_seq_id id) {
    Plain& mine = pair.list(id);
    const int32_t n = random.below(12);
    const size_t n_kept = std::min(mine.size(), static_cast<size_t>(n));
    const int free_before = pair.cache->n_free();
    const bitnet::Sequence held = pair.cache->detach(id, n);
    int wrong = pair.cache->n_free() != free_before;
    const Plain kept(mine.begin(), mine.begin() + static_cast<std::ptrdiff_t>(n_kept));
    Plain changed = kept;
    for (int i = random.below(4); i-- > 0 && pair.cache->n_free() > 0;) {
        const bitnet_pos end = pair.cache->end(id);
        pair.cache->append(id, end, pair.next_content);
        changed.push_back({end, pair.next_content++});
    }
    if (random.below(2) == 0) {
        pair.cache->truncate(id, n);
        pair.cache->attach(id, held);
        return wrong;
    }
    const int expected = pair.cache->n_free() + pair.cache->n_held_alone(held);
    pair.cache->release(held);
    wrong += pair.cache->n_free() != expected;
    mine = changed;
    return wrong;
}

int do_something(Pair& pair, test::Random& random) {
    const bitnet_seq_id id = random.below(pair.n_seq()), other = random.below(pair.n_seq());
    const bitnet_pos p0 = random.below(14) - 2, p1 = random.below(16) - 2;
    switch (random.below(12)) {
        case 0:
        case 1:
        case 2:
        case 3: run_batch(pair, random); return 0;
        case 4:
            pair.cache->remove(id, p0, p1);
            pair.list(id) = without(pair.list(id), p0, p1);
            return 0;
        case 5:
            pair.cache->copy(id, other, p0, p1);
            pair.list(other) = only(pair.list(id), p0, p1);
            return 0;
        case 6:
            pair.cache->copy(id, other, -1, -1);
            pair.list(other) = Plain(pair.list(id));
            return 0;
        case 7: {
            const size_t n = static_cast<size_t>(random.below(20));
            pair.cache->truncate(id, static_cast<int32_t>(n));
            if (pair.list(id).size() > n) pair.list(id).resize(n);
            return 0;
        }
        case 8: return replace_end(pair, random, id);
        case 9:
            if (random.below(6) != 0) return 0;
            pair.cache->keep(id);
            for (bitnet_seq_id s = 0; s < pair.n_seq(); ++s) {
                if (s != id) pair.list(s).clear();
            }
            return 0;
        case 10:
            if (random.below(3) != 0) return 0;
            pair.cache->remove_from_all(p0, p1);
            for (Plain& list : pair.plain) list = without(list, p0, p1);
            return 0;
        default: {
            if (random.below(3) != 0) return 0;
            const SavedTree tree = pair.cache->save();
            pair.cache->restore(tree);
            const SavedTree again = pair.cache->save();
            return tree.nodes.size() != again.nodes.size() || tree.cells.size() != again.cells.size();
        }
    }
}

}  // namespace

TEST_CASE("thousands of random operations keep contents and free cells as plain lists say") {
    for (uint64_t seed = 1; seed <= 60; ++seed) {
        CAPTURE(seed);
        test::Random random(seed);
        Pair pair(8 + random.below(40), 1 + random.below(6));
        int wrong = 0;
        for (int step = 0; step < 500 && wrong == 0; ++step) {
            wrong += do_something(pair, random) + pair.check();
            const bitnet_seq_id id = random.below(pair.n_seq());
            const int expected = pair.cache->n_free_without(id);
            std::vector<Plain> others = pair.plain;
            others[static_cast<size_t>(id)].clear();
            std::swap(others, pair.plain);
            wrong += expected != pair.n_cells - static_cast<int>(pair.contents().size());
            std::swap(others, pair.plain);
        }
        CHECK(wrong == 0);
        pair.cache->remove_from_all(-1, -1);
        CHECK(pair.cache->n_free() == pair.n_cells);
    }
}

TEST_CASE("a thousand branches take one cell each for what they add and no memory at all") {
    SequenceTree tree(2000, 1001);
    for (bitnet_pos p = 0; p < 900; ++p) tree.append(0, p, 7);
    const uint64_t bytes = tree.bytes();
    CHECK(bytes == SequenceTree::bytes_needed(2000, 1001));
    for (bitnet_seq_id id = 1; id <= 1000; ++id) tree.copy(0, id, -1, -1);
    CHECK(tree.n_free() == 1100);
    for (bitnet_seq_id id = 1; id <= 1000; ++id) tree.append(id, 900, id);
    CHECK(tree.n_free() == 100);
    for (bitnet_seq_id id = 1; id <= 1000; ++id) tree.truncate(id, 850 + id % 50);
    CHECK(tree.n_free() == 1100);
    tree.truncate(0, 0);
    CHECK(tree.n_free() == 1101);  // entry 899 was the trunk's alone
    CHECK(tree.bytes() == bytes);
    tree.keep(3);
    CHECK(tree.n_free() == 2000 - 853);
    CHECK(tree.bytes() == bytes);
}

TEST_CASE("appending always finds a node, also after middles of shared sequences were cut out") {
    test::Random random(3);
    for (int round = 0; round < 50; ++round) {
        SequenceTree tree(30, 5);
        for (int step = 0; step < 80; ++step) {
            const bitnet_seq_id id = random.below(5);
            if (random.below(3) == 0) {
                tree.copy(id, random.below(5), random.below(6) - 1, -1);
            } else {
                tree.remove(id, random.below(8), random.below(12));
            }
            const uint64_t bytes = tree.bytes();
            for (int i = random.below(30); i-- > 0 && tree.n_free() > 0;) tree.append(id, tree.end(id), 1);
            CHECK(tree.bytes() == bytes);
        }
    }
}

TEST_CASE("trees from a hostile file are refused and change nothing") {
    SequenceTree tree(4, 3);
    tree.append(1, 0, 5);
    tree.append(1, 1, 6);
    const auto status = [&](const SavedTree& saved) {
        try {
            tree.restore(saved);
        } catch (const bitnet::Error& error) {
            CHECK(tree.n_free() == 2);
            CHECK(tree.size(1) == 2);
            return error.status();
        }
        return BITNET_OK;
    };
    const SavedTree good{{{0, 1}, {1, 2}, {1, 3}}, {{-1, 0}, {0, 1}, {0, 2}}, {{0, 1}, {2, 2}}, {}};
    const auto with = [&](auto&& edit) {
        SavedTree bad = good;
        edit(bad);
        return status(bad);
    };
    CHECK(with([](SavedTree& t) { t.cells[0].position = -1; }) == BITNET_E_STATE);
    CHECK(with([](SavedTree& t) { t.cells[1].position = INT32_MAX; }) == BITNET_E_STATE);
    CHECK(with([](SavedTree& t) { t.cells[1].position = 0; }) == BITNET_E_STATE);
    CHECK(with([](SavedTree& t) { t.nodes[0].parent = 0; }) == BITNET_E_STATE);
    CHECK(with([](SavedTree& t) { t.nodes[1].parent = 2; }) == BITNET_E_STATE);
    CHECK(with([](SavedTree& t) { t.nodes[1].parent = -2; }) == BITNET_E_STATE);
    CHECK(with([](SavedTree& t) { t.nodes[2].cell = 3; }) == BITNET_E_STATE);
    CHECK(with([](SavedTree& t) { t.nodes[2].cell = -1; }) == BITNET_E_STATE);
    CHECK(with([](SavedTree& t) { t.nodes[2].cell = 0; }) == BITNET_E_STATE);  // twice on one path
    CHECK(with([](SavedTree& t) { t.nodes[2].cell = 1; }) == BITNET_E_STATE);  // a cell is left over
    CHECK(with([](SavedTree& t) { t.tails[1].last = 1; }) == BITNET_E_STATE);  // a node is left over
    CHECK(with([](SavedTree& t) { t.tails[1].last = 3; }) == BITNET_E_STATE);
    CHECK(with([](SavedTree& t) { t.tails[1].last = -1; }) == BITNET_E_STATE);
    CHECK(with([](SavedTree& t) { t.tails[1].id = 0; }) == BITNET_E_STATE);
    CHECK(with([](SavedTree& t) { t.tails[0].id = -1; }) == BITNET_E_STATE);
    CHECK(with([](SavedTree& t) { t.tails[1].id = 3; }) == BITNET_E_STATE);
    CHECK(with([](SavedTree& t) { t.tails.clear(); }) == BITNET_E_STATE);
    CHECK(with([](SavedTree& t) {
              for (int i = 0; i < 3; ++i) {
                  t.cells.push_back({2 + i, 1});
                  t.nodes.push_back({i == 0 ? 1 : 2 + i, 3 + i});
              }
              t.tails[0].last = 5;
          }) == BITNET_E_KV_FULL);
    CHECK(status(good) == BITNET_OK);
    CHECK(tree.n_free() == 1);
    CHECK(tree.size(1) == 0);
    CHECK(tree.entries(2).back().token == 3);
    CHECK(tree.entries(2).front().cell == tree.entries(0).front().cell);
}
