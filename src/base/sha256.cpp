// The names are those of FIPS 180-4: a..h, the message schedule w, the constants K (section 4.2.2), the functions of 4.1.2.
#include "src/base/sha256.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace bitnet {
namespace {

constexpr uint32_t kInitial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
constexpr uint32_t kRound[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

uint32_t load_big_endian(const uint8_t* p) noexcept {
    return (uint32_t{p[0]} << 24) | (uint32_t{p[1]} << 16) | (uint32_t{p[2]} << 8) | p[3];
}

void store_big_endian(uint32_t value, uint8_t* p) noexcept {
    for (int i = 0; i < 4; ++i) p[i] = static_cast<uint8_t>(value >> (24 - 8 * i));
}

}  // namespace

Sha256::Sha256() noexcept { std::copy(std::begin(kInitial), std::end(kInitial), state_); }

void Sha256::compress(const uint8_t* block) noexcept {
    uint32_t w[64];
    for (int t = 0; t < 16; ++t) w[t] = load_big_endian(block + 4 * t);
    for (int t = 16; t < 64; ++t) {
        const uint32_t s0 = std::rotr(w[t - 15], 7) ^ std::rotr(w[t - 15], 18) ^ (w[t - 15] >> 3);
        const uint32_t s1 = std::rotr(w[t - 2], 17) ^ std::rotr(w[t - 2], 19) ^ (w[t - 2] >> 10);
        w[t] = s1 + w[t - 7] + s0 + w[t - 16];
    }
    uint32_t a = state_[0], b = state_[1], c = state_[2], d = state_[3];
    uint32_t e = state_[4], f = state_[5], g = state_[6], h = state_[7];
    for (int t = 0; t < 64; ++t) {
        const uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
        const uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + kRound[t] + w[t];
        const uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
        const uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + t1;
        d = c, c = b, b = a, a = t1 + t2;
    }
    const uint32_t rounds[8] = {a, b, c, d, e, f, g, h};
    for (int i = 0; i < 8; ++i) state_[i] += rounds[i];
}

void Sha256::add(const void* data, size_t n) noexcept {
    const uint8_t* p = static_cast<const uint8_t*>(data);
    while (n != 0) {
        const size_t filled = n_bytes_ % 64;
        if (filled == 0 && n >= 64) {
            compress(p);
            p += 64, n -= 64, n_bytes_ += 64;
            continue;
        }
        const size_t part = std::min(n, 64 - filled);
        std::memcpy(block_ + filled, p, part);
        p += part, n -= part, n_bytes_ += part;
        if (n_bytes_ % 64 == 0) compress(block_);
    }
}

Sha256Digest Sha256::finish() noexcept {
    const uint64_t n_bits = n_bytes_ * 8;
    static constexpr uint8_t kPadding[64] = {0x80};
    add(kPadding, 1 + (119 - n_bytes_ % 64) % 64);  // up to 8 bytes before the end of a block
    uint8_t length[8];
    store_big_endian(static_cast<uint32_t>(n_bits >> 32), length);
    store_big_endian(static_cast<uint32_t>(n_bits), length + 4);
    add(length, sizeof length);
    Sha256Digest digest;
    for (size_t i = 0; i < 8; ++i) store_big_endian(state_[i], digest.data() + 4 * i);
    return digest;
}

Sha256Digest sha256_of(std::string_view bytes) noexcept {
    Sha256 hash;
    hash.add(bytes.data(), bytes.size());
    return hash.finish();
}

std::string to_hex(const Sha256Digest& digest) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    text.reserve(2 * digest.size());
    for (const uint8_t byte : digest) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

bool from_hex(std::string_view text, Sha256Digest* out) noexcept {
    if (text.size() != 2 * out->size()) return false;
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) return false;
        uint8_t& byte = (*out)[i / 2];
        byte = static_cast<uint8_t>(i % 2 == 0 ? digit << 4 : byte | digit);
    }
    return true;
}

}  // namespace bitnet
