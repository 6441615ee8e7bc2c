// Recursive descent; only groups recurse, and those are counted.
#include "src/grammar/gbnf_parser.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "src/base/error.h"
#include "src/base/utf8.h"

namespace bitnet {
namespace {

bool is_name_char(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

int hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// A group nests a choice, a sequence and a repetition.
constexpr uint32_t kMaxDepth = 3 * GrammarLimits::kMaxNesting;

class Parser {
public:
    explicit Parser(std::string_view text) : text_(text) {}

    GrammarAst parse() {
        if (text_.size() > GrammarLimits::kMaxTextBytes) {
            throw Error(BITNET_E_SECURITY_INPUT, "the grammar has " + std::to_string(text_.size()) +
                                                     " bytes; at most 1048576 are read, so make it smaller")
                .with_numbers(GrammarLimits::kMaxTextBytes, text_.size());
        }
        skip_space(true);
        while (at_ < text_.size()) {
            parse_rule();
            skip_space(true);
        }
        if (ast_.rules.empty()) fail("there is no rule; write at least root ::= \"text\"");
        for (size_t i = 0; i < ast_.rules.size(); ++i) {
            if (ast_.rules[i].body != GrammarRule::kUndefined) continue;
            const std::string& name = ast_.rules[i].name;
            fail("the rule " + name + " is not defined; add " + name + " ::= ...", first_named_[i]);
        }
        return std::move(ast_);
    }

private:
    using Kind = GrammarExpr::Kind;

    // Lines are counted only when something is wrong.
    std::pair<uint32_t, uint32_t> place(size_t at) const {
        uint32_t line = 1, column = 1;
        for (size_t i = 0; i < at; ++i) {
            if (text_[i] == '\n') {
                ++line;
                column = 1;
            } else if ((static_cast<uint8_t>(text_[i]) & 0xC0) != 0x80) {
                ++column;
            }
        }
        return {line, column};
    }
    [[noreturn]] void fail(const std::string& what, size_t at, bitnet_status status = BITNET_E_CONFIG) const {
        const auto [line, column] = place(at);
        throw Error(status, "grammar line " + std::to_string(line) + ", column " + std::to_string(column) + ": " + what)
            .with_subject("grammar");
    }
    [[noreturn]] void fail(const std::string& what) const { fail(what, at_); }

    bool done() const noexcept { return at_ >= text_.size(); }
    char peek() const noexcept { return done() ? '\0' : text_[at_]; }
    bool take(char c) noexcept {
        if (done() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    // What stands here, for a message.
    std::string found() const {
        if (done()) return "the end";
        const Utf8Char c = utf8_decode(text_.substr(at_));
        if (c.code_point == '\n' || c.code_point == '\r') return "the end of the line";
        if (c.code_point == kInvalidCodePoint || c.code_point < 0x20) return "a byte that is no text";
        return "'" + std::string(text_.substr(at_, c.n_bytes)) + "'";
    }

    void skip_space(bool over_lines) noexcept {
        while (!done()) {
            const char c = text_[at_];
            if (c == '#') {
                while (!done() && text_[at_] != '\n' && text_[at_] != '\r') ++at_;
            } else if (c == ' ' || c == '\t' || (over_lines && (c == '\n' || c == '\r'))) {
                ++at_;
            } else {
                break;
            }
        }
    }

    std::string_view parse_name() {
        const size_t begin = at_;
        while (!done() && is_name_char(text_[at_])) ++at_;
        if (begin == at_) fail("a rule's name is expected, but there is " + found());
        return text_.substr(begin, at_ - begin);
    }

    uint32_t rule_index(std::string_view name, size_t at) {
        const auto [entry, is_new] =
            rule_of_name_.try_emplace(std::string(name), static_cast<uint32_t>(ast_.rules.size()));
        if (!is_new) return entry->second;
        if (ast_.rules.size() == GrammarLimits::kMaxRules)
            fail("there are more than 16384 rules; make the grammar smaller", at, BITNET_E_SECURITY_INPUT);
        ast_.rules.push_back({std::string(name), GrammarRule::kUndefined});
        first_named_.push_back(at);
        return entry->second;
    }

    void parse_rule() {
        const size_t begin = at_;
        const std::string_view name = parse_name();
        skip_space(false);
        if (text_.substr(at_, 3) != "::=") fail("'::=' is expected behind the rule's name, but there is " + found());
        at_ += 3;
        skip_space(true);
        const uint32_t rule = rule_index(name, begin);
        if (ast_.rules[rule].body != GrammarRule::kUndefined) {
            fail("the rule " + std::string(name) + " is defined twice; join both with |", begin);
        }
        const uint32_t body = parse_choice(0);
        ast_.rules[rule].body = body;
        if (!done() && peek() != '\n' && peek() != '\r') fail("the rule should end here, but there is " + found());
    }

    // depth: of its deepest part. Whoever walks expressions may recurse.
    uint32_t add(GrammarExpr expr, uint32_t depth = 0) {
        if (depth >= kMaxDepth) {
            fail("groups and repetitions are nested too deep; give the inner ones rules of their own", at_,
                 BITNET_E_SECURITY_INPUT);
        }
        ast_.exprs.push_back(expr);
        depths_.push_back(depth + 1);
        return static_cast<uint32_t>(ast_.exprs.size()) - 1;
    }
    uint32_t add_list(Kind kind, const std::vector<uint32_t>& parts) {
        if (parts.size() == 1) return parts[0];
        GrammarExpr expr{kind};
        expr.first = static_cast<uint32_t>(ast_.children.size());
        expr.count = static_cast<uint32_t>(parts.size());
        ast_.children.insert(ast_.children.end(), parts.begin(), parts.end());
        uint32_t depth = 0;
        for (const uint32_t part : parts) depth = std::max(depth, depths_[part]);
        return add(expr, depth);
    }

    uint32_t parse_choice(uint32_t depth) {
        if (depth > GrammarLimits::kMaxNesting) {
            fail("groups are nested more than 128 deep; give the inner ones rules of their own", at_,
                 BITNET_E_SECURITY_INPUT);
        }
        std::vector<uint32_t> choices = {parse_sequence(depth)};
        while (take_bar()) {
            skip_space(true);
            choices.push_back(parse_sequence(depth));
        }
        return add_list(Kind::choice, choices);
    }

    // Also at the beginning of a later line: no rule begins so.
    bool take_bar() noexcept {
        const size_t before = at_;
        skip_space(true);
        if (take('|')) return true;
        at_ = before;
        return false;
    }

    uint32_t parse_sequence(uint32_t depth) {
        std::vector<uint32_t> parts;
        for (;;) {
            const char c = peek();
            if (c == '"') {
                parts.push_back(parse_literal());
            } else if (c == '[') {
                parts.push_back(parse_class());
            } else if (c == '.' && !done()) {
                ++at_;
                CodePointSet all;
                all.add(0, kMaxCodePoint);
                parts.push_back(add_set(std::move(all)));
            } else if (c == '(') {
                const size_t begin = at_++;
                skip_space(true);
                parts.push_back(parse_choice(depth + 1));
                if (!take(')')) {
                    const auto [line, column] = place(begin);
                    fail("')' is expected, but there is " + found() + "; the group began in line " +
                         std::to_string(line) + ", column " + std::to_string(column));
                }
            } else if (is_name_char(c) && !done()) {
                const size_t begin = at_;
                const std::string_view name = parse_name();
                GrammarExpr expr{Kind::reference};
                expr.first = rule_index(name, begin);
                parts.push_back(add(expr));
            } else if (c == '*' || c == '+' || c == '?' || c == '{') {
                fail("'" + std::string(1, c) + "' repeats nothing; put a literal, class, group or rule before it");
            } else if (c == '<') {
                fail("tokens in <> are not supported; write the text as a literal");
            } else {
                break;
            }
            skip_space(depth > 0);
            while (parse_repeat(parts.back())) skip_space(depth > 0);
        }
        return add_list(Kind::sequence, parts);
    }

    bool parse_repeat(uint32_t& expr) {
        GrammarExpr repeat{Kind::repeat};
        repeat.first = expr;
        if (take('*')) {
            repeat.most = GrammarExpr::kNoMost;
        } else if (take('+')) {
            repeat.least = 1;
            repeat.most = GrammarExpr::kNoMost;
        } else if (take('?')) {
            repeat.most = 1;
        } else if (take('{')) {
            const size_t begin = at_;
            skip_space(false);
            repeat.least = parse_count();
            repeat.most = repeat.least;
            skip_space(false);
            if (take(',')) {
                skip_space(false);
                repeat.most = peek() == '}' ? GrammarExpr::kNoMost : parse_count();
                skip_space(false);
            }
            if (!take('}')) fail("'}' is expected, but there is " + found());
            if (repeat.most < repeat.least) fail("the second count is below the first; swap them", begin);
        } else {
            return false;
        }
        expr = add(repeat, depths_[expr]);
        return true;
    }

    uint32_t parse_count() {
        if (!is_digit(peek())) fail("a count is expected, but there is " + found());
        const size_t begin = at_;
        uint32_t n = 0;
        for (; is_digit(peek()); ++at_) {
            n = n * 10 + static_cast<uint32_t>(peek() - '0');
            if (n > GrammarLimits::kMaxRepeat) {
                fail("at most 65535 repetitions are possible; use * for no bound", begin, BITNET_E_SECURITY_INPUT);
            }
        }
        return n;
    }

    // One character of a literal or a class, escaped or not.
    uint32_t parse_character(const char* where) {
        if (done() || peek() == '\n' || peek() == '\r') fail(std::string(where) + " does not end before the line does");
        const size_t begin = at_;
        if (!take('\\')) {
            const Utf8Char c = utf8_decode(text_.substr(at_));
            if (c.code_point == kInvalidCodePoint) fail("a byte that is not UTF-8; write \\xHH for a character");
            at_ += c.n_bytes;
            return c.code_point;
        }
        const char c = peek();
        if (!done()) ++at_;
        switch (c) {
            case 'n': return '\n';
            case 'r': return '\r';
            case 't': return '\t';
            case '\\':
            case '"':
            case '[':
            case ']':
            case '-':
            case '^': return static_cast<uint32_t>(c);
            case 'x': return parse_hex(2, begin);
            case 'u': return parse_hex(4, begin);
            case 'U': return parse_hex(8, begin);
            default:
                fail("unknown escape; known are \\n \\r \\t \\\\ \\\" \\[ \\] \\- \\^ \\xHH \\uHHHH \\UHHHHHHHH",
                     begin);
        }
    }

    uint32_t parse_hex(int n_digits, size_t begin) {
        uint32_t value = 0;
        for (int i = 0; i < n_digits; ++i, ++at_) {
            const int digit = hex_value(peek());
            if (digit < 0) fail("this escape needs " + std::to_string(n_digits) + " hexadecimal digits", begin);
            value = value << 4 | static_cast<uint32_t>(digit);
        }
        if (value > kMaxCodePoint || is_surrogate(value)) {
            fail("the escape names no character; there are 0 .. D7FF and E000 .. 10FFFF", begin);
        }
        return value;
    }

    uint32_t parse_literal() {
        ++at_;
        std::string literal;
        while (!take('"')) utf8_append(literal, parse_character("the literal"));
        ast_.literals.push_back(std::move(literal));
        GrammarExpr expr{Kind::literal};
        expr.first = static_cast<uint32_t>(ast_.literals.size()) - 1;
        return add(expr);
    }

    uint32_t parse_class() {
        const size_t begin = at_++;
        const bool negated = take('^');
        CodePointSet set;
        while (!take(']')) {
            const size_t range_begin = at_;
            const uint32_t first = parse_character("the class");
            uint32_t last = first;
            if (peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
                ++at_;
                last = parse_character("the class");
                if (last < first) fail("the range ends before it begins; swap its ends", range_begin);
            }
            set.add(first, last);
        }
        if (negated) set = set.inverted();
        if (set.empty()) fail("no character is in this class; put one in, or leave it out", begin);
        return add_set(std::move(set));
    }

    uint32_t add_set(CodePointSet set) {
        ast_.sets.push_back(std::move(set));
        GrammarExpr expr{Kind::characters};
        expr.first = static_cast<uint32_t>(ast_.sets.size()) - 1;
        return add(expr);
    }

    std::string_view text_;
    size_t at_ = 0;
    GrammarAst ast_;
    std::vector<uint32_t> depths_;  // per expression
    std::unordered_map<std::string, uint32_t> rule_of_name_;
    std::vector<size_t> first_named_;  // per rule, where it stands in the text
};

}  // namespace

GrammarAst parse_gbnf(std::string_view text) { return Parser(text).parse(); }

}  // namespace bitnet
