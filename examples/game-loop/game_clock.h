// Time as the game loop sees it: real time, or a virtual one in which a piece of the model's work always takes as long.
// In virtual time a run depends on nothing but its options, however busy the machine is.
#pragma once

#include <chrono>
#include <cstdint>
#include <thread>

class GameClock {
public:
    // piece_us 0: real time; else virtual time in which each piece of the model's work takes so many microseconds.
    explicit GameClock(uint64_t piece_us) : piece_us_(piece_us), began_(Clock::now()) {}

    uint64_t now_us() const {
        if (piece_us_ > 0) return virtual_us_;
        return static_cast<uint64_t>(
            std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - began_).count());
    }
    void sleep_until(uint64_t us) {
        if (piece_us_ == 0) {
            std::this_thread::sleep_until(began_ + std::chrono::microseconds(us));
        } else if (us > virtual_us_) {
            virtual_us_ = us;
        }
    }
    // What to give bitnet_context_step when budget_us are left. With 0 it does exactly one piece.
    uint64_t step_budget_us(uint64_t budget_us) const { return piece_us_ == 0 ? budget_us : 0; }
    // A piece of work was done: virtual time goes on.
    void count_piece() { virtual_us_ += piece_us_; }
    bool is_virtual() const { return piece_us_ > 0; }
    void pass(uint64_t us) { virtual_us_ += us; }

private:
    using Clock = std::chrono::steady_clock;
    uint64_t piece_us_;
    Clock::time_point began_;
    uint64_t virtual_us_ = 0;
};
