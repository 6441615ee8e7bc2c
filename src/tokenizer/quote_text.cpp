// Every message is one line, whatever a file puts into its names.
#include "src/tokenizer/quote_text.h"

#include <cstdint>

#include "src/base/utf8.h"

namespace bitnet {

std::string quote_text(std::string_view text, size_t max_bytes) {
    static constexpr char kHex[] = "0123456789abcdef";
    std::string_view shown = text.substr(0, max_bytes);
    shown = shown.substr(0, utf8_complete_prefix(shown));
    const bool is_cut = shown.size() < text.size();
    std::string out = "'";
    while (!shown.empty()) {
        const Utf8Char c = utf8_decode(shown);
        const uint8_t byte = static_cast<uint8_t>(shown[0]);
        if (c.code_point == kInvalidCodePoint || byte < 0x20 || byte == 0x7F) {
            out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
        } else {
            out += shown.substr(0, c.n_bytes);
        }
        shown.remove_prefix(c.n_bytes);
    }
    return out + (is_cut ? "...'" : "'");
}

}  // namespace bitnet
