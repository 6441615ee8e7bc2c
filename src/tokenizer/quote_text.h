// Text of files and callers as error messages show it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bitnet {

// In single quotes and on one line: control characters as \xHH, at most max_bytes of the text, then "...".
std::string quote_text(std::string_view text, size_t max_bytes = 80);

}  // namespace bitnet
