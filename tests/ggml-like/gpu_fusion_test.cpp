// What one launch does for several nodes, against the scalar kernels one after the other, bit for bit; and graphs in which values
// between such nodes are read by others too, so that a launch must not swallow them.
#include <doctest/doctest.h>

#include <deque>
#include <limits>
#include <memory>
#include <vector>

#include "ggml-like/gpu/backend_gpu.h"
#include "ggml-like/gpu/gpu_ops.h"
#include "ggml-like/gpu/launch_fusion.h"
#include "kernels/cpu/act_i8.h"
#include "kernels/cpu/vec_kernel_sets.h"
#include "kernels/f16_bits.h"
#include "tests/support/float_bits.h"
#include "tests/support/gpu_arrays.h"
#include "tests/support/graph_fixture.h"

namespace {

using kern::QuantType;
using kern::vec_scalar;
using kern::gpu::GateOp;
using kern::gpu::KernelId;
using test::difference;

// A GPU on which matrices are made from files' rows.
class Gpu : public test::GpuFixture {
public:
    Gpu() : weights(std::make_shared<tg::GpuWeights>(device)) {}
    ~Gpu() {
        weights.reset();
        CHECK(release() == "");
    }
    const tg::GpuWeight& load(const test::Matrix& m, const float* row_scales = nullptr, float out_scale = 1.0f) {
        loaded_.emplace_back();
        tg::Weight& w = loaded_.back();
        w.type = m.type;
        w.k = m.k;
        w.n_rows = m.n_rows;
        w.tensor_scale = m.scale;
        w.row_scales = row_scales;
        w.out_scale = out_scale;
        w.file_data = m.bytes.data();
        weights->add(w);
        return tg::on_gpu(w);
    }
    // Columns as products of that type want them.
    const void* columns(QuantType type, const std::vector<float>& x, int64_t k, int64_t n_cols) {
        const float* floats = put(x);
        if (!kern::quant_type_info(type).ternary) return floats;
        uint8_t* packed = room<uint8_t>(kern::act_bytes(k, n_cols));
        tg::gpu_pack_acts(*stream, floats, k, n_cols, packed);
        return packed;
    }

    std::shared_ptr<tg::GpuWeights> weights;

private:
    std::deque<tg::Weight> loaded_;
};

std::vector<float> product(const test::Matrix& m, const std::vector<float>& x, int64_t n_cols) {
    bool guards_ok = true;
    std::vector<float> out = test::run_mul_mat(test::scalar_kernel(m.type), m, x, {m.n_rows, n_cols}, &guards_ok);
    CHECK(guards_ok);
    return out;
}

std::vector<float> some_floats(int64_t n, uint32_t seed, uint32_t special_every) {
    return test::mixed_floats(static_cast<size_t>(n), seed, special_every);
}

}  // namespace

TEST_CASE(
    "a row that is normed and packed in one launch has the bytes of the two, and its floats where they are wanted") {
    for (const int64_t k : {128, 384, 2560, 6912, 8448}) {
        for (const bool weighted : {true, false}) {
            CAPTURE(k);
            constexpr int64_t kCols = 3;
            std::vector<float> x = some_floats(kCols * k, 1, 1000000);
            x[static_cast<size_t>(k + 5)] = test::float_of(0x7fc00000);  // column 1 becomes NaN
            const std::vector<float> weight = some_floats(k, 2, 300);
            std::vector<float> floats(x.size());
            for (int64_t c = 0; c < kCols; ++c) {
                vec_scalar.rms_norm(x.data() + c * k, weighted ? weight.data() : nullptr, 1e-5f, k,
                                    floats.data() + c * k);
            }
            const size_t n = kern::act_bytes(k, kCols);
            test::OffsetBytes bytes(n, 0);
            kern::act_i8_scalar.pack(floats.data(), k, k, kCols, 0, kCols, bytes.data());
            Gpu gpu;
            for (const bool keeps : {true, false}) {
                uint8_t* acts = gpu.room<uint8_t>(n);
                float* normed = gpu.room<float>(x.size());
                tg::gpu_norm_pack(*gpu.stream, gpu.put(x), weighted ? gpu.put(weight, 3) : nullptr, 1e-5f, k, kCols,
                                  keeps ? normed : nullptr, acts);
                CHECK(difference(gpu.get(acts, n), std::vector<uint8_t>(bytes.data(), bytes.data() + n)) == "");
                if (keeps) CHECK(difference(gpu.get(normed, x.size()), floats) == "");
            }
        }
    }
}

TEST_CASE("matrices that share their columns are multiplied in one launch to the bits of a launch each") {
    struct Shape {
        int64_t k, rows[3];
    };
    constexpr Shape kShapes[] = {{512, {70, 33, 1}}, {256, {5, 200, 17}}};
    for (const QuantType type : {QuantType::i2_s, QuantType::tq2_0, QuantType::f16, QuantType::q8_0}) {
        for (const Shape& shape : kShapes) {
            for (const int64_t cols : {1, 2, 4, 7, 35}) {
                CAPTURE(kern::quant_type_info(type).name);
                CAPTURE(cols);
                const std::vector<float> x = test::random_floats(static_cast<size_t>(shape.k * cols), 3);
                Gpu gpu;
                std::vector<test::Matrix> matrices;
                for (int i = 0; i < 3; ++i) {
                    matrices.push_back(test::random_matrix(type, shape.rows[i], shape.k, static_cast<uint64_t>(i) + 5));
                }
                std::vector<tg::GpuProduct> products;
                for (const test::Matrix& m : matrices) {
                    products.push_back({&gpu.load(m), gpu.room<float>(static_cast<size_t>(m.n_rows * cols))});
                }
                const uint64_t before = gpu.counters().n_launches;
                const void* columns = gpu.columns(type, x, shape.k, cols);
                const uint64_t packed = gpu.counters().n_launches - before;
                tg::gpu_mul_mats(*gpu.stream, products, columns, shape.k, cols);
                CHECK(gpu.counters().n_launches == before + packed + 1);
                for (size_t i = 0; i < products.size(); ++i) {
                    const std::vector<float> expected = product(matrices[i], x, cols);
                    CHECK(difference(gpu.get(products[i].out, expected.size()), expected) == "");
                }
            }
        }
    }
}

TEST_CASE("a gate's product, the other one and what the gate does to it are one launch") {
    struct Op {
        GateOp gpu;
        void (*cpu)(const float*, const float*, float*, int64_t);
    };
    const Op ops[] = {{GateOp::relu2, vec_scalar.relu2_mul},
                      {GateOp::silu, vec_scalar.silu_mul},
                      {GateOp::gelu, vec_scalar.gelu_mul}};
    for (const int64_t k : {128, 640, 2560, 4224}) {
        for (int64_t cols = 1; cols <= tg::kMostGatedColumns; ++cols) {
            const int64_t rows = k == 640 ? 130 : 19;
            const test::Matrix gate = test::random_matrix(QuantType::i2_s, rows, k, 1, 0, 3);
            const test::Matrix up = test::random_matrix(QuantType::i2_s, rows, k, 2, 0, 3);
            std::vector<float> x = test::random_floats(static_cast<size_t>(k * cols), 4);
            if (cols == 3) x[7] = std::numeric_limits<float>::infinity();
            std::vector<float> scales = test::random_floats(static_cast<size_t>(rows), 5);
            scales[3] = test::float_of(0x7fc00000);
            std::vector<float> g = product(gate, x, cols), u = product(up, x, cols);
            for (size_t i = 0; i < g.size(); ++i) {
                g[i] = kern::canonical_nan(g[i] * scales[i % static_cast<size_t>(rows)]);
                u[i] = kern::canonical_nan(u[i] * 0.37f);
            }
            Gpu gpu;
            const tg::GpuWeight &gpu_gate = gpu.load(gate, scales.data()), &gpu_up = gpu.load(up, nullptr, 0.37f);
            const void* columns = gpu.columns(QuantType::i2_s, x, k, cols);
            for (const Op& op : ops) {
                CAPTURE(k);
                CAPTURE(cols);
                CAPTURE(static_cast<int>(op.gpu));
                std::vector<float> expected(g.size());
                op.cpu(g.data(), u.data(), expected.data(), static_cast<int64_t>(g.size()));
                float* out = gpu.room<float>(g.size());
                tg::gpu_gated_mul_mat(*gpu.stream, gpu_gate, gpu_up, op.gpu, columns, cols, out);
                CHECK(difference(gpu.get(out, g.size()), expected) == "");
            }
        }
    }
}

TEST_CASE("few rows are shared by whole warps, many by eight lanes, to the same bits") {
    for (const int64_t k : {128, 2048, 2176, 6912}) {
        for (const int64_t rows : {1, 9, 63, 64, 65, 200}) {
            const test::Matrix m = test::random_matrix(QuantType::i2_s, rows, k, static_cast<uint64_t>(k + rows), 0, 3);
            const std::vector<float> x = test::random_floats(static_cast<size_t>(k), 6);
            Gpu gpu;
            const tg::GpuWeight& weight = gpu.load(m);
            float* out = gpu.room<float>(static_cast<size_t>(rows));
            tg::gpu_mul_mat(*gpu.stream, weight, gpu.columns(QuantType::i2_s, x, k, 1), k, 1, out);
            CAPTURE(k);
            CAPTURE(rows);
            CHECK(difference(gpu.get(out, static_cast<size_t>(rows)), product(m, x, 1)) == "");
            // Four multiprocessors, which want eight blocks of at least 64 threads.
            CHECK(gpu.counters().n_launches_of[static_cast<size_t>(KernelId::i2s_row_1)] == (rows <= 56 ? 1 : 0));
        }
    }
}

TEST_CASE("queries turn, and keys turn on their way into the cache, in one launch") {
    constexpr int64_t kTokens = 3, kHeads = 4, kHeadsKv = 2;
    constexpr int32_t kSlots = 7;
    struct Head {
        int64_t dim, n_dims;
    };
    constexpr Head kHeadShapes[] = {{64, 64}, {96, 40}, {32, 2}};
    const std::vector<int32_t> cells = {4, 0, 6};
    for (const kern::KvType type : {kern::KvType::f16, kern::KvType::q8_0, kern::KvType::q4_0}) {
        for (const Head& head : kHeadShapes) {
            for (const bool halves : {true, false}) {
                const int64_t dim = head.dim, n_dims = head.n_dims;
                std::vector<float> q = some_floats(kTokens * kHeads * dim, 1, 50);
                std::vector<float> k =
                    some_floats(kTokens * kHeadsKv * dim, 2, type == kern::KvType::f16 ? 50 : 1000000);
                const std::vector<float> v = some_floats(kTokens * kHeadsKv * dim, 3, 1000000);
                const std::vector<float> table = test::random_floats(static_cast<size_t>(kTokens * n_dims), 4);
                std::vector<uint8_t> cache(static_cast<size_t>(kHeadsKv * kSlots * kern::kv_head_bytes(type, dim)),
                                           0xa5);
                std::vector<uint8_t> on_cpu[2] = {cache, cache};
                Gpu gpu;
                tg::KvLayer kv;
                kv.k = gpu.put(cache);
                kv.v = gpu.put(cache);
                kv.k_type = kv.v_type = type;
                kv.n_cells = kSlots;
                tg::GpuRopeStore work;
                work.q = gpu.put(q);
                const float* on_k = gpu.put(k);
                work.k = on_k;
                work.v = gpu.put(v);
                work.table = gpu.put(table);
                work.n_head = kHeads;
                work.n_head_kv = kHeadsKv;
                work.head_dim = dim;
                work.n_dims = n_dims;
                work.halves = halves;
                tg::gpu_rope_store(*gpu.stream, kv, work, gpu.put(cells), kTokens);
                CHECK(difference(gpu.get(on_k, k.size()), k) == "");  // as they were
                const auto turn = [&](std::vector<float>& rows, int64_t n_head) {
                    for (int64_t i = 0; i < kTokens * n_head; ++i) {
                        (halves ? vec_scalar.rope_halves : vec_scalar.rope_pairs)(
                            rows.data() + i * dim, table.data() + i / n_head * n_dims, n_dims);
                    }
                };
                turn(q, kHeads);
                turn(k, kHeadsKv);
                for (int64_t i = 0; i < kTokens * kHeadsKv; ++i) {
                    const int64_t place = i % kHeadsKv * kSlots + cells[static_cast<size_t>(i / kHeadsKv)];
                    const size_t at = static_cast<size_t>(place * kern::kv_head_bytes(type, dim));
                    vec_scalar.f32_to_kv(type, k.data() + i * dim, dim, on_cpu[0].data() + at);
                    vec_scalar.f32_to_kv(type, v.data() + i * dim, dim, on_cpu[1].data() + at);
                }
                CAPTURE(dim);
                CAPTURE(static_cast<int>(type));
                CAPTURE(halves);
                CHECK(difference(gpu.get(work.q, q.size()), q) == "");
                CHECK(difference(gpu.get(kv.k, cache.size()), on_cpu[0]) == "");
                CHECK(difference(gpu.get(kv.v, cache.size()), on_cpu[1]) == "");
            }
        }
    }
}

namespace {

constexpr int64_t kWidth = 256;

// A small graph over ternary weights: what it hands out is run on a GPU and on the CPU.
struct Small {
    Small() : kernels(scalar_set()), store(kernels) {
        x = graph.get_rows(table(8), "x");
        y = graph.get_rows(table(9), "y");
    }
    static kern::KernelSet scalar_set() {
        kern::KernelSet set;
        kern::select_kernels("scalar", &set);
        return set;
    }
    const tg::Weight& table(uint32_t seed) {
        store.table(test::random_floats(static_cast<size_t>(8 * kWidth), seed), kWidth);
        return *all.emplace_back(&store.last());
    }
    tg::ValueId times(tg::ValueId value, uint64_t seed, QuantType type = QuantType::i2_s) {
        store.random(type, kWidth, kWidth, seed);
        return graph.mul_mat(*all.emplace_back(&store.last()), value, "product");
    }
    tg::ValueId norm(tg::ValueId value) { return graph.rms_norm(value, nullptr, 0, 1e-5f, "norm"); }

    const kern::KernelSet kernels;
    test::WeightStore store;
    std::vector<tg::Weight*> all;
    tg::Graph graph;
    tg::ValueId x, y;
};

struct Case {
    const char* name;
    uint64_t n_launches;  // for two tokens
    tg::ValueId (*build)(Small&);
};

// Each begins with the launches of two get_rows.
const Case kCases[] = {
    {"a normed row, packed, times three", 2 + 2 + 2,
     [](Small& s) {
         const tg::ValueId h = s.norm(s.x);
         const tg::ValueId a = s.times(h, 1), b = s.times(h, 2), c = s.times(h, 3);
         return s.graph.silu_mul(c, s.graph.silu_mul(a, b, "ab"), "abc");
     }},
    {"the norm's floats have another reader", 2 + 2 + 1,
     [](Small& s) {
         const tg::ValueId h = s.norm(s.x);
         return s.graph.silu_mul(h, s.times(h, 1), "out");
     }},
    {"a gate", 2 + 2,
     [](Small& s) {
         const tg::ValueId h = s.norm(s.x);
         const tg::ValueId gate = s.times(h, 1), up = s.times(h, 2);
         return s.graph.gelu_mul(gate, up, "out");
     }},
    {"a gate the other way around is no pattern", 2 + 2 + 1,
     [](Small& s) {
         const tg::ValueId h = s.norm(s.x);
         const tg::ValueId up = s.times(h, 1), gate = s.times(h, 2);
         return s.graph.relu2_mul(gate, up, "out");
     }},
    {"the gate's product has another reader", 2 + 2 + 2,
     [](Small& s) {
         const tg::ValueId h = s.norm(s.x);
         const tg::ValueId gate = s.times(h, 1), up = s.times(h, 2);
         const tg::ValueId out = s.graph.relu2_mul(gate, up, "out");
         return s.graph.add(out, gate, "more");
     }},
    {"a product is added to a row", 2 + 2, [](Small& s) { return s.graph.add(s.y, s.times(s.norm(s.x), 1), "out"); }},
    {"a row is added to a product", 2 + 2, [](Small& s) { return s.graph.add(s.times(s.norm(s.x), 1), s.y, "out"); }},
    {"a normed row is added to a row", 2 + 1, [](Small& s) { return s.graph.add(s.y, s.norm(s.x), "out"); }},
    {"a row is added to itself, normed", 2 + 1, [](Small& s) { return s.graph.add(s.norm(s.x), s.x, "out"); }},
    {"the normed row that is added has another reader", 2 + 3,
     [](Small& s) {
         const tg::ValueId h = s.norm(s.x);
         return s.graph.silu_mul(s.graph.add(s.y, h, "sum"), h, "out");
     }},
    {"a product is added to itself", 2 + 3,
     [](Small& s) {
         const tg::ValueId a = s.times(s.norm(s.x), 1);
         return s.graph.add(a, a, "out");
     }},
    {"the product that is added has another reader", 2 + 4,
     [](Small& s) {
         const tg::ValueId a = s.times(s.norm(s.x), 1);
         return s.graph.silu_mul(s.graph.add(s.y, a, "sum"), a, "out");
     }},
    {"matrices of different types share nothing but their input", 2 + 1 + 1 + 2 + 1,
     [](Small& s) {
         const tg::ValueId h = s.norm(s.x);
         const tg::ValueId a = s.times(h, 1), b = s.times(h, 2, QuantType::f16);
         const tg::ValueId c = s.times(h, 3, QuantType::f16);
         return s.graph.silu_mul(c, s.graph.silu_mul(a, b, "ab"), "abc");
     }},
    {"four products: three and one", 2 + 1 + 2 + 3,
     [](Small& s) {
         const tg::ValueId h = s.norm(s.x);
         const tg::ValueId a = s.times(h, 1), b = s.times(h, 2), c = s.times(h, 3), d = s.times(h, 4);
         return s.graph.silu_mul(s.graph.silu_mul(a, b, "ab"), s.graph.silu_mul(c, d, "cd"), "abcd");
     }},
};

}  // namespace

TEST_CASE("graphs are launched by as few kernels as their values allow, to the CPU's bits") {
    for (const Case& each : kCases) {
        CAPTURE(each.name);
        Small s;
        const tg::ValueId out = each.build(s);
        test::Feed feed(2);
        const std::vector<float> expected = test::run_graph(s.graph, out, s.kernels, 1, feed);
        Gpu gpu;
        for (tg::Weight* weight : s.all) gpu.weights->add(*weight);
        const tg::RunInputs inputs = feed.inputs();
        for (const bool together : {true, false}) {
            const tg::MemoryPlan plan =
                tg::plan_memory(s.graph, 2, together ? tg::nodes_launched_together(s.graph) : std::vector<uint8_t>());
            const auto backend = tg::make_gpu_backend(
                gpu.weights, {.max_rows = 2, .max_cells = 8, .n_head = 1, .n_head_kv = 1, .head_dim = kWidth});
            const auto arena = backend->allocate(plan.arena_bytes, "test");
            std::vector<float> actual(expected.size());
            tg::RunInputs in = inputs;
            in.external[0] = actual.data();
            const uint64_t before = gpu.counters().n_launches;
            CHECK(backend->run(s.graph, plan, *arena, in, {}, nullptr) == tg::RunResult::done);
            CHECK(gpu.counters().n_launches - before == (together ? each.n_launches : s.graph.nodes().size()));
            CHECK(difference(actual, expected) == "");
        }
    }
}

namespace {

// A layer as the official model has it: norms within, relu^2, grouped heads.
struct Layer : Small {
    static constexpr int32_t kHeads = 4, kHeadsKv = 2, kHeadDim = 64;
    static constexpr int64_t kCells = 16, kInner = 384;

    Layer() {
        tg::RopeParams rope;
        rope.n_dims = kHeadDim;
        rope.halves = true;
        const tg::ValueId table = graph.rope_table(rope, "angles");
        const tg::ValueId h = normed(x, kWidth);
        const tg::ValueId q = times(h, kWidth, 1), k = times(h, kHeadsKv * kHeadDim, 2),
                          v = times(h, kHeadsKv * kHeadDim, 3);
        graph.rope(q, table, rope, kHeads, kHeadDim, "rope_q");
        graph.rope(k, table, rope, kHeadsKv, kHeadDim, "rope_k");
        graph.kv_store(k, v, {}, kHeadDim, "store");
        const tg::ValueId a = graph.attention(q, {}, kHeads, kHeadsKv, kHeadDim, "attention");
        const tg::ValueId sum = graph.add(x, times(normed(a, kWidth), kWidth, 4), "sum");
        const tg::ValueId f = normed(sum, kWidth);
        const tg::ValueId gate = times(f, kInner, 5), up = times(f, kInner, 6);
        const tg::ValueId z = normed(graph.relu2_mul(gate, up, "gated"), kInner);
        out = graph.add(sum, times(z, kWidth, 7), "out");
    }
    tg::ValueId normed(tg::ValueId value, int64_t width) {
        norms.push_back(test::random_floats(static_cast<size_t>(width), static_cast<uint32_t>(norms.size()) + 20));
        return graph.rms_norm(value, norms.back().data(), width, 1e-5f, "norm");
    }
    tg::ValueId times(tg::ValueId value, int64_t n_rows, uint64_t seed) {
        store.random(QuantType::i2_s, n_rows, graph.value(value).width, seed);
        return graph.mul_mat(*all.emplace_back(&store.last()), value, "product");
    }
    static size_t cache_bytes() {
        return static_cast<size_t>(kHeadsKv * kCells * kern::kv_head_bytes(kern::KvType::f16, kHeadDim));
    }
    void bind(uint8_t* k, uint8_t* v) { graph.bind_kv({{k, v, kern::KvType::f16, kern::KvType::f16, kCells}}); }

    std::deque<std::vector<float>> norms;
    tg::ValueId out;
};

}  // namespace

TEST_CASE("a layer of a ternary model is eleven launches, recorded or not, and twelve for a prompt") {
    Gpu gpu;
    for (const int64_t n_tokens : {1, 3, 6}) {
        CAPTURE(n_tokens);
        Layer layer;
        std::vector<uint8_t> k(Layer::cache_bytes()), v(Layer::cache_bytes());
        test::Feed feed(n_tokens);
        layer.bind(k.data(), v.data());
        const std::vector<float> expected = test::run_graph(layer.graph, layer.out, layer.kernels, 1, feed);
        for (tg::Weight* weight : layer.all) gpu.weights->add(*weight);
        for (const std::vector<float>& norm : layer.norms) gpu.weights->add_floats(norm.data(), norm.size(), "norm");
        layer.bind(gpu.room<uint8_t>(k.size()), gpu.room<uint8_t>(v.size()));
        const tg::MemoryPlan plan = tg::plan_memory(layer.graph, n_tokens, tg::nodes_launched_together(layer.graph));
        const auto backend = tg::make_gpu_backend(gpu.weights, {.max_rows = n_tokens,
                                                                .max_cells = Layer::kCells,
                                                                .n_head = Layer::kHeads,
                                                                .n_head_kv = Layer::kHeadsKv,
                                                                .head_dim = Layer::kHeadDim});
        const auto arena = backend->allocate(plan.arena_bytes, "test");
        constexpr uint64_t kOwn = 3;  // two tables of rows, one of which nobody reads, and the angles
        for (uint64_t run = 0; run < 3; ++run) {
            std::vector<float> actual(expected.size());
            tg::RunInputs inputs = feed.inputs();
            inputs.external[0] = actual.data();
            const test::VirtualCounters before = gpu.counters();
            CHECK(backend->run(layer.graph, plan, *arena, inputs, {}, nullptr) == tg::RunResult::done);
            CHECK(gpu.counters().n_launches - before.n_launches ==
                  kOwn + (n_tokens <= tg::kMostGatedColumns ? 11 : 12));
            CHECK(gpu.counters().n_replays - before.n_replays == (run == 0 ? 0 : 1));
            CHECK(difference(actual, expected) == "");
        }
    }
}
