// Text of a caller in a message: in quotes, short, one line.
#pragma once

#include <string>

namespace bitnet {

std::string quoted(const char* text);

}  // namespace bitnet
