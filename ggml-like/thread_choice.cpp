#include "ggml-like/thread_choice.h"

#include <algorithm>

namespace tg {

void ThreadChoice::note(uint64_t run_ns, uint64_t slept_ns) noexcept {
    switch (state_) {
        case State::steady:
            if (left_ > 0) {
                --left_;
                return;
            }
            if (threads() == 1) break;
            if (!stalled(run_ns, slept_ns)) {
                if (--n_runs_ > -64) break;
                n_runs_ = 0;
                hold_ = kShortest;
                break;
            }
            n_runs_ = std::max(n_runs_, 0) + 1;
            steady_ns_ = n_runs_ == 1 ? run_ns : steady_ns_ + run_ns;
            if (n_runs_ < kStalls) return;
            steady_ns_ /= kStalls;
            trial_ns_ = 0;
            state_ = State::trial;
            n_runs_ = 0;
            ++level_;
            return;
        case State::trial:
            trial_ns_ += run_ns;
            if (++n_runs_ < kTrial) return;
            n_runs_ = 0;
            left_ = hold_;
            hold_ = std::min(2 * hold_, kLongest);
            if (trial_ns_ / kTrial < steady_ns_) {
                state_ = State::lower;
                return;
            }
            --level_;
            state_ = State::steady;
            return;
        case State::lower:
            // Half as many may still be too many.
            if (threads() > 1 && stalled(run_ns, slept_ns)) {
                state_ = State::steady;
                n_runs_ = 1;
                steady_ns_ = run_ns;
                left_ = 0;
                return;
            }
            if (--left_ > 0) return;
            state_ = State::steady;
            n_runs_ = 0;
            level_ = 0;
            return;
    }
    // Steady with fewer than all, and no stall: all are tried again after a while.
    if (level_ > 0 && --left_ < -hold_) {
        left_ = 0;
        level_ = 0;
        n_runs_ = 0;
    }
}

}  // namespace tg
