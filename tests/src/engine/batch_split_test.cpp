// Checking and reserving a batch: cells, positions and what each token sees, or no change at all.
#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "kernels/cpu/kernel_select.h"
#include "src/base/error.h"
#include "src/context/batch_split.h"

namespace {

struct Fixture {
    Fixture() {
        kern::KernelSet kernels;
        kern::select_kernels("", &kernels);
        backend = tg::make_cpu_backend(*kernels.vec, 1, 16, 1);
        cache = std::make_unique<bitnet::KvCache>(*backend, 1, 4, 10, 3);
    }
    std::unique_ptr<tg::Backend> backend;
    std::unique_ptr<bitnet::KvCache> cache;
    bitnet::BatchSplit split{16, 3};

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
    for (size_t i = 0; i < 5; ++i) {
        const bitnet::Sequence& sequence = f.cache->sequence(ids[i]);
        CHECK(f.split.visible()[i] == sequence.cells.data());
        CHECK(f.split.visible()[i][f.split.n_visible()[i] - 1] == f.split.cells()[i]);
    }
    CHECK(f.split.wanted() == std::vector<uint8_t>{0, 0, 0, 1, 1});
    CHECK(f.split.n_outputs() == 2);
    CHECK(!f.split.single_step());
    REQUIRE(f.reserve(view_of({7, 8}, {2, 0})) == BITNET_OK);
    CHECK(f.split.positions() == std::vector<int32_t>{2, 3});
    CHECK(f.split.single_step());
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
    CHECK(f.cache->sequence(1).end() == 3);
    CHECK(f.cache->sequence(0).end() == 0);
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
        CHECK(f.cache->sequence(0).end() == 2);
        CHECK(f.cache->sequence(1).end() == 1);
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
