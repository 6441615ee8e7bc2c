// Accounts are bounded: those that stand as a new one would are dropped first when there are too many.
#include "server/auth/usage_limits.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "server/core/api_error.h"

namespace serve {

namespace {

constexpr size_t kMostAccounts = 65536;
constexpr std::chrono::hours kDay{24};

double seconds_of(std::chrono::steady_clock::duration passed) { return std::chrono::duration<double>(passed).count(); }

// What a client that waited long may send at once: ten seconds' worth, at least one request.
double burst_of(double requests_per_minute) { return std::max(1.0, requests_per_minute / 6); }

}  // namespace

UsageLimits::Account& UsageLimits::account(const std::string& who, double burst, SteadyTime now) {
    const auto found = accounts_.find(who);
    if (found != accounts_.end()) return found->second;
    if (accounts_.size() >= kMostAccounts) {
        std::erase_if(accounts_, [&](const auto& entry) {
            return now - entry.second.filled > std::chrono::minutes(2) &&
                   (entry.second.tokens_today == 0 || now - entry.second.day_began > kDay);
        });
        // A quarter at once, so that looking through all of them is rare.
        while (accounts_.size() > kMostAccounts - kMostAccounts / 4) accounts_.erase(accounts_.begin());
    }
    return accounts_.emplace(who, Account{burst, now, 0, now}).first->second;
}

void UsageLimits::admit(const std::string& who, const Grant& grant, SteadyTime now) {
    const double rate = grant.requests_per_minute >= 0 ? grant.requests_per_minute : requests_per_minute_;
    const int64_t quota = grant.tokens_per_day >= 0 ? grant.tokens_per_day : tokens_per_day_;
    if (rate == 0 && quota == 0) return;
    const std::lock_guard lock(mutex_);
    const double burst = burst_of(rate);
    Account& account = this->account(who, burst, now);
    const auto refuse = [&](const std::string& what, double wait_s) {
        n_refused_++;
        ApiError error(ErrorCode::kRateLimitExceeded, what, "", "Wait as the header Retry-After says");
        error.retry_after_s = static_cast<int>(std::ceil(std::clamp(wait_s, 1.0, 86400.0)));
        throw error;
    };
    if (quota > 0) {
        if (now - account.day_began >= kDay) {
            account.day_began = now;
            account.tokens_today = 0;
        }
        if (account.tokens_today >= static_cast<uint64_t>(quota))
            refuse("the quota of " + std::to_string(quota) + " tokens a day is used up",
                   seconds_of(account.day_began + kDay - now));
    }
    if (rate > 0) {
        account.bucket = std::min(burst, account.bucket + seconds_of(now - account.filled) * rate / 60);
        account.filled = now;
        if (account.bucket < 1) {
            char limit[64];
            std::snprintf(limit, sizeof limit, "more than %g requests a minute", rate);
            refuse(limit, (1 - account.bucket) * 60 / rate);
        }
        account.bucket -= 1;
    }
}

void UsageLimits::charge(const std::string& who, uint64_t n_tokens, SteadyTime now) {
    const std::lock_guard lock(mutex_);
    Account& account = this->account(who, burst_of(requests_per_minute_), now);
    if (now - account.day_began >= kDay) {
        account.day_began = now;
        account.tokens_today = 0;
    }
    account.tokens_today += std::min(n_tokens, std::numeric_limits<uint64_t>::max() - account.tokens_today);
}

uint64_t UsageLimits::n_refused() const {
    const std::lock_guard lock(mutex_);
    return n_refused_;
}

}  // namespace serve
