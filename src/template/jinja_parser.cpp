// Recursive descent in the order of Jinja's own grammar, from the loosest binding (a if b else c) to the tightest. Blocks and
// brackets count their depth, chains the depth of their tree, so neither parsing nor evaluating can run out of stack.
#include "src/template/jinja_parser.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>

#include "src/base/error.h"
#include "src/base/utf8.h"
#include "src/template/jinja_lexer.h"
#include "src/tokenizer/quote_text.h"

namespace bitnet::jinja {
namespace {

class Parser {
public:
    explicit Parser(std::string_view source) : source_(source), tokens_(tokenize(source)) {}

    std::shared_ptr<const Program> run() {
        auto program = std::make_shared<Program>();
        program->body = body({});
        return program;
    }

private:
    using Words = std::initializer_list<std::string_view>;

    // Holds a level of nesting while it lives.
    struct Level {
        explicit Level(Parser& parser) : parser_(parser) {
            if (++parser_.depth_ > kMaxParseDepth) Budget::exhausted("it is nested too deeply");
        }
        ~Level() { --parser_.depth_; }
        Level(const Level&) = delete;
        Level& operator=(const Level&) = delete;
        Parser& parser_;
    };

    // ---- tokens ----

    const Token& current() const { return tokens_[at_]; }
    const Token& look() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
    const Token& next() {
        const Token& token = tokens_[at_];
        if (token.type != TokenType::end) ++at_;
        return token;
    }
    static bool is(const Token& token, TokenType type, std::string_view text) {
        return token.type == type && token.text == text;
    }
    bool at_op(std::string_view text) const { return is(current(), TokenType::op, text); }
    bool at_word(std::string_view text) const { return is(current(), TokenType::name, text); }
    bool skip_op(std::string_view text) { return at_op(text) && (next(), true); }
    bool skip_word(std::string_view text) { return at_word(text) && (next(), true); }
    void expect_op(std::string_view text) {
        if (!skip_op(text)) fail("expected '" + std::string(text) + "', found " + describe(current()));
    }
    void expect_word(std::string_view text) {
        if (!skip_word(text)) fail("expected '" + std::string(text) + "', found " + describe(current()));
    }
    std::string expect_name() {
        if (current().type != TokenType::name) fail("expected a name, found " + describe(current()));
        return std::string(next().text);
    }
    void expect_block_end() {
        if (current().type != TokenType::block_end) fail("expected the end of the tag, found " + describe(current()));
        next();
    }
    static std::string describe(const Token& token) {
        switch (token.type) {
            case TokenType::end: return "the end of the template";
            case TokenType::variable_end:
            case TokenType::block_end: return "the end of the tag";
            default: return quote_text(token.text, 40);
        }
    }
    [[noreturn]] void fail(const std::string& what) const { syntax_error(source_, current().offset, what); }
    [[noreturn]] void fail_at(const Token& token, const std::string& what) const {
        syntax_error(source_, token.offset, what);
    }

    // ---- nodes ----

    ExprPtr node(Op op, uint32_t line) const {
        auto expr = std::make_unique<Expr>();
        expr->op = op;
        expr->line = line;
        return expr;
    }
    void adopt(Expr& parent, ExprPtr child) const {
        if (child) {
            parent.depth = std::max(parent.depth, child->depth + 1);
            if (parent.depth > kMaxTreeDepth) Budget::exhausted("an expression is too long");
        }
        parent.args.push_back(std::move(child));
    }
    ExprPtr make(Op op, uint32_t line, ExprPtr a, ExprPtr b = nullptr) const {
        ExprPtr expr = node(op, line);
        adopt(*expr, std::move(a));
        if (b) adopt(*expr, std::move(b));
        return expr;
    }
    ExprPtr literal(uint32_t line, Value value) const {
        ExprPtr expr = node(Op::literal, line);
        expr->literal = std::move(value);
        return expr;
    }
    std::unique_ptr<Stmt> stmt(StmtKind kind, uint32_t line) const {
        auto s = std::make_unique<Stmt>();
        s->kind = kind;
        s->line = line;
        return s;
    }

    // ---- statements ----

    // Statements up to a tag that begins with one of the words; that tag's begin is read, its word is not.
    Body body(Words ends) {
        const Level level(*this);
        Body out;
        const Token& opening = tokens_[at_ > 0 ? at_ - 1 : 0];
        while (true) {
            const Token& token = current();
            switch (token.type) {
                case TokenType::end:
                    if (ends.size() != 0) {
                        fail_at(opening, "a block is not closed; expected " + std::string(*(ends.end() - 1)));
                    }
                    return out;
                case TokenType::data:
                    out.push_back(stmt(StmtKind::data, token.line));
                    out.back()->value = Value::text(MarkedText::trusted(std::string(token.text)));
                    next();
                    break;
                case TokenType::variable_begin:
                    next();
                    out.push_back(stmt(StmtKind::output, token.line));
                    out.back()->exprs.push_back(tuple(true));
                    if (current().type != TokenType::variable_end)
                        fail("expected the end of the tag, found " + describe(current()));
                    next();
                    break;
                case TokenType::block_begin:
                    next();
                    for (const std::string_view end : ends) {
                        if (at_word(end)) return out;
                    }
                    if (std::unique_ptr<Stmt> s = statement()) out.push_back(std::move(s));
                    expect_block_end();
                    break;
                default: fail("unexpected " + describe(token));
            }
        }
    }
    // The body of a block whose opening tag ends here, and the word that ends it.
    Body block(Words ends) {
        expect_block_end();
        return body(ends);
    }

    std::unique_ptr<Stmt> statement() {
        const Token& token = current();
        const std::string word = expect_name();
        if (word == "if") return branch(token.line);
        if (word == "for") return loop(token.line);
        if (word == "set") return assign(token.line);
        if (word == "macro") return macro(token.line);
        if (word == "break" || word == "continue") {
            if (loops_ == 0) fail_at(token, word + " outside a loop");
            return stmt(word == "break" ? StmtKind::stop_loop : StmtKind::next_loop, token.line);
        }
        if (word == "generation") {
            auto s = stmt(StmtKind::group, token.line);
            s->bodies.push_back(block({"endgeneration"}));
            next();
            return s;
        }
        if (word == "with") return with(token.line);
        if (word == "filter") {
            auto s = stmt(StmtKind::filter, token.line);
            s->exprs.push_back(filter_chain(nullptr, true));
            s->bodies.push_back(block({"endfilter"}));
            next();
            return s;
        }
        fail_at(token, "unknown tag " + quote_text(word, 40) +
                           "; known are if, for, set, macro, break, continue, generation, with, filter, raw");
    }

    std::unique_ptr<Stmt> branch(uint32_t line) {
        auto s = stmt(StmtKind::branch, line);
        do {
            s->exprs.push_back(tuple(false));
            s->bodies.push_back(block({"elif", "else", "endif"}));
        } while (skip_word("elif"));
        if (skip_word("else")) s->bodies.push_back(block({"endif"}));
        expect_word("endif");
        return s;
    }

    std::unique_ptr<Stmt> loop(uint32_t line) {
        auto s = stmt(StmtKind::loop, line);
        s->targets.push_back(target(false));
        expect_word("in");
        s->exprs.push_back(tuple(false));
        s->exprs.push_back(skip_word("if") ? expression() : nullptr);
        if (at_word("recursive")) fail("recursive loops are not supported");
        ++loops_;
        s->bodies.push_back(block({"else", "endfor"}));
        --loops_;
        if (skip_word("else")) s->bodies.push_back(block({"endfor"}));
        expect_word("endfor");
        return s;
    }

    std::unique_ptr<Stmt> assign(uint32_t line) {
        auto s = stmt(StmtKind::assign, line);
        s->targets.push_back(target(true));
        if (skip_op("=")) {
            s->exprs.push_back(tuple(true));
            return s;
        }
        s->kind = StmtKind::assign_block;
        s->exprs.push_back(at_op("|") ? filter_chain(nullptr, false) : nullptr);
        s->bodies.push_back(block({"endset"}));
        next();
        return s;
    }

    std::unique_ptr<Stmt> macro(uint32_t line) {
        auto s = stmt(StmtKind::macro, line);
        s->macro.name = expect_name();
        expect_op("(");
        while (!at_op(")")) {
            if (!s->macro.parameters.empty()) expect_op(",");
            s->macro.parameters.push_back(expect_name());
            if (skip_op("=")) {
                s->macro.defaults.push_back(expression());
            } else if (!s->macro.defaults.empty()) {
                fail("a parameter without a default after one that has a default");
            }
        }
        next();
        const int loops = std::exchange(loops_, 0);
        s->macro.body = block({"endmacro"});
        loops_ = loops;
        next();
        return s;
    }

    std::unique_ptr<Stmt> with(uint32_t line) {
        auto s = stmt(StmtKind::group, line);
        s->has_scope = true;
        while (current().type != TokenType::block_end) {
            if (!s->targets.empty()) expect_op(",");
            s->targets.push_back(target(false));
            expect_op("=");
            s->exprs.push_back(expression());
        }
        s->bodies.push_back(block({"endwith"}));
        next();
        return s;
    }

    // a, or a, b, or ns.a where attributes may be.
    Target target(bool may_be_attribute) {
        Target all;
        all.is_tuple = true;
        bool has_comma = false;
        while (true) {
            if (current().type != TokenType::name && !at_op("(")) break;
            if (at_word("in")) break;
            all.parts.push_back(single_target(may_be_attribute));
            if (!skip_op(",")) break;
            has_comma = true;
        }
        if (all.parts.empty()) fail("expected a name to assign to, found " + describe(current()));
        return has_comma ? all : std::move(all.parts[0]);
    }
    Target single_target(bool may_be_attribute) {
        const Level level(*this);
        if (skip_op("(")) {
            Target inner = target(may_be_attribute);
            expect_op(")");
            return inner;
        }
        const Token& token = current();
        Target t;
        t.name = expect_name();
        for (const std::string_view constant : {"true", "false", "none", "True", "False", "None"}) {
            if (t.name == constant) fail_at(token, "cannot assign to " + t.name);
        }
        if (may_be_attribute && skip_op(".")) t.attribute = expect_name();
        return t;
    }

    // ---- expressions ----

    bool at_tuple_end() const {
        return current().type == TokenType::variable_end || current().type == TokenType::block_end || at_op(")") ||
               current().type == TokenType::end;
    }
    // One expression, or several with commas: a tuple.
    ExprPtr tuple(bool with_condition, bool in_parentheses = false) {
        const uint32_t line = current().line;
        ExprPtr all = node(Op::tuple, line);
        bool is_tuple = false;
        while (!at_tuple_end()) {
            adopt(*all, with_condition ? expression() : logical_or());
            if (!skip_op(",")) break;
            is_tuple = true;
        }
        if (is_tuple || (all->args.empty() && in_parentheses)) return all;
        if (all->args.empty()) fail("expected an expression, found " + describe(current()));
        return std::move(all->args[0]);
    }

    ExprPtr expression() {
        const Level level(*this);
        ExprPtr value = logical_or();
        while (at_word("if")) {
            ExprPtr choice = node(Op::conditional, next().line);
            adopt(*choice, logical_or());
            adopt(*choice, std::move(value));
            adopt(*choice, skip_word("else") ? expression() : nullptr);
            value = std::move(choice);
        }
        return value;
    }
    ExprPtr logical_or() {
        ExprPtr left = logical_and();
        while (at_word("or")) {
            const uint32_t line = next().line;
            left = make(Op::logical_or, line, std::move(left), logical_and());
        }
        return left;
    }
    ExprPtr logical_and() {
        ExprPtr left = logical_not();
        while (at_word("and")) {
            const uint32_t line = next().line;
            left = make(Op::logical_and, line, std::move(left), logical_not());
        }
        return left;
    }
    ExprPtr logical_not() {
        if (!at_word("not")) return comparison();
        const Level level(*this);
        const uint32_t line = next().line;
        return make(Op::logical_not, line, logical_not());
    }
    bool skip_comparison(Comparison& out) {
        static constexpr std::pair<std::string_view, Comparison> kOps[] = {
            {"==", Comparison::eq}, {"!=", Comparison::ne}, {"<", Comparison::lt},
            {"<=", Comparison::le}, {">", Comparison::gt},  {">=", Comparison::ge}};
        for (const auto& [text, comparison] : kOps) {
            if (skip_op(text)) {
                out = comparison;
                return true;
            }
        }
        if (skip_word("in")) {
            out = Comparison::in;
            return true;
        }
        if (at_word("not") && is(look(), TokenType::name, "in")) {
            next();
            next();
            out = Comparison::not_in;
            return true;
        }
        return false;
    }
    ExprPtr comparison() {
        const uint32_t line = current().line;
        ExprPtr first = sum();
        Comparison op;
        if (!skip_comparison(op)) return first;
        ExprPtr all = node(Op::compare, line);
        adopt(*all, std::move(first));
        do {
            all->comparisons.push_back(op);
            adopt(*all, sum());
        } while (skip_comparison(op));
        return all;
    }
    ExprPtr sum() {
        ExprPtr left = concat();
        while (at_op("+") || at_op("-")) {
            const Token& token = next();
            left = make(token.text == "+" ? Op::add : Op::subtract, token.line, std::move(left), concat());
        }
        return left;
    }
    ExprPtr concat() {
        const uint32_t line = current().line;
        ExprPtr first = product();
        if (!at_op("~")) return first;
        ExprPtr all = node(Op::concat, line);
        adopt(*all, std::move(first));
        while (skip_op("~")) adopt(*all, product());
        return all;
    }
    ExprPtr product() {
        ExprPtr left = power();
        while (true) {
            const Op op = at_op("*")    ? Op::multiply
                          : at_op("/")  ? Op::divide
                          : at_op("//") ? Op::floor_divide
                          : at_op("%")  ? Op::modulo
                                        : Op::literal;
            if (op == Op::literal) return left;
            const uint32_t line = next().line;
            left = make(op, line, std::move(left), power());
        }
    }
    ExprPtr power() {
        ExprPtr left = unary(true);
        while (at_op("**")) {
            const uint32_t line = next().line;
            left = make(Op::power, line, std::move(left), unary(true));
        }
        return left;
    }
    ExprPtr unary(bool with_filter) {
        const Level level(*this);
        ExprPtr value;
        if (at_op("-") || at_op("+")) {
            const Token& token = next();
            value = make(token.text == "-" ? Op::negate : Op::plus, token.line, unary(false));
        } else {
            value = primary();
        }
        value = postfix(std::move(value));
        return with_filter ? filters(std::move(value)) : std::move(value);
    }

    ExprPtr primary() {
        const Token& token = current();
        switch (token.type) {
            case TokenType::name: return name_or_constant();
            case TokenType::string: {
                std::string text;
                while (current().type == TokenType::string) text += unescape(next());
                return literal(token.line, Value::text(MarkedText::trusted(std::move(text))));
            }
            case TokenType::integer:
            case TokenType::real: return number();
            case TokenType::op: break;
            default: fail("unexpected " + describe(token));
        }
        if (skip_op("(")) {
            ExprPtr inner = tuple(true, true);
            expect_op(")");
            return inner;
        }
        if (skip_op("[")) {
            ExprPtr list = node(Op::list, token.line);
            while (!at_op("]")) {
                if (!list->args.empty()) expect_op(",");
                if (at_op("]")) break;
                adopt(*list, expression());
            }
            next();
            return list;
        }
        if (skip_op("{")) {
            ExprPtr dict = node(Op::dict, token.line);
            while (!at_op("}")) {
                if (!dict->args.empty()) expect_op(",");
                if (at_op("}")) break;
                adopt(*dict, expression());
                expect_op(":");
                adopt(*dict, expression());
            }
            next();
            return dict;
        }
        fail("unexpected " + describe(token));
    }

    ExprPtr name_or_constant() {
        const Token& token = next();
        const std::string_view text = token.text;
        if (text == "true" || text == "True") return literal(token.line, Value::boolean(true));
        if (text == "false" || text == "False") return literal(token.line, Value::boolean(false));
        if (text == "none" || text == "None") return literal(token.line, Value::none());
        ExprPtr name = node(Op::name, token.line);
        name->name = text;
        return name;
    }

    ExprPtr number() {
        const Token& token = next();
        std::string digits;
        for (const char c : token.text) {
            if (c != '_') digits.push_back(c);
        }
        const char* const end = digits.data() + digits.size();
        if (token.type == TokenType::integer) {
            int64_t value = 0;
            if (std::from_chars(digits.data(), end, value).ec != std::errc())
                fail_at(token, "a number that is too large");
            if (digits.size() > 1 && digits[0] == '0' && value != 0) fail_at(token, "a number that begins with 0");
            return literal(token.line, Value::integer(value));
        }
        double value = 0;
        if (std::from_chars(digits.data(), end, value).ec != std::errc())
            fail_at(token, "a number that is too large or too small");
        return literal(token.line, Value::real(value));
    }

    // Escapes as Python reads them; one that it does not know stays as it is.
    std::string unescape(const Token& token) const {
        std::string out;
        const std::string_view text = token.text;
        for (size_t i = 0; i < text.size(); ++i) {
            if (text[i] != '\\') {
                out.push_back(text[i]);
                continue;
            }
            const char c = text[++i];  // the lexer leaves no single backslash at the end
            static constexpr std::string_view kNames = "abfnrtv\\'\"", kBytes = "\a\b\f\n\r\t\v\\'\"";
            if (const size_t at = kNames.find(c); at != std::string_view::npos) {
                out.push_back(kBytes[at]);
            } else if (c == '\n') {
                continue;
            } else if (c == 'x' || c == 'u' || c == 'U') {
                utf8_append(out, code_point(token, text, i, c == 'x' ? 2 : c == 'u' ? 4 : 8));
            } else if (c >= '0' && c <= '7') {
                uint32_t code = 0;
                size_t end = i;
                for (; end < text.size() && end < i + 3 && text[end] >= '0' && text[end] <= '7'; ++end) {
                    code = code * 8 + static_cast<uint32_t>(text[end] - '0');
                }
                utf8_append(out, code);
                i = end - 1;
            } else {
                out.append("\\").push_back(c);
            }
        }
        return out;
    }
    uint32_t code_point(const Token& token, std::string_view text, size_t& i, size_t n_digits) const {
        const std::string_view digits = text.substr(std::min(i + 1, text.size()), n_digits);
        uint32_t code = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
        const bool ok = error == std::errc() && end == digits.data() + n_digits && digits.size() == n_digits;
        if (!ok || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
            fail_at(token, "an escape that is no character");
        i += n_digits;
        return code;
    }

    ExprPtr postfix(ExprPtr value) {
        while (true) {
            const Token& token = current();
            if (skip_op(".")) {
                if (current().type == TokenType::integer) {
                    value = make(Op::item, token.line, std::move(value), number());
                    continue;
                }
                value = make(Op::attribute, token.line, std::move(value));
                value->name = expect_name();
            } else if (at_op("[")) {
                value = subscript(std::move(value));
            } else if (at_op("(")) {
                value = call(std::move(value));
            } else {
                return value;
            }
        }
    }
    ExprPtr subscript(ExprPtr value) {
        const uint32_t line = next().line;
        ExprPtr first = at_op(":") ? nullptr : expression();
        ExprPtr out;
        if (at_op(":")) {
            next();
            out = node(Op::slice, line);
            adopt(*out, std::move(value));
            adopt(*out, std::move(first));
            adopt(*out, at_op(":") || at_op("]") ? nullptr : expression());
            adopt(*out, skip_op(":") && !at_op("]") ? expression() : nullptr);
        } else if (at_op(",")) {
            ExprPtr key = node(Op::tuple, line);
            adopt(*key, std::move(first));
            while (skip_op(",")) adopt(*key, expression());
            out = make(Op::item, line, std::move(value), std::move(key));
        } else {
            out = make(Op::item, line, std::move(value), std::move(first));
        }
        expect_op("]");
        return out;
    }
    ExprPtr call(ExprPtr callee) {
        ExprPtr out = make(Op::call, current().line, std::move(callee));
        arguments(*out);
        return out;
    }
    void arguments(Expr& to) {
        expect_op("(");
        bool needs_comma = false;
        while (!at_op(")")) {
            if (needs_comma) expect_op(",");
            if (at_op(")")) break;
            if (at_op("*") || at_op("**")) fail("* and ** arguments are not supported");
            if (current().type == TokenType::name && is(look(), TokenType::op, "=")) {
                std::string name = expect_name();
                next();
                ExprPtr value = expression();
                to.depth = std::max(to.depth, value->depth + 1);
                if (to.depth > kMaxTreeDepth) Budget::exhausted("an expression is too long");
                to.named.emplace_back(std::move(name), std::move(value));
            } else {
                if (!to.named.empty()) fail("an argument without a name after one with a name");
                adopt(to, expression());
            }
            needs_comma = true;
        }
        next();
    }

    // | filter, is test, and calls of their results.
    ExprPtr filters(ExprPtr value) {
        while (true) {
            if (at_op("|")) {
                value = filter_chain(std::move(value), false);
            } else if (at_word("is")) {
                value = test(std::move(value));
            } else if (at_op("(")) {
                value = call(std::move(value));
            } else {
                return value;
            }
        }
    }
    std::string dotted_name() {
        std::string name = expect_name();
        while (skip_op(".")) name.append(".").append(expect_name());
        return name;
    }
    ExprPtr filter_chain(ExprPtr value, bool begins_with_name) {
        bool is_first = begins_with_name;
        while (is_first || at_op("|")) {
            if (!is_first) next();
            is_first = false;
            ExprPtr filter = node(Op::filter, current().line);
            adopt(*filter, std::move(value));
            filter->name = dotted_name();
            if (at_op("(")) arguments(*filter);
            value = std::move(filter);
        }
        return value;
    }
    ExprPtr test(ExprPtr value) {
        const uint32_t line = next().line;
        const bool is_negated = skip_word("not");
        ExprPtr out = make(Op::test, line, std::move(value));
        out->name = dotted_name();
        const Token& token = current();
        const bool has_argument = token.type == TokenType::name || token.type == TokenType::string ||
                                  token.type == TokenType::integer || token.type == TokenType::real || at_op("[") ||
                                  at_op("{");
        if (at_op("(")) {
            arguments(*out);
        } else if (has_argument && !at_word("else") && !at_word("or") && !at_word("and")) {
            if (at_word("is")) fail("tests cannot be chained with is");
            adopt(*out, postfix(primary()));
        }
        return is_negated ? make(Op::logical_not, line, std::move(out)) : std::move(out);
    }

    std::string_view source_;
    std::vector<Token> tokens_;
    size_t at_ = 0;
    uint32_t depth_ = 0;
    int loops_ = 0;  // around this place
};

}  // namespace

std::shared_ptr<const Program> parse_template(std::string_view source) {
    if (source.size() > kMaxSourceBytes) {
        throw Error(BITNET_E_SECURITY_INPUT, "the chat template is larger than 256 KiB")
            .with_numbers(kMaxSourceBytes, source.size());
    }
    if (!utf8_is_valid(source)) throw Error(BITNET_E_CONFIG, "the chat template is not UTF-8");
    const std::string normalized = normalize_source(source);
    return Parser(normalized).run();
}

}  // namespace bitnet::jinja
