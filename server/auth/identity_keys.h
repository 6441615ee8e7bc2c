// API keys from a file. The file holds one key a line:
//     <key> <name> [admin] [priority=low|normal|high|critical] [rate=REQUESTS_A_MINUTE] [quota=TOKENS_A_DAY]
// "#" begins a comment. Instead of the key itself, "sha256:" and the 64 hexadecimal digits of its SHA-256 may stand there, so
// that the file holds no secret.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/core/http_message.h"

namespace serve {

// What one holder of a key or token may do.
struct Grant {
    Identity identity;
    double requests_per_minute = -1;  // -1: as the command line says; 0: no limit
    int64_t tokens_per_day = -1;
};

class ApiKeys {
public:
    // Throws ApiError (VALIDATION_FAILED, with file and line) for a file that cannot be read or has a wrong line, so that a
    // typing error never opens or shuts a door silently.
    static ApiKeys read(const std::string& path);
    static ApiKeys parse(std::string_view text, const std::string& path);

    // Takes the same time whichever key is given, and whether it is one.
    std::optional<Grant> find(std::string_view key) const;
    size_t size() const noexcept { return entries_.size(); }

private:
    using Hash = std::array<unsigned char, 32>;
    struct Entry {
        Hash hash;
        Grant grant;
    };
    std::vector<Entry> entries_;
};

}  // namespace serve
