// Pieces of GBNF for JSON values: what the writer of schemas puts together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "src/grammar/code_point_set.h"

namespace bitnet {

// `text` as a GBNF literal that matches exactly it.
std::string gbnf_literal(std::string_view text);
// One character of a JSON string's inside out of the set, escaped where JSON wants it. Control characters that have no
// short escape are left out; "" when nothing is left.
std::string gbnf_json_character(const CodePointSet& set);

// Decimal forms, without leading zeros, of the integers from lo to hi; no bound: at most 16 digits. Needs lo <= hi.
std::string gbnf_integer(std::optional<int64_t> lo, std::optional<int64_t> hi);
// The same for numbers with at most 16 digits behind a point, if any.
std::string gbnf_number(std::optional<int64_t> lo, std::optional<int64_t> hi);

// The strings (without quotes) of a JSON schema's format; nullptr for one that is not known.
const char* gbnf_format(std::string_view format) noexcept;
// A rule every JSON grammar may name: "json-value", "json-string", ...; nullptr for others. It may name more of them.
const char* gbnf_json_rule(std::string_view name) noexcept;

// A JSON schema's pattern (a regular expression of ECMA 262) as the inside of a JSON string. where: its JSON pointer, for
// messages. Throws BITNET_E_CONFIG for what it does not know, BITNET_E_SECURITY_INPUT for one too deep.
std::string gbnf_pattern(std::string_view pattern, const std::string& where);

}  // namespace bitnet
