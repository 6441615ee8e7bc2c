// The memory plan against brute force: a shadow of the arena that remembers who wrote each cache line, and every pair
// of nodes between two meetings compared by the bytes they touch.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "ggml-like/graph.h"
#include "ggml-like/memory_plan.h"
#include "ggml-like/tensor_error.h"
#include "kernels/cpu/kernel_select.h"
#include "tests/support/kernel_cases.h"

namespace {

constexpr int64_t kWidths[] = {128, 256, 384};
constexpr int kHeadDim = 64;

// A graph of random nodes with every kind of operation, in-place rotation and external values included.
struct RandomGraph {
    tg::Graph graph;
    std::deque<tg::Weight> weights;
    std::deque<uint8_t> kv;  // addresses only
    test::Random random;

    explicit RandomGraph(uint64_t seed, int n_nodes) : random(seed) {
        kern::KernelSet kernels;
        kern::select_kernels("", &kernels);
        tg::RopeParams rope;
        rope.n_dims = kHeadDim;
        const tg::ValueId angles = graph.rope_table(rope, "angles");
        std::vector<tg::ValueId> live;
        for (const int64_t width : kWidths) live.push_back(graph.get_rows(weight(kernels, width, 7, true), "in"));
        std::vector<tg::KvLayer> stored;
        std::vector<int64_t> stored_width;
        for (int i = 0; i < n_nodes; ++i) {
            // Mostly recent values, so that lives end; sometimes any, so that some are long.
            const size_t back = random.below(8) == 0 ? live.size() : std::min<size_t>(live.size(), 4);
            const auto any = [&] {
                return live[live.size() - 1 - static_cast<size_t>(random.below(static_cast<int>(back)))];
            };
            const tg::ValueId x = any();
            const tg::Value value = graph.value(x);
            const bool tokens = value.rows == tg::Rows::tokens;
            switch (random.below(10)) {
                case 0: live.push_back(graph.rms_norm(x, nullptr, 0, 1e-5f, "norm")); break;
                case 1:
                case 2:
                    live.push_back(graph.mul_mat(
                        weight(kernels, value.width, kWidths[random.below(3)], random.below(3) == 0), x, "mul"));
                    break;
                case 3: {
                    const tg::ValueId y = any();
                    if (graph.value(y).width == value.width && graph.value(y).rows == value.rows) {
                        live.push_back(random.below(2) == 0 ? graph.add(x, y, "add") : graph.relu2_mul(x, y, "relu2"));
                    }
                    break;
                }
                case 4:
                    if (tokens)
                        graph.rope(x, angles, rope, static_cast<int32_t>(value.width / kHeadDim), kHeadDim, "rope");
                    break;
                case 5:
                    if (tokens) {
                        kv.resize(kv.size() + 2);
                        stored.push_back({&kv[kv.size() - 2], &kv[kv.size() - 1]});
                        stored_width.push_back(value.width);
                        graph.kv_store(x, x, stored.back(), static_cast<int32_t>(graph.value(x).width), "store");
                    }
                    break;
                case 6:
                    if (tokens && !stored.empty()) {
                        const size_t at = static_cast<size_t>(random.below(static_cast<int>(stored.size())));
                        const int32_t heads = static_cast<int32_t>(value.width / kHeadDim);
                        if (stored_width[at] == value.width)
                            live.push_back(graph.attention(x, stored[at], heads, heads, kHeadDim, "attend"));
                    }
                    break;
                case 7:
                    if (tokens && random.below(4) == 0) live.push_back(graph.pick_rows(x, "pick"));
                    break;
                case 8: live.push_back(graph.silu_mul(x, x, "silu")); break;
                case 9: live.push_back(graph.add(x, x, "double")); break;
            }
        }
        graph.make_external(live.back(), 0);
        if (live.size() > 3) graph.make_external(live[live.size() - 3], 1);
    }

    const tg::Weight& weight(const kern::KernelSet& kernels, int64_t k, int64_t n_rows, bool plain) {
        tg::Weight w;
        w.name = "w";
        w.type = plain ? kern::QuantType::f32 : kern::QuantType::i2_s;
        w.k = k;
        w.n_rows = n_rows;
        w.kernel = &kernels.for_type(w.type);
        weights.push_back(w);
        return weights.back();
    }
};

// Bytes that are touched: a range of an address space, of which there is one for the arena, one per external value and
// one per layer of keys and values.
struct Range {
    uintptr_t space;
    size_t begin, end;
};

bool meet(const std::vector<Range>& a, const std::vector<Range>& b) {
    for (const Range& x : a) {
        for (const Range& y : b) {
            if (x.space == y.space && x.begin < y.end && y.begin < x.end) return true;
        }
    }
    return false;
}

struct Touched {
    std::vector<Range> reads, writes;
};

// Which bytes a thread touches while it does its share of a node, from what each operation does: most go row by row, a
// matrix product writes columns of all rows, attention splits heads, and picking rows reads any of them.
class Shares {
public:
    Shares(const tg::Graph& graph, const tg::MemoryPlan& plan, int64_t n_tokens, int64_t n_outputs, int n_threads)
        : graph_(graph), plan_(plan), n_tokens_(n_tokens), n_outputs_(n_outputs), n_threads_(n_threads) {}

    Touched of(const tg::Node& node, int thread) const {
        static const std::set<tg::OpKind> kWhole = {tg::OpKind::mul_mat, tg::OpKind::attention};
        const bool whole = kWhole.count(node.op) != 0;
        Touched t;
        for (const tg::ValueId id : node.inputs) {
            if (id != tg::kNoValue)
                t.reads.push_back(range(id, whole || node.op == tg::OpKind::pick_rows ? -1 : thread));
        }
        if (node.output != tg::kNoValue) t.writes.push_back(range(node.output, whole ? -1 : thread));
        const uintptr_t layer = reinterpret_cast<uintptr_t>(node.params.kv.k);
        if (node.op == tg::OpKind::kv_store) t.writes.push_back({layer, 0, 1});
        if (node.op == tg::OpKind::attention) t.reads.push_back({layer, 0, 1});
        return t;
    }
    // True when some thread in the one node touches what another thread changes in the other.
    bool dependent(const tg::Node& a, const tg::Node& b) const {
        for (int i = 0; i < n_threads_; ++i) {
            for (int j = 0; j < n_threads_; ++j) {
                if (i == j) continue;
                const Touched x = of(a, i), y = of(b, j);
                if (meet(x.writes, y.reads) || meet(x.reads, y.writes) || meet(x.writes, y.writes)) return true;
            }
        }
        return false;
    }

private:
    // The rows of a thread; all rows for thread -1.
    Range range(tg::ValueId id, int thread) const {
        const tg::Value& value = graph_.value(id);
        const int64_t n = value.rows == tg::Rows::tokens ? n_tokens_ : n_outputs_;
        const size_t row = value.type == tg::ValueType::packed
                               ? value.format->bytes(value.width, n) / static_cast<size_t>(std::max<int64_t>(n, 1))
                               : static_cast<size_t>(value.width) * sizeof(float);
        const bool external = value.home == tg::Home::external;
        const size_t base = external ? 0 : plan_.offsets[static_cast<size_t>(id)];
        const int64_t first = thread < 0 ? 0 : n * thread / n_threads_,
                      last = thread < 0 ? n : n * (thread + 1) / n_threads_;
        return {external ? static_cast<uintptr_t>(1 + id) : 0, base + row * static_cast<size_t>(first),
                base + row * static_cast<size_t>(last)};
    }

    const tg::Graph& graph_;
    const tg::MemoryPlan& plan_;
    const int64_t n_tokens_, n_outputs_;
    const int n_threads_;
};

}  // namespace

TEST_CASE("no value is overwritten before its last reader, in 300 random graphs") {
    for (uint64_t seed = 1; seed <= 300; ++seed) {
        CAPTURE(seed);
        const RandomGraph r(seed, 10 + static_cast<int>(seed % 50));
        const tg::MemoryPlan plan = tg::plan_memory(r.graph, 5);
        REQUIRE(plan.offsets.size() == r.graph.values().size());
        std::vector<tg::ValueId> owner(plan.arena_bytes / 64, tg::kNoValue);  // who wrote each cache line last
        int wrong = 0;
        for (const tg::Node& node : r.graph.nodes()) {
            for (const tg::ValueId id : node.inputs) {
                if (id == tg::kNoValue || r.graph.value(id).home == tg::Home::external) continue;
                const size_t v = static_cast<size_t>(id);
                for (size_t line = plan.offsets[v] / 64; line < (plan.offsets[v] + plan.bytes[v]) / 64; ++line) {
                    wrong += owner[line] != id ? 1 : 0;
                }
            }
            if (node.output == tg::kNoValue || r.graph.value(node.output).home == tg::Home::external) continue;
            const size_t v = static_cast<size_t>(node.output);
            REQUIRE(plan.offsets[v] % 64 == 0);
            REQUIRE(plan.offsets[v] + plan.bytes[v] <= plan.arena_bytes);
            for (size_t line = plan.offsets[v] / 64; line < (plan.offsets[v] + plan.bytes[v]) / 64; ++line)
                owner[line] = node.output;
        }
        CHECK(wrong == 0);
    }
}

TEST_CASE("inputs and output of one node never overlap, except what is changed in place") {
    int wrong = 0;
    for (uint64_t seed = 1; seed <= 300; ++seed) {
        const RandomGraph r(seed, 40);
        const tg::MemoryPlan plan = tg::plan_memory(r.graph, 3);
        for (const tg::Node& node : r.graph.nodes()) {
            for (const tg::ValueId id : node.inputs) {
                if (id == tg::kNoValue || node.output == tg::kNoValue || id == node.output) continue;
                if (r.graph.value(id).home == tg::Home::external ||
                    r.graph.value(node.output).home == tg::Home::external)
                    continue;
                const size_t in = static_cast<size_t>(id), out = static_cast<size_t>(node.output);
                wrong += plan.offsets[in] < plan.offsets[out] + plan.bytes[out] &&
                         plan.offsets[out] < plan.offsets[in] + plan.bytes[in];
            }
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("what nodes that run together write lies over nothing that another of them touches") {
    int wrong = 0, shared = 0;
    for (uint64_t seed = 1; seed <= 200; ++seed) {
        const RandomGraph r(seed, 40);
        const std::vector<tg::Node>& all = r.graph.nodes();
        test::Random random(seed);
        std::vector<uint8_t> together(all.size(), 1);
        for (size_t i = 0; i < all.size();) {
            const size_t n = std::min<size_t>(1 + static_cast<size_t>(random.below(4)), all.size() - i);
            for (size_t k = 0; k < n; ++k) together[i + k] = static_cast<uint8_t>(n - k);
            i += n;
        }
        const tg::MemoryPlan plan = tg::plan_memory(r.graph, 3, together);
        CHECK(plan.together == together);
        const tg::MemoryPlan alone = tg::plan_memory(r.graph, 3);
        CHECK(alone.together.empty());
        const auto overlap = [&](const tg::MemoryPlan& p, tg::ValueId a, tg::ValueId b) {
            if (a == tg::kNoValue || b == tg::kNoValue || a == b) return false;
            const size_t x = static_cast<size_t>(a), y = static_cast<size_t>(b);
            return p.offsets[x] < p.offsets[y] + p.bytes[y] && p.offsets[y] < p.offsets[x] + p.bytes[x];
        };
        for (size_t i = 0; i < all.size(); i += together[i]) {
            for (size_t a = i; a < i + together[i]; ++a) {
                for (size_t b = i; b < i + together[i]; ++b) {
                    for (const tg::ValueId other : {all[b].inputs[0], all[b].inputs[1], all[b].output}) {
                        wrong += overlap(plan, all[a].output, other) ? 1 : 0;
                        shared += overlap(alone, all[a].output, other) ? 1 : 0;
                    }
                }
            }
        }
    }
    CHECK(wrong == 0);
    CHECK(shared > 0);  // which a plan for single nodes does
}

TEST_CASE("threads meet before every node that touches another thread's work since the last meeting") {
    constexpr int64_t kMaxRows = 7;
    int missing = 0, barriers = 0, nodes = 0;
    uint64_t first_seed = 0;
    for (uint64_t seed = 1; seed <= 200; ++seed) {
        const RandomGraph r(seed, 10 + static_cast<int>(seed % 60));
        const tg::MemoryPlan plan = tg::plan_memory(r.graph, kMaxRows);
        const std::vector<tg::Node>& all = r.graph.nodes();
        REQUIRE(plan.barrier_before.size() == all.size());
        size_t since = 0;
        const std::vector<Shares> cases = {{r.graph, plan, 7, 1, 2},
                                           {r.graph, plan, 7, 7, 3},
                                           {r.graph, plan, 1, 1, 2},
                                           {r.graph, plan, 5, 2, 5},
                                           {r.graph, plan, 4, 3, 7}};
        for (size_t i = 0; i < all.size(); ++i) {
            barriers += plan.barrier_before[i];
            ++nodes;
            if (plan.barrier_before[i] != 0) since = i;
            for (size_t j = since; j < i; ++j) {
                for (const Shares& shares : cases) {
                    if (!shares.dependent(all[j], all[i])) continue;
                    if (missing++ == 0) first_seed = seed;
                }
            }
        }
    }
    CAPTURE(first_seed);
    CHECK(missing == 0);
    CHECK(barriers < nodes);  // some neighbours are independent, or this shows nothing
}

TEST_CASE("a chain of row by row operations needs no meeting, a matrix product one on either side") {
    RandomGraph r(1, 0);
    kern::KernelSet kernels;
    kern::select_kernels("scalar", &kernels);
    tg::Graph g;
    const tg::ValueId x = g.get_rows(r.weight(kernels, 256, 9, true), "x");
    const tg::ValueId a = g.rms_norm(x, nullptr, 0, 1e-5f, "a");
    const tg::ValueId b = g.add(a, x, "b");
    const tg::ValueId m = g.mul_mat(r.weight(kernels, 256, 64, false), b, "m");  // packs, then multiplies
    g.silu_mul(m, m, "c");
    g.add(a, x, "d");  // keeps a and x alive, so that nothing is placed where they were
    std::vector<uint8_t> barriers = tg::plan_memory(g, 4).barrier_before;
    barriers.resize(6);
    // x, a, b and the packing of b go on; the product waits for all of it, and the row by row work behind it again.
    CHECK(barriers == std::vector<uint8_t>{0, 0, 0, 0, 1, 1});
}

TEST_CASE("the arena is not smaller than what lives at once and not much larger") {
    double worst = 0.0;
    for (uint64_t seed = 1; seed <= 100; ++seed) {
        const RandomGraph r(seed, 60);
        const tg::MemoryPlan plan = tg::plan_memory(r.graph, 8);
        std::map<tg::ValueId, std::pair<int, int>> lives;
        const int n = static_cast<int>(r.graph.nodes().size());
        for (int i = 0; i < n; ++i) {
            const tg::Node& node = r.graph.nodes()[static_cast<size_t>(i)];
            for (const tg::ValueId id : {node.output, node.inputs[0], node.inputs[1]}) {
                if (id == tg::kNoValue) continue;
                lives.try_emplace(id, i, i).first->second.second = i;
            }
        }
        size_t most = 0, sum = 0;
        for (int i = 0; i < n; ++i) {
            size_t now = 0;
            for (const auto& [id, life] : lives) {
                if (life.first <= i && i <= life.second) now += plan.bytes[static_cast<size_t>(id)];
            }
            most = std::max(most, now);
        }
        for (const size_t bytes : plan.bytes) sum += bytes;
        CHECK(plan.arena_bytes >= most);
        CHECK(plan.arena_bytes <= sum);
        worst = std::max(worst, static_cast<double>(plan.arena_bytes) / static_cast<double>(most));
    }
    CHECK(worst < 1.6);
}

TEST_CASE("sizes grow with the rows, and sizes beyond any memory throw out_of_memory") {
    const RandomGraph r(3, 30);
    const size_t one = tg::plan_memory(r.graph, 1).arena_bytes, many = tg::plan_memory(r.graph, 512).arena_bytes;
    CHECK(one < many);
    CHECK(many <= 512 * one);
    try {
        tg::plan_memory(r.graph, int64_t{1} << 40);
        FAIL("no exception");
    } catch (const tg::Error& error) {
        CHECK(error.kind() == tg::ErrorKind::out_of_memory);
    }
}

TEST_CASE("the same graph gets the same plan") {
    const RandomGraph a(17, 50), b(17, 50);
    const tg::MemoryPlan x = tg::plan_memory(a.graph, 6), y = tg::plan_memory(b.graph, 6);
    CHECK(x.offsets == y.offsets);
    CHECK(x.barrier_before == y.barrier_before);
    CHECK(x.arena_bytes == y.arena_bytes);
}
