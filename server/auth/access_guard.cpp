// A credential is a key or a token, in "Authorization: Bearer" or, as Anthropic's clients send it, in "x-api-key".
#include "server/auth/access_guard.h"

namespace serve {

namespace {

std::string_view credential_of(const HttpRequest& request) {
    const std::string_view header = request.header("Authorization");
    constexpr std::string_view kScheme = "bearer ";
    if (header.size() > kScheme.size()) {
        bool same = true;
        for (size_t i = 0; i < kScheme.size(); i++) same = same && (header[i] | 0x20) == (kScheme[i] | 0x20);
        if (same) return header.substr(header.find_first_not_of(' ', kScheme.size() - 1));
    }
    return request.header("x-api-key");
}

// Anonymous clients are told apart by their address, without the port.
std::string account_of(const HttpRequest& request) {
    if (!request.identity.name.empty()) return "key " + request.identity.name;
    return "peer " + request.peer.substr(0, request.peer.rfind(':'));
}

}  // namespace

AccessGuard::AccessGuard(AccessRules rules)
    : rules_(std::move(rules)), limits_(rules_.requests_per_minute, rules_.tokens_per_day), keys_(read_keys()) {}

std::shared_ptr<const AccessGuard::Keys> AccessGuard::read_keys() const {
    auto keys = std::make_shared<Keys>();
    if (!rules_.api_key_file.empty()) keys->api = std::make_unique<ApiKeys>(ApiKeys::read(rules_.api_key_file));
    if (!rules_.jwt_key_file.empty()) keys->jwt = std::make_unique<JwtVerifier>(rules_.jwt_key_file, rules_.jwt);
    return keys;
}

void AccessGuard::reload() {
    std::shared_ptr<const Keys> keys = read_keys();
    const std::lock_guard lock(mutex_);
    keys_ = std::move(keys);
}

Grant AccessGuard::identify(const HttpRequest& request) const {
    Grant grant;
    if (!requires_credentials()) {
        grant.identity.admin = rules_.open_admin;
        return grant;
    }
    std::shared_ptr<const Keys> keys;
    {
        const std::lock_guard lock(mutex_);
        keys = keys_;
    }
    const std::string_view credential = credential_of(request);
    if (credential.empty())
        throw ApiError(ErrorCode::kUnauthorized, "this server asks for a key", "",
                       "Send the header Authorization: Bearer KEY");
    if (keys->api)
        if (std::optional<Grant> found = keys->api->find(credential)) return *std::move(found);
    if (keys->jwt) return keys->jwt->verify(credential, std::chrono::system_clock::now());
    throw ApiError(ErrorCode::kUnauthorized, "the key is not known here");
}

void AccessGuard::check(HttpRequest& request, const Route& route) {
    if (route.access == Access::kPublic) return;
    const Grant grant = identify(request);
    request.identity = grant.identity;
    if (route.access == Access::kAdmin && !grant.identity.admin)
        throw ApiError(ErrorCode::kForbidden, "only an administrator may do this", "",
                       requires_credentials() ? "Use a key that the key file calls admin"
                                              : "Start the server with --api-key-file, or on the loopback address");
    limits_.admit(account_of(request), grant, std::chrono::steady_clock::now());
}

void AccessGuard::charge(const HttpRequest& request, uint64_t n_tokens) {
    limits_.charge(account_of(request), n_tokens, std::chrono::steady_clock::now());
}

}  // namespace serve
