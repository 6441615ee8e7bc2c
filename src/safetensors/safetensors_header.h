// The JSON header of a safetensors file, read entry by entry: nothing is built that the limits would refuse later.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "src/safetensors/safetensors_file.h"

namespace bitnet {

struct SafetensorsHeader {
    std::vector<SafetensorsTensor> tensors;  // in the order of the header; offset counts from the end of the header
    std::map<std::string, size_t, std::less<>> by_name;
    std::map<std::string, std::string> metadata;
};

// Checks each entry on its own. file stands for the file in messages.
SafetensorsHeader parse_safetensors_header(std::string_view json, const std::string& file,
                                           const SafetensorsLimits& limits);

}  // namespace bitnet
