// Runs in pieces: a node is cut into as many pieces as its work asks for, a run can stop after each and goes on with the
// same bits, and the host's threads do the same without ever waiting for each other.
#include <doctest/doctest.h>

#include <chrono>
#include <cstring>
#include <string>
#include <vector>

#include "ggml-like/node_work.h"
#include "tests/support/graph_fixture.h"

namespace {

using Clock = std::chrono::steady_clock;
constexpr Clock::time_point kNow{};

kern::KernelSet best_kernels() {
    kern::KernelSet kernels;
    kern::select_kernels("", &kernels);
    return kernels;
}

// x -> W1 -> norm -> W2, W1 large enough for several pieces.
struct Block {
    explicit Block(const kern::KernelSet& kernels) : weights(kernels) {
        tg::ValueId x = graph.get_rows(weights.table(test::Random(1).reals(5 * 256), 256), "x");
        x = graph.mul_mat(weights.random(kern::QuantType::i2_s, 4096, 256, 2), x, "wide");
        x = graph.rms_norm(x, nullptr, 0, 1e-5f, "norm");
        x = graph.mul_mat(weights.random(kern::QuantType::i2_s, 128, 4096, 3), x, "narrow");
        graph.make_external(x, 0);
        plan = tg::plan_memory(graph, 5);
    }
    tg::Graph graph;
    test::WeightStore weights;
    tg::MemoryPlan plan;
};

std::vector<float> whole_run(Block& block, tg::RunInputs in, const kern::KernelSet& kernels) {
    const auto backend = tg::make_cpu_backend(*kernels.vec, 1, 5, 1);
    const auto arena = backend->allocate(block.plan.arena_bytes, "test");
    std::vector<float> out(5 * 128);
    in.external[0] = out.data();
    REQUIRE(backend->run(block.graph, block.plan, *arena, in, {}, nullptr) == tg::RunResult::done);
    return out;
}

void run_backwards(void*, void (*task)(void*, int32_t), void* arg, int32_t n_tasks) {
    for (int32_t i = n_tasks; i-- > 0;) task(arg, i);
}

}  // namespace

TEST_CASE("a run in pieces stops inside a matrix and gives the same bits on any number of threads") {
    const kern::KernelSet kernels = best_kernels();
    Block block(kernels);
    test::Feed feed(5);
    tg::RunInputs in = feed.inputs();
    const std::vector<float> expected = whole_run(block, in, kernels);
    for (const int n_threads : {1, 2, 3}) {
        CAPTURE(n_threads);
        const auto backend = tg::make_cpu_backend(*kernels.vec, n_threads, 5, 1);
        const auto arena = backend->allocate(block.plan.arena_bytes, "test");
        std::vector<float> out(5 * 128);
        in.external[0] = out.data();
        tg::GraphTrace trace, whole_trace;
        tg::RunCursor cursor;
        tg::RunResult result = tg::RunResult::more;
        int n_calls = 0, n_inside = 0;
        while (result == tg::RunResult::more) {
            result = backend->run_until(kNow, cursor, block.graph, block.plan, *arena, in, {}, &trace);
            ++n_calls;
            n_inside += cursor.piece > 0 ? 1 : 0;
        }
        CHECK(result == tg::RunResult::done);
        CHECK(out == expected);
        int64_t n_pieces = 0;
        for (const tg::Node& node : block.graph.nodes()) n_pieces += tg::piece_count(block.graph, node, in, n_threads);
        CHECK(n_calls == n_pieces);
        CHECK(n_inside == n_pieces - static_cast<int64_t>(block.graph.nodes().size()));
        CHECK(n_inside >= 5 / n_threads);
        REQUIRE(backend->run(block.graph, block.plan, *arena, in, {}, &whole_trace) == tg::RunResult::done);
        REQUIRE(trace.rows.size() == whole_trace.rows.size());
        for (size_t i = 0; i < trace.rows.size(); ++i) CHECK(trace.rows[i].checksum == whole_trace.rows[i].checksum);
        std::fill(out.begin(), out.end(), 0.0f);
        cursor = {};
        CHECK(backend->run_until(Clock::now() + std::chrono::hours(1), cursor, block.graph, block.plan, *arena, in, {},
                                 nullptr) == tg::RunResult::done);
        CHECK(out == expected);
    }
}

TEST_CASE("pieces grow in number with the work and never beyond the rows there are") {
    const kern::KernelSet kernels = best_kernels();
    Block block(kernels);
    const auto pieces = [&](size_t node, int64_t n_tokens, int n_threads) {
        test::Feed feed(n_tokens);
        return tg::piece_count(block.graph, block.graph.nodes()[node], feed.inputs(), n_threads);
    };
    for (size_t i = 0; i < block.graph.nodes().size(); ++i) {
        const tg::Node& node = block.graph.nodes()[i];
        CAPTURE(node.name);
        CHECK(pieces(i, 1, 1) >= 1);
        CHECK(pieces(i, 0, 3) == 1);
        if (node.op != tg::OpKind::mul_mat) continue;
        const int64_t work = node.params.weight->n_rows * node.params.weight->k;
        CHECK(pieces(i, 1, 1) == work / tg::kPieceWork + 1);
        CHECK(pieces(i, 1 << 20, 1) == (node.params.weight->n_rows + node.params.weight->kernel->row_tile - 1) /
                                           node.params.weight->kernel->row_tile);
        CHECK(pieces(i, 1 << 20, 1000000) == 1);
    }
}

TEST_CASE("a run in pieces stops where it is told to") {
    const kern::KernelSet kernels = best_kernels();
    Block block(kernels);
    test::Feed feed(5);
    tg::RunInputs in = feed.inputs();
    std::vector<float> out(5 * 128);
    in.external[0] = out.data();
    const auto backend = tg::make_cpu_backend(*kernels.vec, 2, 5, 1);
    const auto arena = backend->allocate(block.plan.arena_bytes, "test");
    for (int k = 0; k < 6; ++k) {
        int left = k;
        const tg::StopCheck stop{[](void* self) { return (*static_cast<int*>(self))-- == 0; }, &left};
        tg::RunCursor cursor;
        CHECK(backend->run_until(Clock::now() + std::chrono::hours(1), cursor, block.graph, block.plan, *arena, in,
                                 stop, nullptr) == tg::RunResult::stopped);
        CHECK(left == -1);
    }
}

TEST_CASE("a run up to a value gives it and leaves what comes after it alone") {
    const kern::KernelSet kernels = best_kernels();
    Block block(kernels);
    test::Feed feed(5);
    tg::RunInputs in = feed.inputs();
    const tg::ValueId wide = block.graph.nodes()[2].output;
    REQUIRE(block.graph.end_of(wide) == 3);
    CHECK(block.graph.end_of(block.graph.nodes().back().output) == block.graph.nodes().size());
    in.n_nodes = block.graph.end_of(wide);
    for (const int n_threads : {1, 2}) {
        const auto backend = tg::make_cpu_backend(*kernels.vec, n_threads, 5, 1);
        const auto arena = backend->allocate(block.plan.arena_bytes, "test");
        std::vector<float> out(5 * 128, 7.0f);
        in.external[0] = out.data();
        tg::GraphTrace trace;
        CHECK(backend->run(block.graph, block.plan, *arena, in, {}, &trace) == tg::RunResult::done);
        CHECK(trace.rows.size() == 3);
        CHECK(out == std::vector<float>(5 * 128, 7.0f));
    }
}

TEST_CASE("tasks of the host that run one after the other give the same bits, whole and in pieces") {
    const kern::KernelSet kernels = best_kernels();
    Block block(kernels);
    test::Feed feed(5);
    tg::RunInputs in = feed.inputs();
    const std::vector<float> expected = whole_run(block, in, kernels);
    for (const int n_threads : {1, 2, 5}) {
        const auto backend =
            tg::make_cpu_backend(*kernels.vec, tg::HostThreads{n_threads, run_backwards, nullptr}, 5, 1);
        CHECK(backend->n_threads() == n_threads);
        const auto arena = backend->allocate(block.plan.arena_bytes, "test");
        std::vector<float> out(5 * 128);
        in.external[0] = out.data();
        CHECK(backend->run(block.graph, block.plan, *arena, in, {}, nullptr) == tg::RunResult::done);
        CHECK(out == expected);
        std::fill(out.begin(), out.end(), 0.0f);
        tg::RunCursor cursor;
        while (backend->run_until(kNow, cursor, block.graph, block.plan, *arena, in, {}, nullptr) !=
               tg::RunResult::done) {
        }
        CHECK(out == expected);
    }
}
