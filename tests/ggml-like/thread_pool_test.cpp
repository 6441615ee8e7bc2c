// The thread pool: every job on every thread exactly once, barriers that order writes, hand-overs that neither get lost
// nor hang, and a floating-point state the host cannot disturb.
#include <doctest/doctest.h>

#include <atomic>
#include <cfenv>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "ggml-like/float_environment.h"
#include "ggml-like/thread_pool.h"
#include "tests/support/sanitized.h"

namespace {

struct Counts {
    std::vector<std::atomic<int>> runs;
    std::thread::id caller = std::this_thread::get_id();
    std::atomic<int> index_0_elsewhere{0};
    explicit Counts(int n) : runs(static_cast<size_t>(n)) {}
};

void count(int index, void* user_data) {
    Counts& counts = *static_cast<Counts*>(user_data);
    ++counts.runs.at(static_cast<size_t>(index));
    if ((index == 0) != (std::this_thread::get_id() == counts.caller)) ++counts.index_0_elsewhere;
}

// Rounds in which every thread writes its cell, meets the others and reads all cells, with more threads than this
// machine may have cores, so that sleepers and late comers occur.
struct Rounds {
    int n_threads;
    int n_rounds;
    tg::Barrier& barrier;
    std::vector<int> cells;
    std::atomic<int> wrong{0};
};

void play_rounds(int index, void* user_data) {
    Rounds& r = *static_cast<Rounds*>(user_data);
    for (int round = 1; round <= r.n_rounds; ++round) {
        r.cells[static_cast<size_t>(index)] = round;
        r.barrier.wait();
        for (const int cell : r.cells) {
            if (cell != round) ++r.wrong;
        }
        if (round % 64 == 0 && index == round / 64 % r.n_threads)
            std::this_thread::sleep_for(std::chrono::microseconds(300));
        r.barrier.wait();
    }
}

// What shows the state: 1 + 2^-30 and -(1 + 2^-30) are 1 and -1 when rounding to nearest, half of the smallest normal
// number is a denormal, or 0 where they are flushed.
struct FloatState {
    float up, down, denormal;
    bool operator==(const FloatState&) const = default;
};

FloatState float_state() {
    volatile float one = 1.0f, tiny = 0x1p-30f, smallest = 0x1p-126f, half = 0.5f;
    return {one + tiny, -one - tiny, smallest * half};
}

const FloatState kDefaultState = {1.0f, -1.0f, 0x1p-127f};

void look_at_floats(int index, void* user_data) {
    (*static_cast<std::vector<FloatState>*>(user_data))[static_cast<size_t>(index)] = float_state();
}

#if defined(__x86_64__)
constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040;
unsigned control_word() { return __builtin_ia32_stmxcsr(); }
void set_control_word(unsigned word) { __builtin_ia32_ldmxcsr(word); }
#endif

}  // namespace

TEST_CASE("a job runs once on each thread, and index 0 is the caller") {
    for (int n = 1; n <= 8; ++n) {
        tg::ThreadPool pool(n);
        CHECK(pool.size() == n);
        Counts counts(n);
        for (int repeat = 0; repeat < 50; ++repeat) pool.run(count, &counts);
        for (const auto& runs : counts.runs) CHECK(runs == 50);
        CHECK(counts.index_0_elsewhere == 0);
    }
}

TEST_CASE("what was written before a barrier is seen by all threads behind it") {
    for (int n = 1; n <= 5; ++n) {
        tg::ThreadPool pool(n);
        Rounds rounds{n, 2000, pool.barrier(), std::vector<int>(static_cast<size_t>(n)), {}};
        pool.run(play_rounds, &rounds);
        CHECK(rounds.wrong == 0);
        CHECK(rounds.cells == std::vector<int>(static_cast<size_t>(n), rounds.n_rounds));
    }
}

TEST_CASE("many short jobs follow each other without a lost or doubled run") {
    constexpr int kJobs = test::kSanitized ? 1000 : 5000;
    for (const int n : {2, 3, 5}) {
        tg::ThreadPool pool(n);
        Counts counts(n);
        for (int i = 0; i < kJobs; ++i) pool.run(count, &counts);
        for (const auto& runs : counts.runs) CHECK(runs == kJobs);
    }
}

TEST_CASE("threads that have fallen asleep wake up for the next job") {
    tg::ThreadPool pool(4);
    Counts counts(4);
    for (int i = 0; i < 25; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));  // far beyond the time they spin
        pool.run(count, &counts);
    }
    for (const auto& runs : counts.runs) CHECK(runs == 25);
}

TEST_CASE("a pool may be destroyed at once, after a job, and from another thread than it was made on") {
    for (int i = 0; i < 100; ++i) {
        const tg::ThreadPool unused(1 + i % 5);
    }
    for (int i = 0; i < 100; ++i) {
        tg::ThreadPool pool(1 + i % 5);
        Counts counts(pool.size());
        pool.run(count, &counts);
    }
    auto pool = std::make_unique<tg::ThreadPool>(3);
    std::thread([&pool] { pool.reset(); }).join();
    CHECK(pool == nullptr);
}

TEST_CASE("two pools work at the same time without touching each other") {
    std::atomic<int> wrong{0};
    auto work = [&wrong] {
        tg::ThreadPool pool(3);
        for (int i = 0; i < 300; ++i) {
            Counts counts(3);
            pool.run(count, &counts);
            for (const auto& runs : counts.runs) wrong += runs != 1;
        }
    };
    std::thread first(work), second(work);
    first.join();
    second.join();
    CHECK(wrong == 0);
}

TEST_CASE("jobs compute in the default rounding mode, and the caller's mode is put back") {
    REQUIRE(float_state() == kDefaultState);
    for (const int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
        std::vector<FloatState> inside(3);
        REQUIRE(std::fesetround(mode) == 0);
        const FloatState before = float_state();
        {
            tg::ThreadPool pool(3);  // its threads inherit the mode
            pool.run(look_at_floats, &inside);
        }
        const FloatState between = float_state();
        FloatState scoped;
        {
            const tg::DefaultFloatEnvironment scope;
            scoped = float_state();
        }
        const FloatState after = float_state();
        std::fesetround(FE_TONEAREST);
        CHECK(inside == std::vector<FloatState>(3, kDefaultState));
        CHECK(scoped == kDefaultState);
        CHECK(between == before);
        CHECK(after == before);
        if (mode != FE_TOWARDZERO) CHECK(!(before == kDefaultState));
    }
}

#if defined(__x86_64__)
TEST_CASE("jobs keep denormals although the caller flushes them, and the caller goes on flushing") {
    const unsigned before = control_word();
    std::vector<FloatState> inside(3);
    set_control_word(before | kFlushToZero | kDenormalsAreZero);
    {
        tg::ThreadPool pool(3);
        pool.run(look_at_floats, &inside);
    }
    const unsigned after = control_word();
    set_control_word(before);
    CHECK(inside == std::vector<FloatState>(3, kDefaultState));
    CHECK((after & (kFlushToZero | kDenormalsAreZero)) == (kFlushToZero | kDenormalsAreZero));
}
#endif
