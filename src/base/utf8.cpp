// The decoder follows table 3-7 of the Unicode standard: the range of the second byte depends on the first one, all
// later bytes are 80..BF. Everything else here is built on that.
#include "src/base/utf8.h"

namespace bitnet {
namespace {

struct LeadByte {
    uint32_t n_bytes;    // 0: cannot start a character
    uint8_t second_min;  // range of the second byte
    uint8_t second_max;
};

LeadByte lead_byte(uint8_t byte) noexcept {
    if (byte < 0x80) return {1, 0, 0};
    if (byte < 0xC2) return {0, 0, 0};
    if (byte < 0xE0) return {2, 0x80, 0xBF};
    if (byte < 0xF0) {
        return {3, static_cast<uint8_t>(byte == 0xE0 ? 0xA0 : 0x80), static_cast<uint8_t>(byte == 0xED ? 0x9F : 0xBF)};
    }
    if (byte < 0xF5) {
        return {4, static_cast<uint8_t>(byte == 0xF0 ? 0x90 : 0x80), static_cast<uint8_t>(byte == 0xF4 ? 0x8F : 0xBF)};
    }
    return {0, 0, 0};
}

// How many bytes of the character that text[0] starts are there and right; 0 when text[0] starts none.
uint32_t matching_bytes(std::string_view text, const LeadByte& lead) noexcept {
    if (lead.n_bytes == 0) return 0;
    uint32_t n = 1;
    while (n < lead.n_bytes && n < text.size()) {
        const uint8_t byte = static_cast<uint8_t>(text[n]);
        const uint8_t low = n == 1 ? lead.second_min : uint8_t{0x80};
        const uint8_t high = n == 1 ? lead.second_max : uint8_t{0xBF};
        if (byte < low || byte > high) break;
        ++n;
    }
    return n;
}

}  // namespace

Utf8Char utf8_decode(std::string_view text) noexcept {
    const uint8_t first = static_cast<uint8_t>(text[0]);
    if (first < 0x80) return {first, 1};
    const LeadByte lead = lead_byte(first);
    if (lead.n_bytes == 0 || matching_bytes(text, lead) != lead.n_bytes) return {kInvalidCodePoint, 1};
    uint32_t code_point = first & (0x7Fu >> lead.n_bytes);
    for (uint32_t i = 1; i < lead.n_bytes; ++i)
        code_point = (code_point << 6) | (static_cast<uint8_t>(text[i]) & 0x3Fu);
    return {code_point, lead.n_bytes};
}

void utf8_append(std::string& out, uint32_t code_point) {
    if (code_point < 0x80) {
        out.push_back(static_cast<char>(code_point));
        return;
    }
    if (code_point < 0x800) {
        out.push_back(static_cast<char>(0xC0 | (code_point >> 6)));
    } else {
        if (code_point < 0x10000) {
            out.push_back(static_cast<char>(0xE0 | (code_point >> 12)));
        } else {
            out.push_back(static_cast<char>(0xF0 | (code_point >> 18)));
            out.push_back(static_cast<char>(0x80 | ((code_point >> 12) & 0x3F)));
        }
        out.push_back(static_cast<char>(0x80 | ((code_point >> 6) & 0x3F)));
    }
    out.push_back(static_cast<char>(0x80 | (code_point & 0x3F)));
}

bool utf8_is_valid(std::string_view text) noexcept {
    while (!text.empty()) {
        const Utf8Char c = utf8_decode(text);
        if (c.code_point == kInvalidCodePoint) return false;
        text.remove_prefix(c.n_bytes);
    }
    return true;
}

size_t utf8_previous(std::string_view text, size_t end) noexcept {
    for (size_t n = 2; n <= 4 && n <= end; ++n) {
        const Utf8Char c = utf8_decode(text.substr(end - n, n));
        if (c.code_point != kInvalidCodePoint && c.n_bytes == n) return end - n;
    }
    return end - 1;
}

size_t utf8_complete_prefix(std::string_view bytes) noexcept {
    // Only the last three bytes can belong to an unfinished character.
    for (size_t back = 1; back <= 3 && back <= bytes.size(); ++back) {
        const std::string_view tail = bytes.substr(bytes.size() - back);
        const LeadByte lead = lead_byte(static_cast<uint8_t>(tail[0]));
        if (lead.n_bytes > back && matching_bytes(tail, lead) == back) return bytes.size() - back;
    }
    return bytes.size();
}

}  // namespace bitnet
