// Sets of characters, and their UTF-8 forms as ranges of bytes: matching works on bytes, because tokens may cut characters.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace bitnet {

inline constexpr uint32_t kMaxCodePoint = 0x10FFFF;
inline bool is_surrogate(uint32_t code_point) noexcept { return code_point >= 0xD800 && code_point <= 0xDFFF; }

struct CodePointRange {
    uint32_t first, last;
    bool operator==(const CodePointRange&) const = default;
};

// All strings whose byte i lies in [first[i], last[i]], i < n_bytes.
struct ByteSequence {
    uint8_t n_bytes;
    std::array<uint8_t, 4> first, last;
};

// Never holds surrogates, which have no UTF-8 form.
class CodePointSet {
public:
    // Needs first <= last <= kMaxCodePoint.
    void add(uint32_t first, uint32_t last);
    void add(const CodePointSet& other);
    // The characters that are not in it.
    CodePointSet inverted() const;
    CodePointSet intersected(const CodePointSet& other) const;
    bool contains(uint32_t code_point) const;
    bool empty() const { return ranges().empty(); }
    // Rising, neither touching nor overlapping.
    const std::vector<CodePointRange>& ranges() const;
    // Together exactly the UTF-8 forms of the set.
    std::vector<ByteSequence> byte_sequences() const;

private:
    mutable std::vector<CodePointRange> ranges_;
    mutable bool sorted_ = true;
};

}  // namespace bitnet
