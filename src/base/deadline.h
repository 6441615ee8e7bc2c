// A point in time after which work should stop. The default never comes.
#pragma once

#include <chrono>
#include <cstdint>

namespace bitnet {

class Deadline {
public:
    Deadline() = default;
    // us microseconds from now; 0: never. Too far to be counted is never as well.
    static Deadline in_us(uint64_t us) noexcept {
        Deadline deadline;
        constexpr uint64_t kTenYearsUs = 10ull * 366 * 24 * 3600 * 1000000;
        if (us == 0 || us > kTenYearsUs) return deadline;
        deadline.us_ = us;
        deadline.at_ = std::chrono::steady_clock::now() + std::chrono::microseconds(us);
        return deadline;
    }
    static const Deadline& earlier(const Deadline& a, const Deadline& b) noexcept { return b.at_ < a.at_ ? b : a; }
    // Does not look at the clock when there is no deadline.
    bool passed() const noexcept { return at_ != kNever && std::chrono::steady_clock::now() >= at_; }

    // As it was given, and the time since then; 0 where there is no deadline.
    uint64_t us() const noexcept { return us_; }
    uint64_t elapsed_us() const noexcept {
        if (at_ == kNever) return 0;
        const auto begin = at_ - std::chrono::microseconds(us_);
        return static_cast<uint64_t>(
            std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin).count());
    }

private:
    static constexpr std::chrono::steady_clock::time_point kNever = std::chrono::steady_clock::time_point::max();
    std::chrono::steady_clock::time_point at_ = kNever;
    uint64_t us_ = 0;
};

}  // namespace bitnet
