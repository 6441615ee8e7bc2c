// Unicode's composed form (NFC), which tokenizers like Qwen's bring text to: "e" and a combining accent become one character.
#pragma once

#include <string>
#include <string_view>

namespace bitnet {

// text in the composed form of Unicode 16; bytes that are no characters stay as they are. Any thread. Takes time in
// proportion to the text, but for runs of combining marks, which are sorted.
std::string unicode_compose(std::string_view text);

}  // namespace bitnet
