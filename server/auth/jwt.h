// JSON Web Tokens (RFC 7519) in the compact form of RFC 7515: HS256, RS256 and EdDSA (Ed25519). The signature is OpenSSL's work.
// The libraries that Debian has for tokens do not know EdDSA; what they would do besides is the 100 lines here.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/auth/identity_keys.h"

struct evp_pkey_st;

namespace serve {

struct JwtRules {
    std::string audience;  // "": any
    std::string issuer;
};

class JwtVerifier {
public:
    // key_file: a PEM public key (RSA of at least 2048 bits: RS256; Ed25519: EdDSA), or else a secret of at least 32 bytes
    // (HS256; one line break at its end does not count). The key decides the algorithm, never the token. Throws ApiError.
    JwtVerifier(const std::string& key_file, JwtRules rules);

    // The grant of a valid token: sub is the name, the claims "admin" (true), "priority" (a word), "rate" and "quota" are as
    // in the key file. exp is required; nbf, aud and iss are checked, clocks may differ by a minute. Throws UNAUTHORIZED,
    // with a reason that tells nothing about the key.
    Grant verify(std::string_view token, std::chrono::system_clock::time_point now) const;
    const char* algorithm() const noexcept { return algorithm_; }

private:
    bool signature_fits(std::string_view signed_part, const std::string& signature) const;

    JwtRules rules_;
    std::shared_ptr<evp_pkey_st> key_;  // null for HS256
    std::string secret_;
    const char* algorithm_ = "";
};

// base64url without padding (RFC 4648, 5); nullopt for anything else, also for bits that should be 0.
std::optional<std::string> decode_base64url(std::string_view text);

}  // namespace serve
