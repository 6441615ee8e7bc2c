// Both directions as small tables made at compile time.
#include "src/tokenizer/byte_alphabet.h"

#include <array>

#include "src/base/utf8.h"

namespace bitnet {
namespace {

constexpr bool is_itself(uint32_t byte) {
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

struct Alphabet {
    std::array<uint16_t, 256> code_point{};
    std::array<int16_t, 0x144> byte{};

    constexpr Alphabet() {
        for (auto& value : byte) value = -1;
        uint16_t next = 0x100;
        for (uint32_t i = 0; i < 256; ++i) {
            code_point[i] = is_itself(i) ? static_cast<uint16_t>(i) : next++;
            byte[code_point[i]] = static_cast<int16_t>(i);
        }
    }
};

constexpr Alphabet kAlphabet;
static_assert(kAlphabet.code_point[' '] == 0x120 && kAlphabet.code_point[0xAD] == 0x143);

}  // namespace

uint32_t byte_to_code_point(uint8_t byte) noexcept { return kAlphabet.code_point[byte]; }

int code_point_to_byte(uint32_t code_point) noexcept {
    return code_point < kAlphabet.byte.size() ? kAlphabet.byte[code_point] : -1;
}

bool append_alphabet_bytes(std::string& out, std::string_view stored) {
    const size_t start = out.size();
    while (!stored.empty()) {
        const Utf8Char c = utf8_decode(stored);
        const int byte = code_point_to_byte(c.code_point);
        if (byte < 0) {
            out.resize(start);
            return false;
        }
        out.push_back(static_cast<char>(byte));
        stored.remove_prefix(c.n_bytes);
    }
    return true;
}

std::string to_alphabet(std::string_view bytes) {
    std::string out;
    for (char byte : bytes) utf8_append(out, byte_to_code_point(static_cast<uint8_t>(byte)));
    return out;
}

}  // namespace bitnet
