// A grammar as states over bytes: what matching walks. Each rule is an automaton that may call others; repetitions are
// loops inside of an automaton, so only calls need a stack.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "src/grammar/grammar_ast.h"

namespace bitnet {

struct GrammarProgram {
    enum class Kind : uint8_t {
        end,     // the rule is complete
        accept,  // the whole text is complete
        byte,    // reads a byte: one of moves[first .. first + count)
        split,   // goes on at each of targets[first .. first + count)
        call     // runs rule `first`, then goes on at state `count`
    };
    struct State {
        Kind kind;
        uint32_t first = 0;
        uint32_t count = 0;
    };
    struct Move {
        uint8_t first, last;  // bytes
        uint32_t target;
    };
    static constexpr uint32_t kEnd = 0;  // the only state of its kind, as the next one
    static constexpr uint32_t kAccept = 1;

    std::vector<State> states;
    std::vector<Move> moves;
    std::vector<uint32_t> targets;
    std::vector<uint32_t> rule_starts;  // the first state of each rule
    // Of each rule; one that may call another before it has read a byte comes before it.
    std::vector<uint32_t> rule_order;
    uint32_t root = 0;
    std::array<uint8_t, 256> byte_class{};  // bytes that all moves treat alike have the same class
    uint32_t n_classes = 0;
};

// Throws BITNET_E_CONFIG for a root that is not there, left recursion and rules that cannot end, naming the rules;
// BITNET_E_SECURITY_INPUT when repetitions make too many states. Rules that the root cannot reach are left out.
GrammarProgram compile_grammar(const GrammarAst& ast, std::string_view root);

}  // namespace bitnet
