// UTF-8 as the tokenizers and streaming output need it: decoding that never fails. A byte that does not take part in a
// well-formed character (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF) counts as a character of its
// own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bitnet {

// Stands for a byte that is not part of a character; no code point has this value.
inline constexpr uint32_t kInvalidCodePoint = 0xFFFFFFFFu;

struct Utf8Char {
    uint32_t code_point;  // or kInvalidCodePoint
    uint32_t n_bytes;     // 1 for an invalid byte
};

// The character that starts at text[0]; text must not be empty.
Utf8Char utf8_decode(std::string_view text) noexcept;
// Appends the UTF-8 form of a code point up to U+10FFFF.
void utf8_append(std::string& out, uint32_t code_point);
// True when text has no invalid bytes.
bool utf8_is_valid(std::string_view text) noexcept;
// The start of the character that ends just before position `end` (end > 0), under the same rules.
size_t utf8_previous(std::string_view text, size_t end) noexcept;
// Length of the longest prefix that does not end inside a character.
size_t utf8_complete_prefix(std::string_view bytes) noexcept;

}  // namespace bitnet
