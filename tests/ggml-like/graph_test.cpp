// Graph building: every shape that does not fit is refused with the node's name, and equal work is not done twice.
#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "ggml-like/graph.h"
#include "ggml-like/tensor_error.h"
#include "kernels/cpu/kernel_select.h"

namespace {

tg::Weight weight(const char* name, int64_t k, int64_t n_rows, kern::QuantType type = kern::QuantType::i2_s) {
    kern::KernelSet kernels;
    kern::select_kernels("scalar", &kernels);
    tg::Weight w;
    w.name = name;
    w.type = type;
    w.k = k;
    w.n_rows = n_rows;
    w.kernel = &kernels.for_type(type);
    return w;
}

int count(const tg::Graph& graph, tg::OpKind kind) {
    int n = 0;
    for (const tg::Node& node : graph.nodes()) n += node.op == kind ? 1 : 0;
    return n;
}

}  // namespace

TEST_CASE("a shape that does not fit throws a shape error that names the node and changes nothing") {
    const tg::Weight table = weight("table", 256, 10, kern::QuantType::f32), wide = weight("wide", 512, 10);
    tg::Weight homeless = weight("homeless", 256, 4);
    homeless.kernel = nullptr;
    const float norm[256] = {};
    tg::RopeParams rope, odd, none;
    rope.n_dims = 64;
    odd.n_dims = 63;
    none.n_dims = 0;

    tg::Graph g;
    const tg::ValueId x = g.get_rows(table, "x");
    const tg::ValueId k = g.mul_mat(weight("k", 256, 128), x, "k");
    const tg::ValueId angles = g.rope_table(rope, "angles");
    const tg::ValueId picked = g.pick_rows(x, "picked");
    const size_t n_nodes = g.nodes().size(), n_values = g.values().size();

    const struct {
        const char* what;
        std::function<void()> build;
    } rows[] = {
        {"an absent table", [&] { g.get_rows(tg::Weight(), "bad"); }},
        {"an odd rotated width", [&] { g.rope_table(odd, "bad"); }},
        {"no rotated width", [&] { g.rope_table(none, "bad"); }},
        {"a norm of another width", [&] { g.rms_norm(x, norm, 128, 1e-5f, "bad"); }},
        {"a matrix of another input width", [&] { g.mul_mat(wide, x, "bad"); }},
        {"a matrix without a kernel", [&] { g.mul_mat(homeless, x, "bad"); }},
        {"heads that do not fill the row", [&] { g.rope(x, angles, rope, 3, 64, "bad"); }},
        {"a rotated width above the head", [&] { g.rope(x, angles, rope, 8, 32, "bad"); }},
        {"a table of another rotated width", [&] { g.rope(x, k, rope, 4, 64, "bad"); }},
        {"keys and values of different width", [&] { g.kv_store(x, k, {}, 64, "bad"); }},
        {"keys that are not whole heads", [&] { g.kv_store(x, x, {}, 48, "bad"); }},
        {"query heads that do not fill the row", [&] { g.attention(x, {}, 3, 1, 64, "bad"); }},
        {"KV heads that do not divide", [&] { g.attention(x, {}, 4, 3, 64, "bad"); }},
        {"no KV heads", [&] { g.attention(x, {}, 4, 0, 64, "bad"); }},
        {"a sum of different widths", [&] { g.add(x, k, "bad"); }},
        {"a sum of different rows", [&] { g.add(x, picked, "bad"); }},
        {"a gate of another width", [&] { g.relu2_mul(x, k, "bad"); }},
        {"a SiLU gate of another width", [&] { g.silu_mul(k, x, "bad"); }},
        {"picking twice", [&] { g.pick_rows(picked, "bad"); }},
    };
    for (const auto& row : rows) {
        CAPTURE(std::string(row.what));
        try {
            row.build();
            FAIL("no exception");
        } catch (const tg::Error& error) {
            CHECK(error.kind() == tg::ErrorKind::shape);
            CHECK(error.message().find("'bad'") != std::string::npos);
            CHECK(error.message().find('\n') == std::string::npos);
        }
        CHECK(g.nodes().size() == n_nodes);
        CHECK(g.values().size() == n_values);
    }
}

TEST_CASE("a wrong input width names the weight, the value and both widths") {
    const tg::Weight table = weight("table", 256, 10, kern::QuantType::f32), wide = weight("blk.0.wide", 512, 10);
    tg::Graph g;
    const tg::ValueId x = g.get_rows(table, "embedding");
    try {
        g.mul_mat(wide, x, "node");
        FAIL("no exception");
    } catch (const tg::Error& error) {
        for (const char* part : {"node", "blk.0.wide", "embedding", "512", "256"}) {
            CAPTURE(part);
            CHECK(error.message().find(part) != std::string::npos);
        }
    }
}

TEST_CASE("builders give values of the right shape") {
    const tg::Weight table = weight("table", 256, 10, kern::QuantType::f32), up = weight("up", 256, 384);
    tg::Graph g;
    const tg::ValueId x = g.get_rows(table, "x");
    const tg::ValueId y = g.mul_mat(up, x, "y");
    const tg::ValueId p = g.pick_rows(y, "p");
    CHECK(g.value(x).width == 256);
    CHECK(g.value(y).width == 384);
    CHECK(g.value(y).rows == tg::Rows::tokens);
    CHECK(g.value(p).rows == tg::Rows::outputs);
    CHECK(g.value(g.add(p, p, "sum")).rows == tg::Rows::outputs);
    CHECK(g.value(g.rms_norm(p, nullptr, 0, 1e-5f, "norm")).rows == tg::Rows::outputs);
    g.make_external(p, 1);
    CHECK(g.value(p).home == tg::Home::external);
    CHECK(g.value(p).external_slot == 1);
}

TEST_CASE("activations are packed once for all matrices of one input and format") {
    const tg::Weight table = weight("table", 256, 10, kern::QuantType::f32);
    const tg::Weight q = weight("q", 256, 256), k = weight("k", 256, 128),
                     t = weight("t", 256, 64, kern::QuantType::tq2_0);
    const tg::Weight f = weight("f", 256, 8, kern::QuantType::f16);
    tg::Graph g;
    const tg::ValueId x = g.get_rows(table, "x");
    g.mul_mat(q, x, "q");
    g.mul_mat(k, x, "k");
    g.mul_mat(f, x, "f");  // reads floats: nothing to pack
    CHECK(count(g, tg::OpKind::pack_acts) == 1);
    g.mul_mat(t, x, "t");
    CHECK(count(g, tg::OpKind::pack_acts) == (t.kernel->act == q.kernel->act ? 1 : 2));
    const int so_far = count(g, tg::OpKind::pack_acts);
    g.mul_mat(q, g.rms_norm(x, nullptr, 0, 1e-5f, "other"), "q2");
    CHECK(count(g, tg::OpKind::pack_acts) == so_far + 1);
}

TEST_CASE("activations are packed again after their row was rotated in place") {
    const tg::Weight table = weight("table", 256, 10, kern::QuantType::f32), q = weight("q", 256, 256);
    tg::RopeParams rope;
    rope.n_dims = 64;
    tg::Graph g;
    const tg::ValueId x = g.get_rows(table, "x");
    const tg::ValueId angles = g.rope_table(rope, "angles");
    g.mul_mat(q, x, "before");
    g.rope(x, angles, rope, 4, 64, "turn");
    g.mul_mat(q, x, "after");
    g.mul_mat(q, x, "after too");
    CHECK(count(g, tg::OpKind::pack_acts) == 2);
}

TEST_CASE("a graph built without a cache gets one later, layer by layer, and knows what its lists take") {
    const tg::Weight table = weight("table", 256, 10, kern::QuantType::f32);
    const std::vector<tg::KvLayer> none(2);
    uint8_t cells[4] = {};
    tg::Graph g;
    const size_t empty = g.bytes();
    const tg::ValueId x = g.get_rows(table, "x");
    for (const tg::KvLayer& layer : none) {
        g.kv_store(x, x, layer, 64, "store");
        g.attention(x, layer, 4, 4, 64, "attention");
    }
    g.bind_kv({{cells, cells + 1}, {cells + 2, cells + 3}});
    std::vector<uint8_t*> bound;
    for (const tg::Node& node : g.nodes()) {
        if (node.op == tg::OpKind::kv_store || node.op == tg::OpKind::attention) bound.push_back(node.params.kv.k);
    }
    CHECK(bound == std::vector<uint8_t*>{cells, cells, cells + 2, cells + 2});
    CHECK_THROWS_AS(g.bind_kv({{cells, cells}}), tg::Error);
    CHECK(g.bytes() >= empty + 5 * sizeof(tg::Node) + 3 * sizeof(tg::Value));
    const size_t before = g.bytes();
    g.add(x, x, std::string(1000, 'n'));  // the name of the node and of its value
    CHECK(g.bytes() >= before + 2000);
}

TEST_CASE("the values across a border are those made before it and touched behind it, in place or not") {
    const tg::Weight table = weight("table", 256, 10, kern::QuantType::f32);
    const float norm[256] = {};
    tg::RopeParams rope;
    rope.n_dims = 64;
    tg::Graph graph;
    const tg::ValueId x = graph.get_rows(table, "x"), turns = graph.rope_table(rope, "turns");
    graph.rms_norm(x, norm, 256, 1e-5f, "read by nobody");
    graph.begin_place();
    graph.rope(x, turns, rope, 4, 64, "rope");
    graph.begin_place();
    graph.add(x, x, "sum");
    CHECK(graph.place_begins() == std::vector<size_t>{3, 4});
    CHECK(graph.values_across(0).empty());
    CHECK(graph.values_across(3) == std::vector<tg::ValueId>{x, turns});
    CHECK(graph.values_across(4) == std::vector<tg::ValueId>{x});
    CHECK(graph.values_across(5).empty());
}
