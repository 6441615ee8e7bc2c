// The memory of keys and values: rooms of the layers, and what they take.
#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "kernels/cpu/kernel_select.h"
#include "src/base/error.h"
#include "src/context/kv_cache.h"

namespace {

std::unique_ptr<tg::Backend> small_backend() {
    kern::KernelSet kernels;
    kern::select_kernels("", &kernels);
    return tg::make_cpu_backend(*kernels.vec, 1, 16, 1);
}

}  // namespace

TEST_CASE("layers have rooms of their own, and a cache beyond any memory is refused by arithmetic") {
    const auto backend = small_backend();
    const bitnet::KvCache cache(*backend, 3, 8, 10, 1);
    REQUIRE(cache.layers().size() == 3);
    CHECK(cache.bytes() == bitnet::KvCache::bytes_needed(3, 8, 10, 1));
    CHECK(cache.bytes() == 3 * 2 * 8 * 10 * 2 + bitnet::SequenceTree::bytes_needed(10, 1));
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
