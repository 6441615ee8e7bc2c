// GBNF text, llama.cpp's notation for grammars, becomes expressions.
#pragma once

#include <string_view>

#include "src/grammar/grammar_ast.h"

namespace bitnet {

// Throws BITNET_E_CONFIG with line and column for what is not GBNF, BITNET_E_SECURITY_INPUT beyond GrammarLimits.
GrammarAst parse_gbnf(std::string_view text);

}  // namespace bitnet
