// How many threads the next small run takes. Where other programs keep the CPUs busy, threads that meet a hundred times a token
// wait for each other's turn of the scheduler, milliseconds each time, and fewer are faster. Never changes a result.
#pragma once

#include <cstdint>

namespace tg {

class ThreadChoice {
public:
    explicit ThreadChoice(int n_threads) : n_threads_(n_threads) {}

    // Threads for the next run.
    int threads() const noexcept { return n_threads_ >> level_ > 0 ? n_threads_ >> level_ : 1; }
    // It took so long, of which its threads together slept so much, waiting for one another.
    void note(uint64_t run_ns, uint64_t slept_ns) noexcept;

private:
    enum class State : uint8_t {
        steady,  // looks for stalls
        trial,   // half as many for a few runs
        lower,   // half as many was faster, for hold_ runs
    };
    static constexpr int kStalls = 2;  // runs, one after the other, before fewer are tried
    static constexpr int kTrial = 4;   // runs
    static constexpr int kShortest = 16, kLongest = 4096;

    bool stalled(uint64_t run_ns, uint64_t slept_ns) const noexcept {
        return slept_ns / static_cast<uint64_t>(threads()) > run_ns / 5;
    }

    const int n_threads_;
    int level_ = 0;  // threads are halved so often
    State state_ = State::steady;
    int n_runs_ = 0;        // in this state: of stalled ones, where steady
    int left_ = 0;          // runs until stalls are looked for again, or more threads tried
    int hold_ = kShortest;  // how long what was found is believed; doubles each time it is found again
    uint64_t steady_ns_ = 0, trial_ns_ = 0;
};

}  // namespace tg
