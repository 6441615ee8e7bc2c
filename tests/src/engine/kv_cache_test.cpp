// The KV cache against a model of it: random appends, removals, copies and truncations must keep the sequences' lists
// and the count of free cells exactly what plain lists say.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "kernels/cpu/kernel_select.h"
#include "src/base/error.h"
#include "src/context/kv_cache.h"
#include "tests/support/kernel_cases.h"

namespace {

std::unique_ptr<tg::Backend> small_backend() {
    kern::KernelSet kernels;
    kern::select_kernels("", &kernels);
    return tg::make_cpu_backend(*kernels.vec, 1, 16, 1);
}

// A sequence as positions with the number of the append that made each cell's content.
using Plain = std::vector<std::pair<bitnet_pos, int>>;

bool in_range(bitnet_pos p, bitnet_pos p0, bitnet_pos p1) { return p >= (p0 < 0 ? 0 : p0) && (p1 < 0 || p < p1); }

}  // namespace

TEST_CASE("random work on the cache keeps lists, contents and free cells as plain lists say") {
    const auto backend = small_backend();
    for (uint64_t seed = 1; seed <= 60; ++seed) {
        CAPTURE(seed);
        test::Random random(seed);
        const int n_cells = 8 + random.below(30), n_seq = 1 + random.below(5);
        bitnet::KvCache cache(*backend, 2, 4, n_cells, n_seq);
        std::vector<Plain> plain(static_cast<size_t>(n_seq));
        std::map<int32_t, int> content;  // what was written last into each cell
        int next_content = 0, wrong = 0;
        for (int step = 0; step < 400; ++step) {
            const bitnet_seq_id id = random.below(n_seq), other = random.below(n_seq);
            Plain& mine = plain[static_cast<size_t>(id)];
            const bitnet_pos p0 = random.below(12) - 2, p1 = random.below(14) - 2;
            switch (random.below(6)) {
                case 0:
                case 1:
                case 2:
                    if (cache.n_free() > 0) {
                        const bitnet_pos end = cache.sequence(id).end();
                        wrong += end != (mine.empty() ? 0 : mine.back().first + 1);
                        content[cache.append(id, end, static_cast<bitnet_token>(next_content))] = next_content;
                        mine.emplace_back(end, next_content++);
                    }
                    break;
                case 3:
                    cache.remove(id, p0, p1);
                    std::erase_if(mine, [&](const auto& entry) { return in_range(entry.first, p0, p1); });
                    break;
                case 4: {
                    cache.copy(id, other, p0, p1);
                    Plain copy = mine;
                    std::erase_if(copy, [&](const auto& entry) { return !in_range(entry.first, p0, p1); });
                    plain[static_cast<size_t>(other)] = copy;
                    break;
                }
                case 5:
                    if (random.below(8) == 0) {
                        cache.keep(id);
                        for (bitnet_seq_id s = 0; s < n_seq; ++s) {
                            if (s != id) plain[static_cast<size_t>(s)].clear();
                        }
                    } else {
                        const size_t n = static_cast<size_t>(random.below(20));
                        cache.truncate(id, n);
                        if (mine.size() > n) mine.resize(n);
                    }
                    break;
            }
            std::set<int> contents;
            for (bitnet_seq_id s = 0; s < n_seq; ++s) {
                const bitnet::Sequence& sequence = cache.sequence(s);
                const Plain& expected = plain[static_cast<size_t>(s)];
                wrong += sequence.cells.size() != expected.size() || sequence.positions.size() != expected.size();
                for (size_t i = 0; i < std::min(expected.size(), sequence.cells.size()); ++i) {
                    wrong +=
                        sequence.positions[i] != expected[i].first || content[sequence.cells[i]] != expected[i].second;
                    contents.insert(expected[i].second);
                }
            }
            wrong += cache.n_free() != n_cells - static_cast<int>(contents.size());
            int freed_by_one = 0;
            for (const auto& [position, what] : mine) {
                int users = 0;
                for (const Plain& p : plain)
                    users += static_cast<int>(
                        std::count_if(p.begin(), p.end(), [&](const auto& e) { return e.second == what; }));
                freed_by_one += users == 1;
            }
            wrong += cache.n_free_without(id) != cache.n_free() + freed_by_one;
        }
        CHECK(wrong == 0);
    }
}

TEST_CASE("lists do not move while a sequence fills the cache") {
    const auto backend = small_backend();
    bitnet::KvCache cache(*backend, 1, 4, 100, 2);
    cache.append(0, 0, 7);
    const int32_t* cells = cache.sequence(0).cells.data();
    for (bitnet_pos p = 1; p < 100; ++p) cache.append(0, p, 7);
    CHECK(cache.sequence(0).cells.data() == cells);
    CHECK(cache.n_free() == 0);
    cache.copy(0, 1, -1, -1);
    CHECK(cache.n_free() == 0);
    cache.truncate(0, 0);
    CHECK(cache.n_free() == 0);
    cache.remove(1, 50, -1);
    CHECK(cache.n_free() == 50);
}

TEST_CASE("layers have rooms of their own, and a cache beyond any memory is refused by arithmetic") {
    const auto backend = small_backend();
    const bitnet::KvCache cache(*backend, 3, 8, 10, 1);
    REQUIRE(cache.layers().size() == 3);
    CHECK(cache.bytes() == 3 * 2 * 8 * 10 * 2);
    std::vector<const uint16_t*> rooms;
    for (const tg::KvLayer& layer : cache.layers()) {
        rooms.push_back(layer.k);
        rooms.push_back(layer.v);
    }
    for (size_t i = 1; i < rooms.size(); ++i) CHECK(rooms[i] - rooms[i - 1] == 80);
    try {
        const bitnet::KvCache huge(*backend, int64_t{1} << 40, int64_t{1} << 40, 1 << 24, 1);
        FAIL("no exception");
    } catch (const bitnet::Error& error) {
        CHECK(error.status() == BITNET_E_OUT_OF_MEMORY);
        CHECK(error.message().find("n_ctx") != std::string::npos);
    }
}
