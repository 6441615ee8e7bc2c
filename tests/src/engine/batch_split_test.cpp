// Checking and reserving a batch: cells, positions and what each token sees, or no change at all.
#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "kernels/cpu/kernel_select.h"
#include "src/base/error.h"
#include "src/context/batch_split.h"
#include "tests/support/kernel_cases.h"

namespace {

struct Fixture {
    Fixture() {
        kern::KernelSet kernels;
        kern::select_kernels("", &kernels);
        backend = tg::make_cpu_backend(*kernels.vec, 1, 16, 1);
        cache = std::make_unique<bitnet::KvCache>(*backend, bitnet::KvShape{1, 1, 4}, 10, 3);
    }
    std::unique_ptr<tg::Backend> backend;
    std::unique_ptr<bitnet::KvCache> cache;
    bitnet::BatchSplit split{16, 16, 10, 3};

    using Cells = std::vector<int32_t>;
    Cells seen(size_t i) const { return Cells(split.visible()[i], split.visible()[i] + split.n_visible()[i]); }
    Cells held(bitnet_seq_id id, int32_t n) const {
        Cells cells;
        for (const bitnet::KvCache::Entry& entry : cache->entries(id)) cells.push_back(entry.cell);
        cells.resize(static_cast<size_t>(n));
        return cells;
    }
    bitnet_status reserve(const bitnet::BatchView& view) {
        try {
            split.reserve(view, 100, *cache);
        } catch (const bitnet::Error& error) {
            return error.status();
        }
        return BITNET_OK;
    }
};

bitnet::BatchView view_of(const std::vector<bitnet_token>& tokens, const std::vector<bitnet_seq_id>& ids) {
    bitnet::BatchView view;
    view.n_tokens = static_cast<int32_t>(tokens.size());
    view.tokens = tokens.data();
    view.seq_ids = ids.data();
    return view;
}

}  // namespace

TEST_CASE("each token sees its own sequence up to itself, in order of position") {
    Fixture f;
    const std::vector<bitnet_token> tokens = {1, 2, 3, 4, 5};
    const std::vector<bitnet_seq_id> ids = {0, 2, 0, 0, 2};
    REQUIRE(f.reserve(view_of(tokens, ids)) == BITNET_OK);
    CHECK(f.split.positions() == std::vector<int32_t>{0, 0, 1, 2, 1});
    CHECK(f.split.n_visible() == std::vector<int32_t>{1, 1, 2, 3, 2});
    CHECK(f.split.cut(0, 16, *f.cache) == 5);
    for (size_t i = 0; i < 5; ++i) {
        CHECK(f.seen(i) == f.held(ids[i], f.split.n_visible()[i]));
        CHECK(f.seen(i).back() == f.split.cells()[i]);
    }
    CHECK(f.split.visible()[0] == f.split.visible()[3]);  // one list for a sequence
    CHECK(f.split.wanted() == std::vector<uint8_t>{0, 0, 0, 1, 1});
    CHECK(f.split.n_outputs() == 2);
    CHECK(f.split.n_sequences() == 2);
    REQUIRE(f.reserve(view_of({7, 8}, {2, 0})) == BITNET_OK);
    CHECK(f.split.positions() == std::vector<int32_t>{2, 3});
    CHECK(f.split.n_sequences() == 2);
    REQUIRE(f.reserve(view_of({7, 8}, {2, 2})) == BITNET_OK);
    CHECK(f.split.n_sequences() == 1);
}

TEST_CASE("outputs are those asked for, by any non-zero number") {
    Fixture f;
    const std::vector<bitnet_token> tokens = {1, 2, 3};
    const std::vector<int8_t> wanted = {-1, 0, 64};
    bitnet::BatchView view;
    view.n_tokens = 3;
    view.tokens = tokens.data();
    view.seq_id = 1;
    view.want_output = wanted.data();
    REQUIRE(f.reserve(view) == BITNET_OK);
    CHECK(f.split.wanted() == std::vector<uint8_t>{1, 0, 1});
    CHECK(f.split.n_outputs() == 2);
    CHECK(f.cache->end(1) == 3);
    CHECK(f.cache->end(0) == 0);
}

TEST_CASE("a refused batch, a failure halfway and undo leave the cache as it was, and the next batch is right") {
    Fixture f;
    REQUIRE(f.reserve(view_of({1, 2, 3}, {0, 0, 1})) == BITNET_OK);
    const std::vector<bitnet_token> tokens = {4, 5, 6};
    const std::vector<bitnet_seq_id> ids = {1, 0, 1};
    const std::vector<bitnet_pos> positions = {1, 2, 9};
    for (int round = 0; round < 5; ++round) {
        bitnet::BatchView late = view_of(tokens, ids);  // fails at the third token, two are reserved by then
        late.positions = positions.data();
        CHECK(f.reserve(late) == BITNET_E_ARGUMENT);
        CHECK(f.reserve(view_of({4, 100}, {0, 0})) == BITNET_E_TOKEN);
        CHECK(f.reserve(view_of({4, 4}, {0, 3})) == BITNET_E_ARGUMENT);
        CHECK(f.reserve(view_of(std::vector<bitnet_token>(8, 1), std::vector<bitnet_seq_id>(8, 2))) ==
              BITNET_E_KV_FULL);
        CHECK(f.cache->n_free() == 7);
        CHECK(f.cache->end(0) == 2);
        CHECK(f.cache->end(1) == 1);
        REQUIRE(f.reserve(view_of(tokens, ids)) == BITNET_OK);
        CHECK(f.cache->n_free() == 4);
        f.split.undo(*f.cache);
        f.split.undo(*f.cache);  // nothing is left to undo
        CHECK(f.cache->n_free() == 7);
    }
    REQUIRE(f.reserve(view_of(tokens, ids)) == BITNET_OK);
    CHECK(f.split.positions() == std::vector<int32_t>{1, 2, 2});
    CHECK(f.split.n_outputs() == 2);
}

TEST_CASE("tokens see their own past after forks, rewinds and reuse of cells, however the batch is cut") {
    test::Random random(7);
    for (int round = 0; round < 40; ++round) {
        Fixture f;
        int wrong = 0;
        for (int step = 0; step < 60; ++step) {
            const bitnet_seq_id id = random.below(3), other = random.below(3);
            switch (random.below(4)) {
                case 0: f.cache->copy(id, other, -1, -1); break;
                case 1: f.cache->truncate(id, random.below(6)); break;
                case 2: f.cache->remove(id, random.below(5), random.below(8) - 1); break;
                default: break;
            }
            std::vector<bitnet_token> tokens;
            std::vector<bitnet_seq_id> ids;
            for (int i = random.below(4); i-- >= 0;) {
                tokens.push_back(i + 1);
                ids.push_back(random.below(3));
            }
            if (f.reserve(view_of(tokens, ids)) != BITNET_OK) {
                f.cache->truncate(random.below(3), 0);
                continue;
            }
            const int32_t n = static_cast<int32_t>(tokens.size()), n_most = 1 + random.below(4);
            for (int32_t begin = 0, end = 0; begin < n; begin = end) {
                end = f.split.cut(begin, n_most, *f.cache);
                wrong += end <= begin || end > begin + n_most || end > n;
                for (int32_t i = begin; i < end; ++i) {
                    const size_t k = static_cast<size_t>(i);
                    wrong += f.seen(k) != f.held(ids[k], f.split.n_visible()[k]);
                }
            }
            if (random.below(5) == 0) f.split.undo(*f.cache);
        }
        CHECK(wrong == 0);
    }
}

TEST_CASE("long lists of many sequences make smaller micro-batches, and each list is whole") {
    Fixture f;
    constexpr int32_t kCells = 400000, kSeqs = 6;  // six lists are more than the room for lists, two are not
    f.cache = std::make_unique<bitnet::KvCache>(*f.backend, bitnet::KvShape{1, 1, 1}, kCells, kSeqs);
    bitnet::BatchSplit split{kSeqs, kSeqs, kCells, kSeqs};
    const int32_t n_prompt = kCells - kSeqs;
    for (int32_t i = 0; i < n_prompt; ++i) f.cache->append(0, i, 1);
    for (bitnet_seq_id id = 1; id < kSeqs; ++id) f.cache->copy(0, id, -1, -1);
    CHECK(f.cache->n_free() == kSeqs);
    split.reserve(view_of({1, 2, 3, 4, 5, 6}, {0, 1, 2, 3, 4, 5}), 100, *f.cache);
    std::vector<int32_t> ends;
    for (int32_t begin = 0; begin < kSeqs; begin = ends.back()) {
        ends.push_back(split.cut(begin, kSeqs, *f.cache));
        for (int32_t i = begin; i < ends.back(); ++i) {
            const int32_t* cells = split.visible()[static_cast<size_t>(i)];
            CHECK(std::vector<int32_t>(cells, cells + n_prompt + 1) == f.held(i, n_prompt + 1));
        }
    }
    CHECK(ends == std::vector<int32_t>{2, 4, 6});
    CHECK(bitnet::BatchSplit::bytes_needed(kSeqs, kSeqs, kCells, kSeqs) < 5 << 20);
}

TEST_CASE("with a sliding window each token knows how many of its cells lie outside, by position") {
    Fixture f;
    bitnet::BatchSplit split{16, 16, 10, 3, 3};
    const std::vector<bitnet_token> tokens = {1, 2, 3, 4, 5, 6};
    const std::vector<bitnet_seq_id> ids = {0, 0, 0, 2, 0, 0};
    split.reserve(view_of(tokens, ids), 100, *f.cache);
    CHECK(split.cut(0, 16, *f.cache) == 6);
    CHECK(split.n_outside() == std::vector<int32_t>{0, 0, 0, 0, 1, 2});
    f.cache->remove(0, 2, 4);  // what remains keeps its positions: 0, 1, 4
    const std::vector<bitnet_token> more = {7, 8};
    const std::vector<bitnet_seq_id> first = {0, 0};
    split.reserve(view_of(more, first), 100, *f.cache);
    CHECK(split.positions() == std::vector<int32_t>{5, 6});
    CHECK(split.cut(0, 1, *f.cache) == 1);
    CHECK(split.cut(1, 1, *f.cache) == 2);
    CHECK(split.n_visible() == std::vector<int32_t>{4, 5});
    CHECK(split.n_outside() == std::vector<int32_t>{2, 2});
}
