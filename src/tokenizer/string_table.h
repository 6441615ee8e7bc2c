// Many short strings in one block of memory, by number, and a hash index over some of them. A vocabulary of 128,000
// tokens then takes its text plus 4 bytes per token plus the index, instead of an object per token.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet {

// 64-bit hash of bytes for the tables of the tokenizer; not stable across versions.
uint64_t hash_bytes(std::string_view bytes) noexcept;

class StringTable {
public:
    static constexpr uint32_t kNotFound = UINT32_MAX;

    // Adds the next string. All strings together must stay below 4 GiB: throws BITNET_E_TOKENIZER.
    void add(std::string_view text);
    uint32_t size() const noexcept { return static_cast<uint32_t>(ends_.size()); }
    std::string_view operator[](uint32_t i) const noexcept {
        const uint32_t begin = i == 0 ? 0 : ends_[i - 1];
        return {text_.data() + begin, ends_[i] - begin};
    }

    // Makes room for n strings that find() knows; without it the room grows as needed.
    void reserve_index(size_t n);
    // Makes string i findable. False, with no change, when an equal string is findable already. Throws
    // BITNET_E_SECURITY_EXHAUSTION for strings made to collide.
    bool index(uint32_t i);
    uint32_t find(std::string_view text) const noexcept;

    size_t bytes_used() const noexcept;

private:
    bool insert(uint32_t i);

    std::string text_;
    std::vector<uint32_t> ends_;
    std::vector<uint32_t> slots_;  // open addressing, linear probing, kNotFound is empty
    size_t n_indexed_ = 0;
};

}  // namespace bitnet
