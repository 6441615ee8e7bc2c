// A JSON schema becomes GBNF text for the JSON texts that obey it; bitnet.h says which keywords are known.
#pragma once

#include <string>
#include <string_view>

namespace bitnet {

// The rule to begin with is "root". Throws BITNET_E_CONFIG for what is no schema, or none that is supported, with the keyword
// and its JSON pointer; BITNET_E_SECURITY_INPUT for one that is too large or too deep.
std::string json_schema_to_gbnf(std::string_view schema);

}  // namespace bitnet
