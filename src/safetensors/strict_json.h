// JSON of strangers, as a whole: bounded in size and depth, no key twice in one object, an object at the top.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "bitnet.h"

namespace bitnet {

// name stands for the text in messages, which throw the given status; BITNET_E_SECURITY_INPUT for what is nested too deep.
nlohmann::json parse_strict_json(std::string_view text, const std::string& name, bitnet_status status);
// The whole file, at most max_bytes (BITNET_E_SECURITY_INPUT). Throws as open_file_source, too.
std::string read_text_file(const std::string& path, uint64_t max_bytes);

// What a JSON library says, made fit for a line of ours.
std::string json_reason(const std::exception& error);

}  // namespace bitnet
