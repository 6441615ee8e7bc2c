// How much each holder of a key may ask for: requests a minute (a token bucket that holds a minute's worth at most ten seconds'
// burst) and tokens a day (of prompts and answers, counted when a text has ended). Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "server/auth/identity_keys.h"

namespace serve {

class UsageLimits {
public:
    // For grants that say nothing; 0: no limit.
    UsageLimits(double requests_per_minute, int64_t tokens_per_day)
        : requests_per_minute_(requests_per_minute), tokens_per_day_(tokens_per_day) {}

    // One request of who (a name, or the peer's address for anonymous clients). Throws RATE_LIMIT_EXCEEDED with retry_after_s.
    void admit(const std::string& who, const Grant& grant, SteadyTime now);
    // Tokens that a text of who took.
    void charge(const std::string& who, uint64_t n_tokens, SteadyTime now);

    uint64_t n_refused() const;

private:
    struct Account {
        double bucket = 0;       // requests that may come at once now
        SteadyTime filled = {};  // when bucket was right
        uint64_t tokens_today = 0;
        SteadyTime day_began = {};
    };
    Account& account(const std::string& who, double burst, SteadyTime now);

    const double requests_per_minute_;
    const int64_t tokens_per_day_;
    mutable std::mutex mutex_;
    std::map<std::string, Account> accounts_;
    uint64_t n_refused_ = 0;
};

}  // namespace serve
