// The index keeps at most half of its slots full. Its strings come from a file that may be hostile: a run of colliding
// entries longer than chance can make is refused instead of making every lookup slow.
#include "src/tokenizer/string_table.h"

#include <bit>
#include <cstring>
#include <utility>

#include "src/base/error.h"

namespace bitnet {
namespace {

constexpr size_t kMaxProbes = 512;

uint64_t mix(uint64_t value) noexcept {
    value ^= value >> 32;
    value *= 0xD6E8FEB86659FD93ull;
    value ^= value >> 29;
    value *= 0xD6E8FEB86659FD93ull;
    return value ^ (value >> 32);
}

}  // namespace

uint64_t hash_bytes(std::string_view bytes) noexcept {
    uint64_t hash = 0x9E3779B97F4A7C15ull ^ bytes.size();
    const char* at = bytes.data();
    size_t left = bytes.size();
    for (; left >= 8; left -= 8, at += 8) {
        uint64_t word;
        std::memcpy(&word, at, 8);
        hash = mix(hash ^ word);
    }
    uint64_t word = 0;
    if (left > 0) std::memcpy(&word, at, left);
    return mix(hash ^ word);
}

void StringTable::add(std::string_view text) {
    if (text.size() > UINT32_MAX - text_.size() || ends_.size() >= kNotFound - 1) {
        throw Error(BITNET_E_TOKENIZER, "the vocabulary's texts are longer than 4 GiB together; the file is not valid");
    }
    text_.append(text);
    ends_.push_back(static_cast<uint32_t>(text_.size()));
}

void StringTable::reserve_index(size_t n) {
    const std::vector<uint32_t> old = std::move(slots_);
    slots_.assign(std::bit_ceil(n * 2 + 2), kNotFound);
    for (const uint32_t i : old) {
        if (i != kNotFound) insert(i);
    }
}

bool StringTable::index(uint32_t i) {
    if ((n_indexed_ + 1) * 2 > slots_.size()) reserve_index((n_indexed_ + 1) * 2);
    if (!insert(i)) return false;
    ++n_indexed_;
    return true;
}

bool StringTable::insert(uint32_t i) {
    const std::string_view text = (*this)[i];
    const size_t mask = slots_.size() - 1;
    size_t slot = hash_bytes(text) & mask;
    for (size_t probes = 0; slots_[slot] != kNotFound; slot = (slot + 1) & mask) {
        if ((*this)[slots_[slot]] == text) return false;
        if (++probes > kMaxProbes) {
            throw Error(BITNET_E_SECURITY_EXHAUSTION,
                        "the vocabulary's texts collide as no real vocabulary's do; the file is refused");
        }
    }
    slots_[slot] = i;
    return true;
}

uint32_t StringTable::find(std::string_view text) const noexcept {
    if (slots_.empty()) return kNotFound;
    const size_t mask = slots_.size() - 1;
    for (size_t slot = hash_bytes(text) & mask; slots_[slot] != kNotFound; slot = (slot + 1) & mask) {
        if ((*this)[slots_[slot]] == text) return slots_[slot];
    }
    return kNotFound;
}

size_t StringTable::bytes_used() const noexcept {
    return text_.capacity() + (ends_.capacity() + slots_.capacity()) * sizeof(uint32_t);
}

}  // namespace bitnet
