// Runs a template's tree over the values of a conversation. There is nothing else that it could reach: names are variables or
// the functions of jinja_functions.h, attributes are keys of data or the methods of jinja_methods.h.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "src/template/jinja_ast.h"
#include "src/template/jinja_value.h"

namespace bitnet::jinja {

class Evaluator;

// The arguments of a call, a filter or a test.
struct Arguments {
    std::vector<Value> positional;
    std::vector<std::pair<std::string, Value>> named;

    // The argument at this place or with this name; null when it was not given.
    const Value* get(size_t index, std::string_view name) const;
};

// What a template may call by name.
struct Function {
    std::string_view name;
    Value (*call)(Evaluator&, const Arguments&);
};

// One run of a for loop, as `loop` sees it. Lives until the evaluation ends.
struct LoopState {
    std::vector<Value> items;
    size_t index = 0;
    int64_t depth = 1;
};

class Evaluator {
public:
    // now: seconds since 1970.
    Evaluator(const Program& program, Dict variables, double now, Budget& budget);
    MarkedText run();

    // ---- for filters, tests, functions and methods ----

    Budget& budget() noexcept { return budget_; }
    double now() const noexcept { return now_; }
    // BITNET_E_ARGUMENT: "the chat template, line 3: " what.
    [[noreturn]] void fail(const std::string& what) const;
    // Fails for arguments beyond these parameters.
    void check(std::string_view callee, const Arguments& args,
               std::initializer_list<std::string_view> parameters) const;
    Value call(const Value& callee, const Arguments& args);
    Value filter(const std::string& name, const Value& input, const Arguments& args);
    bool test(const std::string& name, const Value& value, const Arguments& args);
    // value.name and value[key]; undefined where there is none.
    Value attribute(const Value& value, std::string_view name);
    Value item(const Value& value, const Value& key);
    // A path like "function.name" or "items.0", as filters take it; a number is an index. missing: stands for every
    // part that is undefined.
    Value path(const Value& value, const Value& path, const Value* missing = nullptr);
    // The elements that a for loop would see.
    std::vector<Value> elements(const Value& value);
    bool contains(const Value& container, const Value& value);
    int64_t length(const Value& value);
    MarkedText text(const Value& value) { return to_text(value, budget_); }
    Value new_namespace(Dict attributes);
    // A whole number, or fails saying what for.
    int64_t integer(const Value& value, const char* what) const;

private:
    enum class Flow : uint8_t { next, stop_loop, next_loop };
    class Level;
    using Scope = std::unordered_map<std::string, Value>;

    // jinja_evaluator.cpp
    Flow run_body(const Body& body);
    Flow run_stmt(const Stmt& stmt);
    Flow run_loop(const Stmt& stmt);
    Flow run_loop_body(const Stmt& stmt, LoopState& state);
    MarkedText captured(const Body& body);
    void write(MarkedText text);
    void assign(const Target& target, const Value& value);
    Value look_up(const std::string& name) const;
    Value call_macro(const MacroNode& macro, const Arguments& args);
    Value loop_attribute(const LoopState& loop, std::string_view name) const;

    // jinja_expressions.cpp
    Value evaluate(const Expr& expr);
    Value evaluate_call(const Expr& expr);
    Value evaluate_dict(const Expr& expr);
    Value evaluate_slice(const Expr& expr);
    Value evaluate_concat(const Expr& expr);
    bool evaluate_comparison(const Expr& expr);
    bool compare(Comparison comparison, const Value& a, const Value& b);
    std::vector<Value> evaluate_all(const std::vector<ExprPtr>& exprs, size_t begin);
    Arguments arguments(const Expr& expr);
    Value arithmetic(Op op, const Value& a, const Value& b);
    Value integer_arithmetic(Op op, int64_t a, int64_t b);
    Value real_arithmetic(Op op, double a, double b);
    Value repeat(const Value& value, int64_t n);
    Value apply_filters(const Expr& chain, const Value& input);
    void require_defined(const Value& value) const;

    const Program& program_;
    Budget& budget_;
    double now_;
    uint32_t line_ = 1;
    uint32_t depth_ = 0;
    MarkedText* out_ = nullptr;
    std::vector<Scope> scopes_;  // [0]: the template's own; above: loops, blocks, macros
    size_t frame_ = 0;           // the first scope of the running macro; names below it are hidden, but for scope 0
    int64_t loop_depth_ = 0;
    std::vector<std::unique_ptr<LoopState>> loops_;
    std::vector<std::unique_ptr<Namespace>> namespaces_;
};

// jinja_functions.cpp; null for an unknown name.
const Function* find_function(std::string_view name);
// jinja_methods.cpp. is_method: whether such a value has it (and the sandbox allows it).
bool is_method(const Value& self, std::string_view name);
Value call_method(Evaluator& evaluator, const Value& self, std::string_view name, const Arguments& args);
// jinja_filters.cpp, jinja_list_filters.cpp, jinja_tests.cpp; null for an unknown name.
using FilterFunction = Value (*)(Evaluator&, const Value& input, const Arguments& args);
FilterFunction find_filter(std::string_view name);
FilterFunction find_list_filter(std::string_view name);
using TestFunction = bool (*)(Evaluator&, const Value& value, const Arguments& args);
TestFunction find_test(std::string_view name);

}  // namespace bitnet::jinja
