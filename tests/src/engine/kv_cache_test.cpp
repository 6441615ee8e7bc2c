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
    const bitnet::KvCache cache(*backend, {3, 2, 4}, 10, 1);
    REQUIRE(cache.layers().size() == 3);
    CHECK(cache.bytes() == bitnet::KvCache::bytes_needed({3, 2, 4}, 10, 1));
    CHECK(cache.bytes() == 3 * 2 * 8 * 10 * 2 + bitnet::SequenceTree::bytes_needed(10, 1));
    std::vector<const uint8_t*> rooms;
    for (const tg::KvLayer& layer : cache.layers()) {
        rooms.push_back(layer.k);
        rooms.push_back(layer.v);
    }
    for (size_t i = 1; i < rooms.size(); ++i) CHECK(rooms[i] - rooms[i - 1] == 160);
    try {
        const bitnet::KvCache huge(*backend, {int64_t{1} << 20, int64_t{1} << 16, int64_t{1} << 20}, 1 << 24, 1);
        FAIL("no exception");
    } catch (const bitnet::Error& error) {
        CHECK(error.status() == BITNET_E_OUT_OF_MEMORY);
        CHECK(error.message().find("n_ctx") != std::string::npos);
    }
}

TEST_CASE("keys and values of two types have rooms of their own sizes") {
    const auto backend = small_backend();
    const bitnet::KvShape shape{2, 3, 64, kern::KvType::q8_0, kern::KvType::q4_0};
    CHECK(shape.k_bytes() == 3 * (64 + 2 * 2));
    CHECK(shape.v_bytes() == 3 * (32 + 2 * 2));
    const bitnet::KvCache cache(*backend, shape, 10, 1);
    CHECK(cache.bytes() == 2 * 10 * (204 + 108) + bitnet::SequenceTree::bytes_needed(10, 1));
    CHECK(cache.layers()[0].v - cache.layers()[0].k == 2040);
    CHECK(cache.layers()[1].k - cache.layers()[0].v == 1080);
    CHECK(cache.layers()[1].k_type == kern::KvType::q8_0);
    CHECK(cache.layers()[1].v_type == kern::KvType::q4_0);
}
