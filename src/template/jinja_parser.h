// Jinja text -> tree.
#pragma once

#include <memory>
#include <string_view>

#include "src/template/jinja_ast.h"

namespace bitnet::jinja {

// Throws BITNET_E_CONFIG with line and column for what is no template of the supported subset, BITNET_E_SECURITY_INPUT for
// one that is too large, BITNET_E_SECURITY_EXHAUSTION for one that is nested too deeply.
std::shared_ptr<const Program> parse_template(std::string_view source);

}  // namespace bitnet::jinja
