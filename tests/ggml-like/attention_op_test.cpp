// kv_store and attention together, on cells in any order and sequences that share a cache, against softmax in double
// over the half-precision keys and values.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "kernels/vec_kernels.h"
#include "tests/support/graph_fixture.h"

namespace {

struct Shape {
    int32_t n_head, n_head_kv, head_dim;
};

// Two sequences interleaved in one step: even tokens belong to the one, odd ones to the other.
struct TwoSequences {
    std::vector<int32_t> lists[2];
    std::vector<const int32_t*> visible;
    std::vector<int32_t> n_visible;
};

double half(float x) { return static_cast<double>(kern::f16_to_f32_value(kern::f32_to_f16_value(x))); }

}  // namespace

TEST_CASE(
    "attention is softmax over the cells a token sees, the same for every order of cells, level and thread count") {
    constexpr int64_t kTokens = 13, kCells = 40;
    for (const Shape s : {Shape{4, 4, 32}, Shape{6, 2, 48}, Shape{5, 1, 17}, Shape{8, 2, 128}}) {
        CAPTURE(s.n_head);
        CAPTURE(s.head_dim);
        const int64_t q_width = s.n_head * s.head_dim, kv_width = s.n_head_kv * s.head_dim;
        const std::vector<float> q = test::Random(1).reals(kTokens * static_cast<size_t>(q_width));
        const std::vector<float> k = test::Random(2).reals(kTokens * static_cast<size_t>(kv_width));
        const std::vector<float> v = test::Random(3).reals(kTokens * static_cast<size_t>(kv_width));
        std::vector<double> expected;
        for (size_t i = 0; i < kTokens; ++i) {
            for (size_t head = 0; head < static_cast<size_t>(s.n_head); ++head) {
                const size_t kv_head = head / static_cast<size_t>(s.n_head / s.n_head_kv),
                             dim = static_cast<size_t>(s.head_dim);
                std::vector<double> weights, out(dim, 0.0);
                double sum = 0.0;
                for (size_t j = i % 2; j <= i; j += 2) {
                    double score = 0.0;
                    for (size_t d = 0; d < dim; ++d) {
                        score += static_cast<double>(q[i * static_cast<size_t>(q_width) + head * dim + d]) *
                                 half(k[j * static_cast<size_t>(kv_width) + kv_head * dim + d]);
                    }
                    weights.push_back(std::exp(score / std::sqrt(static_cast<double>(dim))));
                    sum += weights.back();
                }
                for (size_t j = i % 2, n = 0; j <= i; j += 2, ++n) {
                    for (size_t d = 0; d < dim; ++d) {
                        out[d] += weights[n] / sum * half(v[j * static_cast<size_t>(kv_width) + kv_head * dim + d]);
                    }
                }
                expected.insert(expected.end(), out.begin(), out.end());
            }
        }
        std::vector<float> first;
        for (const kern::KernelSet& kernels : test::runnable_kernel_sets()) {
            for (int n_threads = 1; n_threads <= 5; ++n_threads) {
                for (const int order : {0, 1, 2}) {  // where the cells lie: rising, falling, scattered
                    std::vector<uint8_t> cache(static_cast<size_t>(4 * kCells * kv_width),
                                               0x7e);  // NaN where unwritten
                    const tg::KvLayer layer{cache.data(), cache.data() + 2 * kCells * kv_width, kern::KvType::f16,
                                            kern::KvType::f16, kCells};
                    tg::Graph g;
                    test::WeightStore w(kernels);
                    const tg::ValueId vq = g.get_rows(w.table(q, q_width), "q"),
                                      vk = g.get_rows(w.table(k, kv_width), "k");
                    const tg::ValueId vv = g.get_rows(w.table(v, kv_width), "v");
                    g.kv_store(vk, vv, layer, s.head_dim, "store");
                    const tg::ValueId result = g.attention(vq, layer, s.n_head, s.n_head_kv, s.head_dim, "attend");
                    g.make_external(result, 0);

                    test::Feed feed(kTokens);
                    TwoSequences two;
                    for (int32_t i = 0; i < kTokens; ++i) {
                        feed.cells[static_cast<size_t>(i)] = order == 0   ? i
                                                             : order == 1 ? static_cast<int32_t>(kCells) - 1 - i
                                                                          : i * 11 % static_cast<int32_t>(kCells);
                        two.lists[i % 2].push_back(feed.cells[static_cast<size_t>(i)]);
                        two.n_visible.push_back(i / 2 + 1);
                    }
                    for (int32_t i = 0; i < kTokens; ++i) two.visible.push_back(two.lists[i % 2].data());
                    tg::RunInputs in = feed.inputs();
                    in.visible = two.visible.data();
                    in.n_visible = two.n_visible.data();
                    std::vector<float> out(static_cast<size_t>(kTokens * q_width));
                    in.external[0] = out.data();
                    const tg::MemoryPlan plan = tg::plan_memory(g, kTokens);
                    const auto backend = tg::make_cpu_backend(*kernels.vec, n_threads, kTokens, s.n_head / s.n_head_kv);
                    const auto arena = backend->allocate(plan.arena_bytes, "test");
                    REQUIRE(backend->run(g, plan, *arena, in, {}, nullptr) == tg::RunResult::done);
                    if (first.empty()) first = out;
                    CAPTURE(kernels.level);
                    CAPTURE(n_threads);
                    CAPTURE(order);
                    CHECK(std::memcmp(out.data(), first.data(), out.size() * sizeof(float)) == 0);
                }
            }
        }
        double worst = 0.0;
        REQUIRE(first.size() == expected.size());
        for (size_t i = 0; i < first.size(); ++i)
            worst = std::max(worst, std::fabs(static_cast<double>(first[i]) - expected[i]));
        CHECK(worst < 1e-6);
    }
}

TEST_CASE("windowed attention is attention over the visible cells without the first n_outside ones") {
    constexpr int64_t kTokens = 9, kCells = 9;
    constexpr int32_t kHeads = 4, kHeadsKv = 2, kHead = 16;
    const std::vector<float> q = test::Random(5).reals(kTokens * kHeads * kHead);
    const std::vector<float> kv = test::Random(6).reals(kTokens * kHeadsKv * kHead);
    const auto attend = [&](bool windowed, bool cut_lists, int n_threads, const kern::KernelSet& kernels) {
        std::vector<uint8_t> cache(static_cast<size_t>(4 * kCells * kHeadsKv * kHead));
        const tg::KvLayer layer{cache.data(), cache.data() + 2 * kCells * kHeadsKv * kHead, kern::KvType::f16,
                                kern::KvType::f16, kCells};
        tg::Graph g;
        test::WeightStore w(kernels);
        const tg::ValueId keys = g.get_rows(w.table(kv, kHeadsKv * kHead), "kv");
        const tg::ValueId queries = g.get_rows(w.table(q, kHeads * kHead), "q");
        g.kv_store(keys, keys, layer, kHead, "store");
        const tg::ValueId result = g.attention(queries, layer, kHeads, kHeadsKv, kHead, "attend", windowed);
        g.make_external(result, 0);
        test::Feed feed(kTokens);
        tg::RunInputs in = feed.inputs();
        std::vector<int32_t> outside, n_visible;
        std::vector<const int32_t*> visible;
        for (int32_t i = 0; i < kTokens; ++i) {
            const int32_t n = i < 3 ? 0 : i - 2;  // a window of 3
            outside.push_back(cut_lists ? 0 : n);
            visible.push_back(feed.cells.data() + (cut_lists ? n : 0));
            n_visible.push_back(i + 1 - (cut_lists ? n : 0));
        }
        in.n_outside = outside.data();
        in.visible = visible.data();
        in.n_visible = n_visible.data();
        std::vector<float> out(static_cast<size_t>(kTokens * kHeads * kHead));
        in.external[0] = out.data();
        const tg::MemoryPlan plan = tg::plan_memory(g, kTokens);
        const auto backend = tg::make_cpu_backend(*kernels.vec, n_threads, kTokens, kHeads / kHeadsKv);
        const auto arena = backend->allocate(plan.arena_bytes, "test");
        REQUIRE(backend->run(g, plan, *arena, in, {}, nullptr) == tg::RunResult::done);
        return out;
    };
    const std::vector<kern::KernelSet> sets = test::runnable_kernel_sets();
    const std::vector<float> expected = attend(false, true, 1, sets.front());
    CHECK(attend(false, false, 1, sets.front()) != expected);
    for (const kern::KernelSet& kernels : sets) {
        for (const int n_threads : {1, 3}) CHECK(attend(true, false, n_threads, kernels) == expected);
    }
}
