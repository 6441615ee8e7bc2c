// Figures of an engine on a clock of the test's own.
#include "server/engine/engine_counters.h"

#include <doctest/doctest.h>

using namespace serve;
using namespace std::chrono_literals;

namespace {

const SteadyTime kStart{1000h};

Usage usage_of(uint64_t total_us, uint64_t queue_us) {
    Usage usage;
    usage.total_us = total_us;
    usage.queue_us = queue_us;
    usage.reused_tokens = 3;
    return usage;
}

}  // namespace

TEST_CASE("tokens per second are those of the last ten seconds, of the time in which something was computed") {
    TokenRate rate;
    CHECK(rate.per_second(kStart) == 0);
    rate.add(kStart, 50, 500'000);
    rate.add(kStart + 1s, 50, 500'000);
    CHECK(rate.per_second(kStart + 2s) == doctest::Approx(100));
    rate.add(kStart + 6s, 0, 1'000'000);  // a prompt: time without a token
    CHECK(rate.per_second(kStart + 6s) == doctest::Approx(50));
    CHECK(rate.per_second(kStart + 12s) == 0);
    CHECK(rate.per_second(kStart + 1h) == 0);
    rate.add(kStart + 1h, 10, 100'000);  // what the place held before is gone
    CHECK(rate.per_second(kStart + 1h) == doctest::Approx(100));
}

TEST_CASE("an engine stalls when it has work and does not get on, and only then") {
    EngineCounters counters(kStart);
    CHECK(counters.read(kStart + 1h).stalled == 0ms);
    counters.queued(kStart + 1h, true);
    CHECK(counters.read(kStart + 1h + 3s).stalled == 3s);
    counters.queued(kStart + 1h + 4s, false);  // more work is no progress
    CHECK(counters.read(kStart + 1h + 5s).stalled == 5s);
    CHECK(counters.read(kStart + 1h + 5s).waiting == 2);
    counters.pass(kStart + 1h + 6s, 1000, 2, 0, 2);
    CHECK(counters.read(kStart + 1h + 7s).stalled == 1s);
    counters.set_load(0, 0);
    CHECK(counters.read(kStart + 2h).stalled == 0ms);
}

TEST_CASE("the time to come again is what the waiting texts will take, by what texts took") {
    EngineCounters counters(kStart);
    CHECK(counters.retry_after_s(100, 4) == 1);                                           // nothing is known yet
    for (int i = 0; i < 100; i++) counters.ended(usage_of(6'000'000, 4'000'000), false);  // two seconds each
    CHECK(counters.retry_after_s(100, 4) == 50);
    CHECK(counters.retry_after_s(100, 1) == 200);
    CHECK(counters.retry_after_s(100000, 1) == 300);
    CHECK(counters.retry_after_s(0, 1) == 1);
}

TEST_CASE("sums and speeds of passes are kept") {
    EngineCounters counters(kStart);
    counters.pass(kStart, 10'000, 3, 100, 0);
    CHECK(counters.prompt_tokens_per_ms() == doctest::Approx(10));
    counters.pass(kStart, 10'000, 3, 2, 2);  // too few tokens of a prompt to say how fast it goes
    CHECK(counters.prompt_tokens_per_ms() == doctest::Approx(10));
    counters.ended(usage_of(10, 4), true);
    counters.ended(usage_of(10, 4), false);
    counters.set_room(77, 5);
    const EngineStats stats = counters.read(kStart);
    CHECK(stats.batches == 2);
    CHECK(stats.batched_texts == 6);
    CHECK(stats.prompt_tokens == 102);
    CHECK(stats.generated_tokens == 2);
    CHECK(stats.decode_us == 10'000);
    CHECK(stats.requests == 2);
    CHECK(stats.failed_requests == 1);
    CHECK(stats.request_us == 20);
    CHECK(stats.queue_us == 8);
    CHECK(stats.reused_tokens == 6);
    CHECK(stats.free_cells == 77);
    CHECK(stats.cached_texts == 5);
}
