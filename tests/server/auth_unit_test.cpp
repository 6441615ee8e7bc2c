// Keys, tokens and limits. Tokens are signed here with OpenSSL; server/auth_test.py uses PyJWT, which knows nothing of us.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "server/auth/access_guard.h"
#include "tests/support/temp_dir.h"

using namespace serve;
using test::TempDir;

namespace {

std::string code_of(const auto& action) {
    try {
        action();
        return "";
    } catch (const ApiError& error) {
        return error_info(error.code).name;
    }
}

std::string base64url(std::string_view bytes) {
    constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string text;
    unsigned bits = 0;
    int n = 0;
    for (const char c : bytes) {
        bits = bits << 8 | static_cast<unsigned char>(c);
        for (n += 8; n >= 6; n -= 6) text += kAlphabet[bits >> (n - 6) & 63];
    }
    if (n > 0) text += kAlphabet[bits << (6 - n) & 63];
    return text;
}

const std::string kSecret = "0123456789abcdef0123456789abcdef";

std::string sign_hs256(const std::string& header, const std::string& claims, const std::string& secret = kSecret) {
    const std::string text = base64url(header) + "." + base64url(claims);
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac, &size);
    return text + "." + base64url({reinterpret_cast<char*>(mac), size});
}

struct KeyPair {
    explicit KeyPair(EVP_PKEY* made) : key(made, EVP_PKEY_free) {}
    void write_public(const std::filesystem::path& path) const {
        std::FILE* file = std::fopen(path.c_str(), "w");
        REQUIRE(file);
        PEM_write_PUBKEY(file, key.get());
        std::fclose(file);
    }
    std::string sign(const std::string& header, const std::string& claims) const {
        const std::string text = base64url(header) + "." + base64url(claims);
        const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
        const EVP_MD* digest = EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_RSA ? EVP_sha256() : nullptr;
        const auto* data = reinterpret_cast<const unsigned char*>(text.data());
        size_t size = 0;
        EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key.get());
        EVP_DigestSign(context.get(), nullptr, &size, data, text.size());
        std::string signature(size, '\0');
        EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, data, text.size());
        signature.resize(size);
        return text + "." + base64url(signature);
    }
    std::shared_ptr<EVP_PKEY> key;
};

void write(const std::filesystem::path& path, std::string_view text) { std::ofstream(path, std::ios::binary) << text; }

const auto kNow = std::chrono::system_clock::time_point(std::chrono::seconds(1'000'000));

}  // namespace

TEST_CASE("a key file grants what each line says and refuses a wrong line with its number") {
    const ApiKeys keys = ApiKeys::parse(
        "# people\n"
        "alice-0123456789abc alice admin priority=critical  # runs the house\n"
        "\n"
        "bob-00123456789abcd bob rate=6 quota=1000\n"
        // SHA-256 of "carol-0123456789abc"
        "sha256:284885e261051bb0cac043ad53b61a2934e38ea43bc5646810b9b59c5adf8898 carol\n",
        "keys");
    CHECK(keys.size() == 3);
    REQUIRE(keys.find("alice-0123456789abc"));
    CHECK(keys.find("alice-0123456789abc")->identity.admin);
    CHECK(keys.find("alice-0123456789abc")->identity.max_priority == 3);
    CHECK(keys.find("carol-0123456789abc"));
    REQUIRE(keys.find("bob-00123456789abcd"));
    CHECK_FALSE(keys.find("bob-00123456789abcd")->identity.admin);
    CHECK(keys.find("bob-00123456789abcd")->requests_per_minute == 6);
    CHECK(keys.find("bob-00123456789abcd")->tokens_per_day == 1000);
    CHECK_FALSE(keys.find("alice-0123456789ab"));
    CHECK_FALSE(keys.find(""));
    for (const char* wrong :
         {"", "# nobody\n", "short x\n", "0123456789abcdef\n", "0123456789abcdef x boss\n",
          "0123456789abcdef x rate=-1\n", "0123456789abcdef x rate=1x\n", "0123456789abcdef x priority=top\n",
          "sha256:12 x\n", "0123456789abcdef x\n0123456789abcdef y\n"}) {
        CAPTURE(wrong);
        CHECK(code_of([&] { ApiKeys::parse(wrong, "keys"); }) == "VALIDATION_FAILED");
    }
}

TEST_CASE("a token is valid with the right signature, time, audience and issuer only") {
    const TempDir folder;
    write(folder.path() / "secret", kSecret + "\n");
    const JwtVerifier verifier((folder.path() / "secret").string(), {"bitnet", "house"});
    const std::string header = R"({"alg":"HS256","typ":"JWT"})";
    const auto claims = [](const std::string& more) {
        return R"({"sub":"alice","exp":1000100,"aud":["x","bitnet"],"iss":"house")" + more + "}";
    };
    const auto verdict = [&](const std::string& token) { return code_of([&] { verifier.verify(token, kNow); }); };

    const Grant grant = verifier.verify(sign_hs256(header, claims(R"(,"admin":true,"quota":5)")), kNow);
    CHECK(grant.identity.name == "alice");
    CHECK(grant.identity.admin);
    CHECK(grant.tokens_per_day == 5);
    CHECK_FALSE(verifier.verify(sign_hs256(header, claims("")), kNow).identity.admin);

    CHECK(verdict(sign_hs256(header, claims(""), kSecret + "x")) == "UNAUTHORIZED");
    CHECK(verdict(sign_hs256(R"({"alg":"none"})", claims(""))) == "UNAUTHORIZED");
    CHECK(verdict(sign_hs256(R"({"alg":"HS512"})", claims(""))) == "UNAUTHORIZED");
    CHECK(verdict(sign_hs256(R"({"alg":"HS256","crit":["x"]})", claims(""))) == "UNAUTHORIZED");
    CHECK(verdict(sign_hs256(header, claims(R"(,"nbf":1000100)"))) == "UNAUTHORIZED");
    CHECK(verdict(sign_hs256(header, R"({"sub":"a","exp":999900,"aud":"bitnet","iss":"house"})")) == "UNAUTHORIZED");
    CHECK(verdict(sign_hs256(header, R"({"sub":"a","aud":"bitnet","iss":"house"})")) == "UNAUTHORIZED");
    CHECK(verdict(sign_hs256(header, R"({"sub":"a","exp":1000100,"aud":"other","iss":"house"})")) == "UNAUTHORIZED");
    CHECK(verdict(sign_hs256(header, R"({"sub":"a","exp":1000100,"aud":"bitnet","iss":"other"})")) == "UNAUTHORIZED");
    CHECK(verdict(sign_hs256(header, R"({"exp":1000100,"aud":"bitnet","iss":"house"})")) == "UNAUTHORIZED");
    CHECK(verdict(sign_hs256(header, R"({"sub":1,"exp":1000100,"aud":"bitnet","iss":"house"})")) == "UNAUTHORIZED");

    const std::string good = sign_hs256(header, claims(""));
    CHECK(verdict(good) == "");
    for (size_t i = 0; i < good.size(); i += 3) {  // every change is seen
        std::string changed = good;
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        if (changed != good) CHECK(verdict(changed) == "UNAUTHORIZED");
        CHECK(verdict(good.substr(0, i)) == "UNAUTHORIZED");
    }
}

TEST_CASE("the key decides the algorithm of a token: RS256 and EdDSA with public keys") {
    const TempDir folder;
    const KeyPair rsa(EVP_RSA_gen(2048)), edwards(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    rsa.write_public(folder.path() / "rsa");
    edwards.write_public(folder.path() / "ed");
    const std::string claims = R"({"sub":"alice","exp":1000100})";
    const JwtVerifier with_rsa((folder.path() / "rsa").string(), {}), with_edwards((folder.path() / "ed").string(), {});
    CHECK(std::string(with_rsa.algorithm()) == "RS256");
    CHECK(std::string(with_edwards.algorithm()) == "EdDSA");
    CHECK(with_rsa.verify(rsa.sign(R"({"alg":"RS256"})", claims), kNow).identity.name == "alice");
    CHECK(with_edwards.verify(edwards.sign(R"({"alg":"EdDSA"})", claims), kNow).identity.name == "alice");
    CHECK(code_of([&] { with_rsa.verify(edwards.sign(R"({"alg":"EdDSA"})", claims), kNow); }) == "UNAUTHORIZED");
    CHECK(code_of([&] { with_rsa.verify(edwards.sign(R"({"alg":"RS256"})", claims), kNow); }) == "UNAUTHORIZED");

    // The old confusion: the public key, which everybody has, as the secret of an HMAC.
    std::ifstream file(folder.path() / "rsa");
    const std::string pem((std::istreambuf_iterator<char>(file)), {});
    CHECK(code_of([&] { with_rsa.verify(sign_hs256(R"({"alg":"HS256"})", claims, pem), kNow); }) == "UNAUTHORIZED");

    KeyPair(EVP_RSA_gen(1024)).write_public(folder.path() / "weak");
    write(folder.path() / "short", "secret");
    write(folder.path() / "broken", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");
    for (const char* name : {"weak", "short", "broken", "missing"})
        CHECK(code_of([&] { JwtVerifier((folder.path() / name).string(), {}); }) == "VALIDATION_FAILED");
}

TEST_CASE("base64url takes one spelling of each text") {
    CHECK(decode_base64url("").value_or("?") == "");
    CHECK(decode_base64url("YQ").value_or("?") == "a");
    CHECK(decode_base64url("_-8").value_or("?") == "\xff\xef");
    for (const char* wrong : {"A", "YR", "YQ==", "Y Q", "a+b/", "AAAAA"}) CHECK_FALSE(decode_base64url(wrong));
}

TEST_CASE("requests beyond the rate and tokens beyond the quota are refused until time has passed") {
    using namespace std::chrono_literals;
    UsageLimits limits(0, 0);
    SteadyTime now{};
    Grant grant;
    grant.requests_per_minute = 60;  // ten at once, then one a second
    for (int i = 0; i < 10; i++) CHECK(code_of([&] { limits.admit("a", grant, now); }) == "");
    CHECK(code_of([&] { limits.admit("a", grant, now); }) == "RATE_LIMIT_EXCEEDED");
    CHECK(code_of([&] { limits.admit("b", grant, now); }) == "");
    now += 1s;
    CHECK(code_of([&] { limits.admit("a", grant, now); }) == "");
    CHECK(code_of([&] { limits.admit("a", grant, now); }) == "RATE_LIMIT_EXCEEDED");
    CHECK(limits.n_refused() == 2);

    grant.requests_per_minute = 0;
    grant.tokens_per_day = 100;
    limits.charge("c", 99, now);
    CHECK(code_of([&] { limits.admit("c", grant, now); }) == "");
    limits.charge("c", 1, now);
    CHECK(code_of([&] { limits.admit("c", grant, now); }) == "RATE_LIMIT_EXCEEDED");
    now += 24h;
    CHECK(code_of([&] { limits.admit("c", grant, now); }) == "");
    for (int i = 0; i < 100000; i++)
        limits.admit("peer " + std::to_string(i), grant, now);  // bounded, and nobody is refused
}

TEST_CASE("the guard lets public routes pass, asks for keys elsewhere, and keeps users out of administration") {
    const TempDir folder;
    const std::string path = (folder.path() / "keys").string();
    write(path, "alice-0123456789abc alice admin\nbob-00123456789abcd bob\n");
    AccessRules rules;
    rules.api_key_file = path;
    AccessGuard guard(rules);
    const auto verdict = [&](Access access, const char* header, const char* value) {
        HttpRequest request;
        request.peer = "127.0.0.1:1";
        if (header[0]) request.headers[header] = value;
        return code_of([&] { guard.check(request, {"GET", "/", access, ErrorStyle::kNative, {}}); });
    };
    CHECK(verdict(Access::kPublic, "", "") == "");
    CHECK(verdict(Access::kUser, "", "") == "UNAUTHORIZED");
    CHECK(verdict(Access::kUser, "Authorization", "Bearer wrong-wrong-wrong-wrong") == "UNAUTHORIZED");
    CHECK(verdict(Access::kUser, "Authorization", "bob-00123456789abcd") == "UNAUTHORIZED");
    CHECK(verdict(Access::kUser, "authorization", "bearer bob-00123456789abcd") == "");
    CHECK(verdict(Access::kUser, "x-api-key", "bob-00123456789abcd") == "");
    CHECK(verdict(Access::kUser, "Authorization", "Bearer ") == "UNAUTHORIZED");
    CHECK(verdict(Access::kAdmin, "x-api-key", "bob-00123456789abcd") == "FORBIDDEN");
    CHECK(verdict(Access::kAdmin, "x-api-key", "alice-0123456789abc") == "");

    write(path, "alice-0123456789abc\n");  // a mistake does not lock anybody out
    CHECK(code_of([&] { guard.reload(); }) == "VALIDATION_FAILED");
    CHECK(verdict(Access::kUser, "x-api-key", "bob-00123456789abcd") == "");
    write(path, "alice-0123456789abc alice\n");
    guard.reload();
    CHECK(verdict(Access::kUser, "x-api-key", "bob-00123456789abcd") == "UNAUTHORIZED");
    CHECK(verdict(Access::kAdmin, "x-api-key", "alice-0123456789abc") == "FORBIDDEN");
}
