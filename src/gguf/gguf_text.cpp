// Escaping and number formatting without locales, so that a message and a metadata text are the same on every machine.
#include "src/gguf/gguf_text.h"

#include <charconv>
#include <cmath>
#include <cstdint>

#include "src/base/utf8.h"

namespace bitnet {
namespace {

constexpr char kHex[] = "0123456789abcdef";

bool is_control(unsigned char c) { return c < 0x20 || c == 0x7f; }

template <typename Float>
std::string shortest(Float value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    // Plain digits where people would write them: 500000 and 0.00001 rather than 5e+05 and 1e-05.
    const double size = std::fabs(static_cast<double>(value));
    const bool plain = size == 0 || (size >= 1e-6 && size < 1e15);
    char buffer[64];
    const auto result = std::to_chars(buffer, buffer + sizeof buffer, value,
                                      plain ? std::chars_format::fixed : std::chars_format::scientific);
    return std::string(buffer, result.ptr);
}

}  // namespace

std::string for_message(std::string_view bytes, size_t max_bytes) {
    std::string out;
    for (size_t i = 0; i < bytes.size();) {
        if (i >= max_bytes) return out + "...";
        const Utf8Char next = utf8_decode(bytes.substr(i));
        const auto c = static_cast<unsigned char>(bytes[i]);
        if (next.code_point == kInvalidCodePoint || is_control(c))
            out += {'\\', 'x', kHex[c >> 4], kHex[c & 15]};
        else
            out.append(bytes, i, next.n_bytes);
        i += next.n_bytes;
    }
    return out;
}

void append_json_string(std::string& out, std::string_view bytes) {
    out += '"';
    for (size_t i = 0; i < bytes.size();) {
        const Utf8Char next = utf8_decode(bytes.substr(i));
        const auto c = static_cast<unsigned char>(bytes[i]);
        if (next.code_point == kInvalidCodePoint) {
            out += "\xef\xbf\xbd";
        } else if (c == '"' || c == '\\') {
            out += {'\\', static_cast<char>(c)};
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '\t') {
            out += "\\t";
        } else if (is_control(c)) {
            out += {'\\', 'u', '0', '0', kHex[c >> 4], kHex[c & 15]};
        } else {
            out.append(bytes, i, next.n_bytes);
        }
        i += next.n_bytes;
    }
    out += '"';
}

std::string float_text(float value) { return shortest(value); }
std::string float_text(double value) { return shortest(value); }

}  // namespace bitnet
