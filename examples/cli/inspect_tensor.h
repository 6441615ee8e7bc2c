// bitnet inspect --tensor: the values of one tensor, how they are spread, and rows of them.
#pragma once

#include <string>

namespace cli {

// rows: "7", "0:16", "16:", ":16"; "" for all, which are then counted but not shown. Returns the exit code.
int inspect_tensor(const std::string& path, const std::string& name, const std::string& rows, bool json);

}  // namespace cli
