// SHA-256 (FIPS 180-4). Our own, some hundred lines: libcrypto would be one more library for every program that embeds this
// one, and nothing here needs more than this one function.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bitnet {

using Sha256Digest = std::array<uint8_t, 32>;

class Sha256 {
public:
    Sha256() noexcept;
    void add(const void* data, size_t n) noexcept;
    void add(const Sha256Digest& digest) noexcept { add(digest.data(), digest.size()); }
    // The digest of all that was added. The object is used up.
    Sha256Digest finish() noexcept;

private:
    void compress(const uint8_t* block) noexcept;

    uint32_t state_[8];
    uint64_t n_bytes_ = 0;
    uint8_t block_[64];  // n_bytes_ % 64 of them are filled
};

Sha256Digest sha256_of(std::string_view bytes) noexcept;
// 64 lower-case hexadecimal digits.
std::string to_hex(const Sha256Digest& digest);
// The reverse; false for anything but 64 lower-case hexadecimal digits.
bool from_hex(std::string_view text, Sha256Digest* out) noexcept;

}  // namespace bitnet
