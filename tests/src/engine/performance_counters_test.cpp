// The counters of a context under threads that read them: no part is ever greater than its whole, and nothing is lost.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "src/context/performance_counters.h"

using namespace bitnet;

TEST_CASE("readers beside a writing thread never see a part above its whole") {
    PerformanceCounters counters;
    std::atomic<bool> done{false};
    std::atomic<uint64_t> n_wrong{0}, n_reads{0};
    std::vector<std::thread> readers;
    for (int i = 0; i < 3; ++i) {
        readers.emplace_back([&] {
            uint64_t last_total = 0;
            do {
                const PerformanceCounters::Values v = counters.read();
                const bool right = v.forward_us <= v.total_us && v.sampling_us <= v.total_us &&
                                   v.detokenize_us <= v.total_us && v.encode_us <= v.total_us &&
                                   v.n_reused <= v.n_prompt && v.total_us >= last_total &&
                                   v.forward_us + v.sampling_us + v.detokenize_us + v.encode_us <= v.total_us;
                if (!right) ++n_wrong;
                last_total = v.total_us;
                ++n_reads;
            } while (!done.load());
        });
    }
    constexpr uint64_t kSteps = 20000;
    for (uint64_t i = 0; i < kSteps; ++i) {
        counters.add_encode(2);
        counters.add_prompt(3, 4);
        counters.add_forward(1000);
        counters.add_step(30, 10, 20);
        counters.count_token();
        counters.add_other_token(1030);
        counters.count_inference();
    }
    while (n_reads.load() < 10) std::this_thread::yield();
    done = true;
    for (std::thread& reader : readers) reader.join();
    CHECK(n_wrong.load() == 0);
    const PerformanceCounters::Values v = counters.read();
    CHECK(v.n_tokens == kSteps);
    CHECK(v.n_inferences == kSteps);
    CHECK(v.n_decodes == kSteps);
    CHECK(v.total_us == kSteps * 1032);
    CHECK(v.other_us == kSteps * 1030);
    CHECK(v.n_reused == kSteps * 3);
    counters.reset();
    const PerformanceCounters::Values zero = counters.read();
    CHECK(zero.total_us + zero.n_tokens + zero.n_prompt + zero.n_decodes + zero.n_encodes + zero.forward_us == 0);
}

TEST_CASE("counters of several writers add up") {
    PerformanceCounters counters;
    std::vector<std::thread> writers;
    for (int i = 0; i < 4; ++i) {
        writers.emplace_back([&] {
            for (int n = 0; n < 5000; ++n) {
                counters.add_forward(1);
                counters.count_error();
            }
        });
    }
    for (std::thread& writer : writers) writer.join();
    CHECK(counters.read().n_decodes == 20000);
    CHECK(counters.read().n_errors == 20000);
    CHECK(counters.forward_us() == 20000);
}
