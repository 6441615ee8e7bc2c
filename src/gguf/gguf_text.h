// Bytes from a file made fit to show: names in one-line messages, strings and numbers in JSON. Files are hostile input,
// so a key or a token may hold control characters, invalid UTF-8 or a megabyte of anything.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bitnet {

// Valid one-line UTF-8: control characters and malformed bytes become \xNN; cut after max_bytes with "...".
std::string for_message(std::string_view bytes, size_t max_bytes = 96);

// Appends bytes as a JSON string; malformed bytes become U+FFFD.
void append_json_string(std::string& out, std::string_view bytes);

// The shortest decimal text that gives the same value back; "nan", "inf" and "-inf" for the rest.
std::string float_text(float value);
std::string float_text(double value);

}  // namespace bitnet
