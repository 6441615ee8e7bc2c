// Repeats a piece of work for a given time and keeps what each run took.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "src/base/error.h"

namespace bitnet {

struct BenchBudget {
    uint64_t budget_us = 0;  // per measurement; it has kLeastRuns in any case, unless one run alone takes longer
    int32_t (*should_abort)(void* user_data) = nullptr;
    void* abort_user_data = nullptr;

    void check_abort() const {
        if (should_abort != nullptr && should_abort(abort_user_data) != 0) {
            throw Error(BITNET_E_CANCELLED, "the measurement was cancelled");
        }
    }
};

inline double seconds_since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Seconds of each run, sorted; at least one. Throws BITNET_E_CANCELLED.
template <typename Work>
std::vector<double> time_runs(const BenchBudget& budget, Work&& work) {
    constexpr size_t kLeastRuns = 3, kMostRuns = 100000;
    const double limit = static_cast<double>(budget.budget_us) * 1e-6;
    const auto begin = std::chrono::steady_clock::now();
    std::vector<double> runs;
    double spent = 0;
    do {
        budget.check_abort();
        const auto run_begin = std::chrono::steady_clock::now();
        work();
        runs.push_back(seconds_since(run_begin));
        spent = seconds_since(begin);
    } while (runs.size() < kMostRuns && (spent < limit || (runs.size() < kLeastRuns && runs[0] < limit)));
    std::sort(runs.begin(), runs.end());
    return runs;
}

}  // namespace bitnet
