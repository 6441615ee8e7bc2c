// From back to front: each expression is compiled knowing the state that follows it, so a call in the last place of a rule
// is seen as such (its next state is the end), and matching needs no stack for it.
#include "src/grammar/grammar_program.h"

#include <bitset>
#include <string>
#include <unordered_map>
#include <utility>

#include "src/base/error.h"
#include "src/grammar/grammar_check.h"

namespace bitnet {
namespace {

constexpr uint32_t kNoRule = UINT32_MAX;

class Compiler {
public:
    explicit Compiler(const GrammarAst& ast) : ast_(ast), number_of_(ast.rules.size(), kNoRule) {
        program_.states.push_back({GrammarProgram::Kind::end});
        program_.states.push_back({GrammarProgram::Kind::accept});
    }

    // rules_: which rule of the AST each compiled rule is, for messages.
    GrammarProgram compile(uint32_t root, std::vector<uint32_t>& rules) {
        program_.root = number(root);
        for (size_t i = 0; i < rules_.size(); ++i) {  // grows while it runs: rules are numbered when first called
            shared_.clear();
            const uint32_t start = compile(ast_.rules[rules_[i]].body, GrammarProgram::kEnd);
            program_.rule_starts.push_back(start);
        }
        find_classes();
        rules = std::move(rules_);
        return std::move(program_);
    }

private:
    using Kind = GrammarProgram::Kind;

    uint32_t number(uint32_t rule) {
        if (number_of_[rule] == kNoRule) {
            number_of_[rule] = static_cast<uint32_t>(rules_.size());
            rules_.push_back(rule);
        }
        return number_of_[rule];
    }

    // Counts expressions, too: repeating nothing 65535 times, nested, makes no state and would still take forever.
    void count_work() {
        if (++n_work_ <= 4 * GrammarLimits::kMaxStates && program_.states.size() < GrammarLimits::kMaxStates) return;
        throw Error(BITNET_E_SECURITY_INPUT,
                    "the grammar has more than 200000 states once its repetitions are written out; lower their counts, "
                    "or use *")
            .with_subject("grammar");
    }

    uint32_t add(Kind kind, size_t first, size_t count) {
        count_work();
        program_.states.push_back({kind, static_cast<uint32_t>(first), static_cast<uint32_t>(count)});
        return static_cast<uint32_t>(program_.states.size()) - 1;
    }
    uint32_t add_split(std::initializer_list<uint32_t> targets) {
        const size_t first = program_.targets.size();
        program_.targets.insert(program_.targets.end(), targets);
        return add(Kind::split, first, targets.size());
    }
    uint32_t add_byte(uint8_t first, uint8_t last, uint32_t next) {
        // Endings of characters are shared: nearly all sequences of a class end in [80-BF][80-BF].
        const uint64_t key = (uint64_t{next} << 16) | (uint64_t{first} << 8) | last;
        const auto [entry, is_new] = shared_.try_emplace(key, 0);
        if (is_new) {
            program_.moves.push_back({first, last, next});
            entry->second = add(Kind::byte, program_.moves.size() - 1, 1);
        }
        return entry->second;
    }

    uint32_t compile_literal(const std::string& literal, uint32_t next) {
        for (size_t i = literal.size(); i-- > 0;) {
            const auto byte = static_cast<uint8_t>(literal[i]);
            next = add_byte(byte, byte, next);
        }
        return next;
    }

    uint32_t compile_set(const CodePointSet& set, uint32_t next) {
        std::vector<GrammarProgram::Move> moves;
        for (const ByteSequence& sequence : set.byte_sequences()) {
            uint32_t target = next;
            for (size_t i = sequence.n_bytes; i-- > 1;) target = add_byte(sequence.first[i], sequence.last[i], target);
            moves.push_back({sequence.first[0], sequence.last[0], target});
        }
        if (moves.size() == 1) return add_byte(moves[0].first, moves[0].last, moves[0].target);
        const size_t first = program_.moves.size();
        program_.moves.insert(program_.moves.end(), moves.begin(), moves.end());
        return add(Kind::byte, first, moves.size());
    }

    uint32_t compile_repeat(const GrammarExpr& expr, uint32_t next) {
        if (expr.most == GrammarExpr::kNoMost) {
            const uint32_t loop = add_split({next, next});
            const size_t targets = program_.states[loop].first;
            const uint32_t body = compile(expr.first, loop);
            program_.targets[targets] = body;
            next = expr.least == 0 ? loop : body;
            for (uint32_t i = 1; i < expr.least; ++i) next = compile(expr.first, next);
            return next;
        }
        const uint32_t behind = next;
        for (uint32_t i = expr.least; i < expr.most; ++i) next = add_split({compile(expr.first, next), behind});
        for (uint32_t i = 0; i < expr.least; ++i) next = compile(expr.first, next);
        return next;
    }

    // The state where expr begins when `next` follows it. Recursion is bounded by the nesting of groups.
    uint32_t compile(uint32_t index, uint32_t next) {
        count_work();
        const GrammarExpr& expr = ast_.exprs[index];
        switch (expr.kind) {
            case GrammarExpr::Kind::literal: return compile_literal(ast_.literals[expr.first], next);
            case GrammarExpr::Kind::characters: return compile_set(ast_.sets[expr.first], next);
            case GrammarExpr::Kind::reference: return add(Kind::call, number(expr.first), next);
            case GrammarExpr::Kind::repeat: return compile_repeat(expr, next);
            case GrammarExpr::Kind::sequence:
                for (size_t i = expr.count; i-- > 0;) next = compile(ast_.children[expr.first + i], next);
                return next;
            case GrammarExpr::Kind::choice: {
                std::vector<uint32_t> starts;
                starts.reserve(expr.count);
                for (size_t i = 0; i < expr.count; ++i) starts.push_back(compile(ast_.children[expr.first + i], next));
                const size_t first = program_.targets.size();
                program_.targets.insert(program_.targets.end(), starts.begin(), starts.end());
                return add(Kind::split, first, starts.size());
            }
        }
        return next;
    }

    void find_classes() {
        std::bitset<257> begins;  // a class begins at this byte
        for (const GrammarProgram::Move& move : program_.moves) {
            begins.set(move.first);
            begins.set(move.last + size_t{1});
        }
        uint32_t n = 0;
        for (size_t byte = 0; byte < 256; ++byte) {
            if (byte != 0 && begins[byte]) ++n;
            program_.byte_class[byte] = static_cast<uint8_t>(n);
        }
        program_.n_classes = n + 1;
    }

    const GrammarAst& ast_;
    GrammarProgram program_;
    std::vector<uint32_t> number_of_;                // per rule of the AST, once it is called
    std::vector<uint32_t> rules_;                    // the other way round
    std::unordered_map<uint64_t, uint32_t> shared_;  // single moves of the rule being compiled
    size_t n_work_ = 0;
};

}  // namespace

GrammarProgram compile_grammar(const GrammarAst& ast, std::string_view root) {
    for (uint32_t rule = 0; rule < ast.rules.size(); ++rule) {
        if (ast.rules[rule].name != root) continue;
        std::vector<uint32_t> rules;
        GrammarProgram program = Compiler(ast).compile(rule, rules);
        std::vector<std::string_view> names;
        names.reserve(rules.size());
        for (const uint32_t index : rules) names.push_back(ast.rules[index].name);
        check_rules(program, names);
        return program;
    }
    throw Error(BITNET_E_CONFIG, "the grammar has no rule \"" + std::string(root) +
                                     "\" to begin with; add one, or name another rule as the root")
        .with_subject("grammar");
}

}  // namespace bitnet
