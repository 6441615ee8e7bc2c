// Nothing of a token is believed before its signature fits, but the name of its algorithm, which must be the key's.
#include "server/auth/jwt.h"

#include <cmath>
#include <fstream>
#include <sstream>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "server/core/json_fields.h"

namespace serve {

namespace {

constexpr size_t kLongestToken = 16384;
constexpr double kLeewaySeconds = 60;

[[noreturn]] void refuse_token(const char* reason) {
    throw ApiError(ErrorCode::kUnauthorized, std::string("the token is not valid: ") + reason);
}

Json parse_part(std::string_view part) {
    const std::optional<std::string> text = decode_base64url(part);
    if (!text) refuse_token("it is not base64url");
    try {
        return parse_object(*text);
    } catch (const ApiError&) {
        refuse_token("a part of it is not a JSON object");
    }
}

// A claim in seconds since 1970.
std::optional<double> seconds_claim(const Json& claims, const char* name) {
    const auto found = claims.find(name);
    if (found == claims.end()) return std::nullopt;
    if (!found->is_number() || !std::isfinite(found->get<double>())) refuse_token("a time in it is not a number");
    return found->get<double>();
}

bool names_audience(const Json& claims, const std::string& audience) {
    const auto found = claims.find("aud");
    if (found == claims.end()) return false;
    if (found->is_string()) return *found == audience;
    if (!found->is_array()) return false;
    for (const Json& one : *found)
        if (one.is_string() && one == audience) return true;
    return false;
}

}  // namespace

std::optional<std::string> decode_base64url(std::string_view text) {
    std::string bytes;
    bytes.reserve(text.size() * 3 / 4);
    unsigned bits = 0;
    int n_bits = 0;
    for (const char c : text) {
        int value = -1;
        if (c >= 'A' && c <= 'Z') value = c - 'A';
        if (c >= 'a' && c <= 'z') value = c - 'a' + 26;
        if (c >= '0' && c <= '9') value = c - '0' + 52;
        if (c == '-') value = 62;
        if (c == '_') value = 63;
        if (value < 0) return std::nullopt;
        bits = (bits << 6 | static_cast<unsigned>(value)) & 0xffff;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            bytes.push_back(static_cast<char>(bits >> n_bits & 0xff));
        }
    }
    if (n_bits >= 6 || (bits & ((1u << n_bits) - 1)) != 0) return std::nullopt;
    return bytes;
}

JwtVerifier::JwtVerifier(const std::string& key_file, JwtRules rules) : rules_(std::move(rules)) {
    std::ifstream file(key_file, std::ios::binary);
    std::ostringstream bytes;
    if (!file || !(bytes << file.rdbuf()))
        throw ApiError(ErrorCode::kValidationFailed, key_file + ": cannot be read, or is empty");
    const std::string text = bytes.str();
    if (text.find("-----BEGIN") == text.npos) {
        secret_ = text.ends_with("\n") ? text.substr(0, text.size() - 1) : text;
        if (secret_.size() < 32)
            throw ApiError(ErrorCode::kValidationFailed,
                           key_file + ": a secret for HS256 needs at least 32 bytes (RFC 7518, 3.2)");
        algorithm_ = "HS256";
        return;
    }
    if (text.size() > 65536) throw ApiError(ErrorCode::kValidationFailed, key_file + ": too large for a key");
    const std::unique_ptr<BIO, decltype(&BIO_free)> input(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())),
                                                          BIO_free);
    key_.reset(PEM_read_bio_PUBKEY(input.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
    ERR_clear_error();
    if (!key_)
        throw ApiError(ErrorCode::kValidationFailed, key_file + ": holds no public key in PEM (BEGIN PUBLIC KEY)");
    const int kind = EVP_PKEY_get_base_id(key_.get());
    if (kind == EVP_PKEY_ED25519)
        algorithm_ = "EdDSA";
    else if (kind == EVP_PKEY_RSA && EVP_PKEY_get_bits(key_.get()) >= 2048)
        algorithm_ = "RS256";
    else
        throw ApiError(ErrorCode::kValidationFailed,
                       key_file + ": needs an RSA key of at least 2048 bits or an Ed25519 key");
}

bool JwtVerifier::signature_fits(std::string_view signed_part, const std::string& signature) const {
    const auto* data = reinterpret_cast<const unsigned char*>(signed_part.data());
    const auto* given = reinterpret_cast<const unsigned char*>(signature.data());
    if (!key_) {
        unsigned char expected[EVP_MAX_MD_SIZE];
        unsigned size = 0;
        if (!HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()), data, signed_part.size(), expected,
                  &size))
            return false;
        return signature.size() == size && CRYPTO_memcmp(expected, given, size) == 0;
    }
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    const EVP_MD* digest = EVP_PKEY_get_base_id(key_.get()) == EVP_PKEY_RSA ? EVP_sha256() : nullptr;
    const bool fits = context && EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key_.get()) == 1 &&
                      EVP_DigestVerify(context.get(), given, signature.size(), data, signed_part.size()) == 1;
    ERR_clear_error();
    return fits;
}

Grant JwtVerifier::verify(std::string_view token, std::chrono::system_clock::time_point now) const {
    if (token.size() > kLongestToken) refuse_token("it is too long");
    const size_t first = token.find('.'), last = token.rfind('.');
    if (first == token.npos || first == last || token.find('.', first + 1) != last)
        refuse_token("it does not have three parts");
    const Json header = parse_part(token.substr(0, first));
    if (header.value("alg", Json()) != algorithm_) refuse_token("it is signed with another algorithm");
    if (header.contains("crit")) refuse_token("it asks for an extension");
    const std::optional<std::string> signature = decode_base64url(token.substr(last + 1));
    if (!signature || !signature_fits(token.substr(0, last), *signature)) refuse_token("its signature does not fit");

    const Json claims = parse_part(token.substr(first + 1, last - first - 1));
    const double seconds = std::chrono::duration<double>(now.time_since_epoch()).count();
    const std::optional<double> expires = seconds_claim(claims, "exp"), begins = seconds_claim(claims, "nbf");
    if (!expires) refuse_token("it has no exp");
    if (*expires + kLeewaySeconds < seconds) refuse_token("it has expired");
    if (begins && *begins - kLeewaySeconds > seconds) refuse_token("it is not valid yet");
    if (!rules_.audience.empty() && !names_audience(claims, rules_.audience)) refuse_token("it is for another audience");
    if (!rules_.issuer.empty() && claims.value("iss", Json()) != rules_.issuer) refuse_token("it comes from another issuer");

    Grant grant;
    try {
        const JsonFields fields(claims);
        grant.identity.name = fields.required_text("sub");
        grant.identity.admin = fields.boolean("admin").value_or(false);
        grant.identity.max_priority =
            static_cast<int>(fields.choice("priority", {"low", "normal", "high", "critical"}).value_or(2));
        grant.requests_per_minute = fields.number("rate", 0, 1e9).value_or(-1);
        grant.tokens_per_day = fields.integer("quota", 0, INT64_MAX).value_or(-1);
    } catch (const ApiError&) {
        refuse_token("sub, admin, priority, rate or quota is missing or of the wrong type");
    }
    if (grant.identity.name.empty() || grant.identity.name.size() > 256) refuse_token("sub is empty or too long");
    return grant;
}

}  // namespace serve
