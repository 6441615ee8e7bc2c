// GPT-2's way to write bytes as printable text: byte-level vocabularies store every byte as one character, the
// printable Latin-1 bytes as themselves and the other 68 as U+0100 .. U+0143 in byte order, so a space is stored as
// U+0120.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bitnet {

// The code point that stands for a byte.
uint32_t byte_to_code_point(uint8_t byte) noexcept;
// The byte a code point stands for, -1 when it is not in the alphabet.
int code_point_to_byte(uint32_t code_point) noexcept;

// Appends the bytes that stored text stands for. False, with nothing appended, when a character is not in the alphabet.
bool append_alphabet_bytes(std::string& out, std::string_view stored);
// The stored form of bytes.
std::string to_alphabet(std::string_view bytes);

}  // namespace bitnet
