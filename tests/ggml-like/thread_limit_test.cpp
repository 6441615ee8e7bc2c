// How many CPUs a quota grants, from the texts the kernel writes, and that the answer for this process is possible.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

#include "ggml-like/thread_limit.h"

TEST_CASE("cpu.max of cgroup v2 gives its quota rounded up, and no limit for anything else") {
    const struct {
        const char* content;
        int cpus;
    } rows[] = {
        {"max 100000", 0},
        {"max 100000\n", 0},
        {"max", 0},
        {"100000 100000", 1},
        {"200000 100000\n", 2},
        {"150000 100000", 2},
        {"1000 100000", 1},
        {"1 100000", 1},
        {"6400000 100000", 64},
        {"100001 100000", 2},
        {"50000 50000", 1},
        {"  300000   100000 ", 3},
        {"", 0},
        {"\n", 0},
        {"100000", 0},
        {"100000 0", 0},
        {"0 100000", 0},
        {"-1 100000", 0},
        {"100000 -100000", 0},
        {"abc def", 0},
        {"99999999999999999999 100000", 0},
        {"9223372036854775807 1", 1 << 20},
        {"9223372036854775807 100000", 1 << 20},
        {"9223372036854775807 9223372036854775807", 1},
    };
    for (const auto& row : rows) {
        CAPTURE(row.content);
        CHECK(tg::cpus_from_cpu_max(row.content) == row.cpus);
    }
}

TEST_CASE("quota and period of cgroup v1 give their quotient rounded up, -1 means no limit") {
    const struct {
        const char* quota;
        const char* period;
        int cpus;
    } rows[] = {
        {"-1", "100000", 0},     {"-1\n", "100000\n", 0},     {"100000", "100000", 1},
        {"250000", "100000", 3}, {"200000\n", "100000\n", 2}, {"", "", 0},
        {"", "100000", 0},       {"100000", "", 0},           {"100000", "0", 0},
        {"x", "100000", 0},      {"5", "100000", 1},          {"9223372036854775807", "2", 1 << 20},
    };
    for (const auto& row : rows) {
        CAPTURE(row.quota);
        CAPTURE(row.period);
        CHECK(tg::cpus_from_cfs(row.quota, row.period) == row.cpus);
    }
}

TEST_CASE("this process may use at least one CPU and no more than there are") {
    const int cpus = tg::usable_cpus();
    CHECK(cpus >= 1);
    CHECK(cpus <= static_cast<int>(std::max(1u, std::thread::hardware_concurrency())));
}

#if defined(__linux__)
TEST_CASE("a thread bound to one CPU counts one") {
    int cpus = 0;
    bool bound = false;
    std::thread([&] {
        cpu_set_t all, one;
        CPU_ZERO(&all);
        CPU_ZERO(&one);
        if (sched_getaffinity(0, sizeof all, &all) != 0) return;
        int first = 0;
        while (first < CPU_SETSIZE && !CPU_ISSET(first, &all)) ++first;
        CPU_SET(first, &one);
        bound = sched_setaffinity(0, sizeof one, &one) == 0;
        cpus = tg::usable_cpus();
    }).join();
    if (bound) CHECK(cpus == 1);
}
#endif
