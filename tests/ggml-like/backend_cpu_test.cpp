// How the CPU backend walks a graph: it stops where it is told to and never hangs, a trace tells what ran without
// changing it, and one backend runs graph after graph.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/graph_fixture.h"

namespace {

// A chain of small products, each of which all threads must wait for.
struct Chain {
    explicit Chain(const kern::KernelSet& kernels, int n_products) : weights(kernels) {
        tg::ValueId x = graph.get_rows(weights.table(test::Random(1).reals(3 * 128), 128), "x");
        for (int i = 0; i < n_products; ++i) {
            x = graph.mul_mat(weights.random(kern::QuantType::i2_s, 128, 128, 5 + static_cast<uint64_t>(i)), x,
                              "mul." + std::to_string(i));
        }
        graph.make_external(x, 0);
        plan = tg::plan_memory(graph, 3);
    }
    tg::Graph graph;
    test::WeightStore weights;
    tg::MemoryPlan plan;
};

struct Countdown {
    long left;
    long polls = 0;
    static bool stop(void* self) {
        Countdown& c = *static_cast<Countdown*>(self);
        ++c.polls;
        return c.left-- == 0;
    }
};

kern::KernelSet best_kernels() {
    kern::KernelSet kernels;
    kern::select_kernels("", &kernels);
    return kernels;
}

}  // namespace

TEST_CASE("a run stops after any number of polls, on every thread, and the next run is right") {
    const kern::KernelSet kernels = best_kernels();
    Chain chain(kernels, 12);
    test::Feed feed(3);
    tg::RunInputs in = feed.inputs();
    std::vector<float> expected(3 * 128), out(3 * 128);
    for (int n_threads = 1; n_threads <= 5; ++n_threads) {
        CAPTURE(n_threads);
        const auto backend = tg::make_cpu_backend(*kernels.vec, n_threads, 3, 1);
        const auto arena = backend->allocate(chain.plan.arena_bytes, "test");
        Countdown never{-1};
        in.external[0] = n_threads == 1 ? expected.data() : out.data();
        REQUIRE(backend->run(chain.graph, chain.plan, *arena, in, {Countdown::stop, &never}, nullptr) ==
                tg::RunResult::done);
        const long polls = never.polls;
        CHECK(polls > 12);
        in.external[0] = out.data();
        for (long k = 0; k <= polls; ++k) {
            Countdown countdown{k};
            const tg::RunResult result =
                backend->run(chain.graph, chain.plan, *arena, in, {Countdown::stop, &countdown}, nullptr);
            CHECK(result == (k < polls ? tg::RunResult::stopped : tg::RunResult::done));
            CHECK(countdown.polls == std::min(k + 1, polls));
        }
        CHECK(out == expected);
    }
}

// A thread may leave the meeting before one node so late that another has already decided to stop before the next: it
// must still come to that meeting. The stop is asked for whenever thread 0 sees that somebody is late in this way.
TEST_CASE("stopping never leaves a thread waiting for one that has gone") {
    static std::atomic<int> entered[64];
    kern::MulMatKernel counting = best_kernels().for_type(kern::QuantType::f32);
    counting.row_tile = 1;
    counting.run = [](const kern::MulMatArgs& args) {
        const int node = *static_cast<const uint8_t*>(args.weights);
        ++entered[node];
        // Thread 0 keeps the others waiting until they sleep; it then runs ahead while they wake up.
        if (args.row_begin == 0 && node % 2 == 0) std::this_thread::sleep_for(std::chrono::microseconds(300));
    };
    kern::KernelSet kernels = best_kernels();
    kernels.mul_mat[static_cast<int>(kern::QuantType::f32)] = &counting;

    constexpr int kNodes = 40;
    std::vector<uint8_t> number(kNodes);
    std::vector<tg::Weight> weights(kNodes);
    const std::vector<float> row(16);
    test::WeightStore store(best_kernels());
    tg::Graph graph;
    tg::ValueId x = graph.get_rows(store.table(row, 16), "x");
    for (int i = 0; i < kNodes; ++i) {
        tg::Weight& w = weights[static_cast<size_t>(i)];
        number[static_cast<size_t>(i)] = static_cast<uint8_t>(i);
        w.k = w.n_rows = 16;
        w.kernel = &counting;
        w.data = &number[static_cast<size_t>(i)];
        x = graph.mul_mat(w, x, "mul");
    }
    const tg::MemoryPlan plan = tg::plan_memory(graph, 1);

    struct Late {
        int n_threads;
        int poll = 0;
        // Poll 0 comes before everything, poll 1 before the first product, poll p before product p - 1.
        static bool stop(void* self) {
            Late& late = *static_cast<Late*>(self);
            const int before = late.poll++ - 2;
            return before >= 0 && entered[before] < late.n_threads;
        }
    };
    test::Feed feed(1);
    int stopped = 0;
    for (const int n_threads : {2, 3, 5}) {
        const auto backend = tg::make_cpu_backend(*kernels.vec, n_threads, 1, 1);
        const auto arena = backend->allocate(plan.arena_bytes, "test");
        for (int i = 0; i < 100; ++i) {
            for (auto& count : entered) count = 0;
            Late late{n_threads};
            stopped += backend->run(graph, plan, *arena, feed.inputs(), {Late::stop, &late}, nullptr) ==
                       tg::RunResult::stopped;
        }
    }
    CHECK(stopped > 0);
}

TEST_CASE(
    "row by row work taken a few rows at a time gives the bits of one node after the other, on any number of threads") {
    const kern::KernelSet kernels = best_kernels();
    test::WeightStore weights(kernels);
    for (const int64_t n_tokens : {1, 9, 70, 131}) {
        tg::Graph graph;  // two blocks of a feed-forward network, whose values take each other's places in memory
        const std::vector<float> embedding = test::Random(3).reals(static_cast<size_t>(n_tokens * 256));
        tg::ValueId x = graph.get_rows(weights.table(embedding, 256), "x");
        for (uint64_t i = 0; i < 2; ++i) {
            const tg::ValueId h = graph.rms_norm(x, nullptr, 0, 1e-5f, "norm");
            const tg::ValueId gate = graph.mul_mat(weights.random(kern::QuantType::i2_s, 512, 256, 30 + i), h, "gate");
            const tg::ValueId up = graph.mul_mat(weights.random(kern::QuantType::i2_s, 512, 256, 40 + i), h, "up");
            const tg::ValueId z = graph.rms_norm(graph.relu2_mul(gate, up, "relu2"), nullptr, 0, 1e-5f, "sub_norm");
            x = graph.add(x, graph.mul_mat(weights.random(kern::QuantType::i2_s, 256, 512, 50 + i), z, "down"), "sum");
        }
        test::Feed feed(n_tokens);
        tg::GraphTrace trace;  // a traced run takes node after node
        const std::vector<float> expected = test::run_graph(graph, x, kernels, 1, feed, &trace);
        for (const int n_threads : {1, 2, 3}) {
            CAPTURE(n_tokens);
            CAPTURE(n_threads);
            const std::vector<float> out = test::run_graph(graph, x, kernels, n_threads, feed);
            REQUIRE(out.size() == expected.size());
            CHECK(std::memcmp(out.data(), expected.data(), out.size() * sizeof(float)) == 0);
        }
    }
}

TEST_CASE("a trace has a row for every node, with the checksum of what the node gave") {
    const kern::KernelSet kernels = best_kernels();
    Chain chain(kernels, 4);
    test::Feed feed(3);
    for (const int n_threads : {1, 3}) {
        tg::GraphTrace trace;
        tg::RunInputs in = feed.inputs();
        std::vector<float> traced(3 * 128), plain(3 * 128);
        const auto backend = tg::make_cpu_backend(*kernels.vec, n_threads, 3, 1);
        const auto arena = backend->allocate(chain.plan.arena_bytes, "test");
        in.external[0] = plain.data();
        REQUIRE(backend->run(chain.graph, chain.plan, *arena, in, {}, nullptr) == tg::RunResult::done);
        in.external[0] = traced.data();
        REQUIRE(backend->run(chain.graph, chain.plan, *arena, in, {}, &trace) == tg::RunResult::done);
        CHECK(traced == plain);
        REQUIRE(trace.rows.size() == chain.graph.nodes().size());
        for (size_t i = 0; i < trace.rows.size(); ++i) {
            const tg::Node& node = chain.graph.nodes()[i];
            const tg::TraceRow& row = trace.rows[i];
            CHECK(row.name == node.name);
            CHECK(std::string(row.op) == tg::op_row(node.op).name);
            CHECK(row.rows == 3);
            const bool product = node.op == tg::OpKind::mul_mat;
            CHECK(std::string(row.kernel) == (product ? node.params.weight->kernel->name : kernels.vec->name));
            CHECK((row.checksum != 0) == (chain.graph.value(node.output).type == tg::ValueType::f32));
        }
        CHECK(trace.rows.back().checksum == tg::checksum_bytes(plain.data(), plain.size() * sizeof(float)));
    }
}

TEST_CASE("a traced run can be stopped, too") {
    const kern::KernelSet kernels = best_kernels();
    Chain chain(kernels, 3);
    test::Feed feed(2);
    tg::RunInputs in = feed.inputs();
    std::vector<float> out(2 * 128);
    in.external[0] = out.data();
    const auto backend = tg::make_cpu_backend(*kernels.vec, 3, 3, 1);
    const auto arena = backend->allocate(chain.plan.arena_bytes, "test");
    for (long k = 0; k < static_cast<long>(chain.graph.nodes().size()); ++k) {
        tg::GraphTrace trace;
        Countdown countdown{k};
        CHECK(backend->run(chain.graph, chain.plan, *arena, in, {Countdown::stop, &countdown}, &trace) ==
              tg::RunResult::stopped);
    }
}

TEST_CASE("upload and download copy bytes at an offset, and sizes are told") {
    const kern::KernelSet kernels = best_kernels();
    const auto backend = tg::make_cpu_backend(*kernels.vec, 2, 33, 3);
    CHECK(std::string(backend->name()) == "cpu");
    CHECK(backend->n_threads() == 2);
    CHECK(backend->scratch_bytes() == size_t{2} * 48 * 64 * sizeof(float));  // rows for several tokens
    CHECK(tg::cpu_backend_scratch_bytes(1, 100000, 3) == size_t{100000} * 3 * sizeof(float));
    const auto buffer = backend->allocate(100, "test");
    CHECK(buffer->size() == 100);
    const char text[] = "seven";
    char back[sizeof text] = {};
    backend->upload(*buffer, 90, text, sizeof text);
    backend->synchronize();
    backend->download(*buffer, 90, back, sizeof back);
    CHECK(std::string(back) == text);
}
