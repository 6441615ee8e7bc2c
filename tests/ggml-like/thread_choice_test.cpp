// Threads that wait for each other's turn are given up where fewer are faster, and tried again later.
#include <doctest/doctest.h>

#include <algorithm>

#include "ggml-like/thread_choice.h"

namespace {

// A machine on which a run takes ns[log2 of threads] and sleeps that part of it on all threads together.
struct Machine {
    uint64_t ns[4];
    double sleep[4];
    int run(tg::ThreadChoice& choice) const {
        const int n = choice.threads(), at = n >= 8 ? 3 : n >= 4 ? 2 : n >= 2 ? 1 : 0;
        choice.note(ns[at], static_cast<uint64_t>(sleep[at] * static_cast<double>(ns[at]) * n));
        return n;
    }
};

constexpr Machine kQuiet = {{80000, 40000, 20000, 10000}, {0, 0, 0, 0}};
constexpr Machine kBusy = {{80000, 3000000, 6000000, 9000000}, {0, 0.45, 0.6, 0.7}};
constexpr Machine kHalfBusy = {{80000, 60000, 45000, 9000000}, {0, 0.05, 0.1, 0.7}};
constexpr Machine kUneven = {{80000, 60000, 50000, 40000}, {0, 0.3, 0.3, 0.3}};  // sleeps, and is faster all the same

// Time of n runs against that of the best number of threads.
double cost(tg::ThreadChoice& choice, const Machine& machine, int n) {
    double sum = 0;
    for (int i = 0; i < n; ++i) {
        const int threads = machine.run(choice);
        sum += static_cast<double>(machine.ns[threads >= 8 ? 3 : threads >= 4 ? 2 : threads >= 2 ? 1 : 0]);
    }
    return sum / n / static_cast<double>(*std::min_element(machine.ns, machine.ns + 4));
}

}  // namespace

TEST_CASE("on a quiet machine all threads work, and a hiccup changes nothing for long") {
    tg::ThreadChoice choice(8);
    for (int i = 0; i < 1000; ++i) CHECK(kQuiet.run(choice) == 8);
    kBusy.run(choice);
    for (int i = 0; i < 100; ++i) CHECK(kQuiet.run(choice) == 8);
    for (int i = 0; i < 3; ++i) kBusy.run(choice);
    cost(choice, kQuiet, 200);
    CHECK(cost(choice, kQuiet, 1000) == 1.0);
}

TEST_CASE("where threads wait for the scheduler, fewer of them work: as few as help") {
    for (const int n : {2, 3, 8}) {
        tg::ThreadChoice choice(n);
        cost(choice, kBusy, 2000);
        CHECK(cost(choice, kBusy, 10000) < 2.0);  // all of them are tried now and then
        cost(choice, kQuiet, 10000);
        CHECK(choice.threads() == n);
    }
    tg::ThreadChoice choice(8);
    cost(choice, kHalfBusy, 2000);
    CHECK(cost(choice, kHalfBusy, 10000) < 1.5);
}

TEST_CASE("threads that sleep but are faster than fewer go on") {
    tg::ThreadChoice choice(8);
    CHECK(cost(choice, kUneven, 5000) < 1.1);
}
