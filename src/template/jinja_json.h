// JSON texts and template values.
#pragma once

#include <string>
#include <string_view>

#include "src/template/jinja_value.h"

namespace bitnet::jinja {

// All texts are untrusted. Throws BITNET_E_ARGUMENT for what is no JSON, BITNET_E_SECURITY_INPUT for what is too large or
// nested too deeply. Numbers beyond 64 bits become floats.
Value parse_json(std::string_view json);

struct JsonStyle {
    bool ensure_ascii = false;
    bool sort_keys = false;
    bool has_indent = false;
    std::string indent;          // of one level
    std::string item_separator;  // ", " without an indent, "," with one
    std::string key_separator = ": ";
};
// json.dumps. Throws BITNET_E_ARGUMENT for a value that JSON has no form for.
std::string dump_json(const Value& value, const JsonStyle& style, Budget& budget);

}  // namespace bitnet::jinja
