// A grammar as it was written: expressions over characters and rules, before they become states over bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "src/grammar/code_point_set.h"

namespace bitnet {

// The limits that bitnet.h promises; beyond them BITNET_E_SECURITY_INPUT.
struct GrammarLimits {
    static constexpr size_t kMaxTextBytes = size_t{1} << 20;
    static constexpr size_t kMaxRules = 16384;
    static constexpr uint32_t kMaxNesting = 128;
    static constexpr uint32_t kMaxRepeat = 65535;
    static constexpr size_t kMaxStates = 200000;
};

struct GrammarExpr {
    enum class Kind : uint8_t {
        literal,     // first: index into literals
        characters,  // first: index into sets
        reference,   // first: index into rules
        sequence,    // children[first .. first + count)
        choice,      // children[first .. first + count)
        repeat       // first: expression; least, most times
    };
    static constexpr uint32_t kNoMost = UINT32_MAX;

    Kind kind;
    uint32_t first = 0;
    uint32_t count = 0;
    uint32_t least = 0;
    uint32_t most = 0;
};

struct GrammarRule {
    static constexpr uint32_t kUndefined = UINT32_MAX;

    std::string name;
    uint32_t body = kUndefined;  // an expression
};

struct GrammarAst {
    std::vector<GrammarExpr> exprs;  // an expression's parts come before it
    std::vector<uint32_t> children;
    std::vector<std::string> literals;  // UTF-8
    std::vector<CodePointSet> sets;     // never empty
    std::vector<GrammarRule> rules;     // all of them defined
};

}  // namespace bitnet
