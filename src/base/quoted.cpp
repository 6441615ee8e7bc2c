#include "src/base/quoted.h"

#include <cstddef>

namespace bitnet {

std::string quoted(const char* text) {
    constexpr size_t kMost = 32;
    std::string quoted_text = "'";
    size_t i = 0;
    for (; text[i] != '\0' && i < kMost; ++i) {
        const bool plain = text[i] >= 0x20 && text[i] < 0x7f;
        quoted_text += plain ? text[i] : '?';
    }
    return quoted_text + (text[i] != '\0' ? "..." : "") + "'";
}

}  // namespace bitnet
