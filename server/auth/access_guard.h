// Who a request comes from and whether it may pass: the guard of the router. Keys can be read anew while requests pass.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "server/auth/identity_keys.h"
#include "server/auth/jwt.h"
#include "server/auth/usage_limits.h"
#include "server/http/router.h"

namespace serve {

struct AccessRules {
    std::string api_key_file;  // "": no keys
    std::string jwt_key_file;  // "": no tokens
    JwtRules jwt;
    double requests_per_minute = 0;
    int64_t tokens_per_day = 0;
    bool open_admin = true;  // where there are neither keys nor tokens: may everyone load and unload models?
};

class AccessGuard {
public:
    // Throws ApiError for files that cannot be used.
    explicit AccessGuard(AccessRules rules);

    // Fills request.identity. Throws UNAUTHORIZED, FORBIDDEN, RATE_LIMIT_EXCEEDED. Public routes always pass.
    void check(HttpRequest& request, const Route& route);
    // Counts tokens against the quota of who asked.
    void charge(const HttpRequest& request, uint64_t n_tokens);
    // Reads the files again; keeps what it has, and throws, where one is wrong.
    void reload();
    bool requires_credentials() const noexcept { return !rules_.api_key_file.empty() || !rules_.jwt_key_file.empty(); }
    uint64_t n_rate_limited() const { return limits_.n_refused(); }

private:
    struct Keys {
        std::unique_ptr<const ApiKeys> api;
        std::unique_ptr<const JwtVerifier> jwt;
    };
    std::shared_ptr<const Keys> read_keys() const;
    Grant identify(const HttpRequest& request) const;

    const AccessRules rules_;
    UsageLimits limits_;
    mutable std::mutex mutex_;
    std::shared_ptr<const Keys> keys_;
};

}  // namespace serve
