// What a grammar must hold so that matching always ends: no rule begins with itself, every rule can end.
#pragma once

#include <string_view>
#include <vector>

#include "src/grammar/grammar_program.h"

namespace bitnet {

// Fills program.rule_order. names: of the program's rules. Throws BITNET_E_CONFIG.
void check_rules(GrammarProgram& program, const std::vector<std::string_view>& names);

}  // namespace bitnet
