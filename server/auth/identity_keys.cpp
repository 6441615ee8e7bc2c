// Keys are compared by their hashes, all of them every time: neither length nor content shows in the time it takes.
#include "server/auth/identity_keys.h"

#include <charconv>
#include <fstream>
#include <sstream>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "server/core/api_error.h"

namespace serve {

namespace {

constexpr size_t kMostKeys = 10000;
constexpr size_t kShortestKey = 16;

std::array<unsigned char, 32> sha256(std::string_view text) {
    std::array<unsigned char, 32> hash;
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash.data());
    return hash;
}

int lower_hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

bool read_hash(std::string_view digits, std::array<unsigned char, 32>& hash) {
    if (digits.size() != 64) return false;
    for (size_t i = 0; i < 32; i++) {
        const int high = lower_hex_value(digits[2 * i]), low = lower_hex_value(digits[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        hash[i] = static_cast<unsigned char>(high * 16 + low);
    }
    return true;
}

template <typename Number>
bool read_number(std::string_view text, Number& number) {
    const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
    return result.ec == std::errc() && result.ptr == text.data() + text.size() && number >= 0;
}

int priority_level(std::string_view word) {
    constexpr std::string_view kWords[] = {"low", "normal", "high", "critical"};
    for (int level = 0; level < 4; level++)
        if (word == kWords[level]) return level;
    return -1;
}

// "" or what is wrong with the word.
std::string read_word(std::string_view word, Grant& grant) {
    if (word == "admin") {
        grant.identity.admin = true;
        return "";
    }
    const size_t sign = word.find('=');
    const std::string_view name = word.substr(0, sign);
    const std::string_view value = sign == word.npos ? "" : word.substr(sign + 1);
    if (name == "priority" && (grant.identity.max_priority = priority_level(value)) >= 0) return "";
    if (name == "rate" && read_number(value, grant.requests_per_minute) && grant.requests_per_minute < 1e9) return "";
    if (name == "quota" && read_number(value, grant.tokens_per_day)) return "";
    return "'" + std::string(word) + "' is none of admin, priority=low|normal|high|critical, rate=N, quota=N";
}

}  // namespace

ApiKeys ApiKeys::read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    if (!file || !(text << file.rdbuf()))
        throw ApiError(ErrorCode::kValidationFailed, path + ": cannot be read, or is empty");
    return parse(text.str(), path);
}

ApiKeys ApiKeys::parse(std::string_view text, const std::string& path) {
    ApiKeys keys;
    std::istringstream lines{std::string(text)};
    std::string line;
    for (int number = 1; std::getline(lines, line); number++) {
        const auto fail = [&](const std::string& what) {
            throw ApiError(ErrorCode::kValidationFailed, path + ":" + std::to_string(number) + ": " + what);
        };
        std::istringstream words(line.substr(0, line.find('#')));
        std::string key, word;
        if (!(words >> key)) continue;
        Entry entry;
        entry.grant.identity.admin = false;
        entry.grant.identity.max_priority = 2;
        if (key.starts_with("sha256:")) {
            if (!read_hash(std::string_view(key).substr(7), entry.hash))
                fail("sha256: needs 64 hexadecimal digits in lower case");
        } else if (key.size() < kShortestKey) {
            fail("the key is shorter than " + std::to_string(kShortestKey) + " characters");
        } else {
            entry.hash = sha256(key);
        }
        if (!(words >> entry.grant.identity.name)) fail("behind the key a name is missing");
        while (words >> word)
            if (const std::string wrong = read_word(word, entry.grant); !wrong.empty()) fail(wrong);
        for (const Entry& other : keys.entries_)
            if (other.hash == entry.hash) fail("the key stands here twice");
        if (keys.entries_.size() == kMostKeys) fail("more than " + std::to_string(kMostKeys) + " keys");
        keys.entries_.push_back(std::move(entry));
    }
    if (keys.entries_.empty())
        throw ApiError(ErrorCode::kValidationFailed, path + ": holds no key, so nobody could get in");
    return keys;
}

std::optional<Grant> ApiKeys::find(std::string_view key) const {
    const Hash hash = sha256(key);
    const Entry* found = nullptr;
    for (const Entry& entry : entries_)
        if (CRYPTO_memcmp(entry.hash.data(), hash.data(), hash.size()) == 0) found = &entry;
    if (!found) return std::nullopt;
    return found->grant;
}

}  // namespace serve
