// Statements, scopes and what values are asked for. Expressions are in jinja_expressions.cpp.
#include "src/template/jinja_evaluator.h"

#include <algorithm>

#include "src/template/jinja_text.h"
#include "src/tokenizer/quote_text.h"

namespace bitnet::jinja {

// Counts how deep blocks and expressions are inside each other while it lives.
class Evaluator::Level {
public:
    explicit Level(Evaluator& evaluator) : evaluator_(evaluator) {
        if (++evaluator.depth_ > kMaxCallDepth) Budget::exhausted("it calls itself too deeply");
        evaluator.budget_.charge(kStepCost);
    }
    ~Level() { --evaluator_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

private:
    Evaluator& evaluator_;
};

const Value* Arguments::get(size_t index, std::string_view name) const {
    if (index < positional.size()) return &positional[index];
    for (const auto& [key, value] : named) {
        if (key == name) return &value;
    }
    return nullptr;
}

Evaluator::Evaluator(const Program& program, Dict variables, double now, Budget& budget)
    : program_(program), budget_(budget), now_(now) {
    scopes_.emplace_back();
    for (auto& [key, value] : variables.items) scopes_[0].insert_or_assign(key.bytes(), std::move(value));
}

MarkedText Evaluator::run() {
    MarkedText out;
    out_ = &out;
    run_body(program_.body);
    return out;
}

void Evaluator::fail(const std::string& what) const {
    throw Error(BITNET_E_ARGUMENT, "the chat template, line " + std::to_string(line_) + ": " + what);
}

void Evaluator::check(std::string_view callee, const Arguments& args,
                      std::initializer_list<std::string_view> parameters) const {
    if (args.positional.size() > parameters.size()) fail(std::string(callee) + ": too many arguments");
    for (const auto& [name, value] : args.named) {
        const auto* at = std::find(parameters.begin(), parameters.end(), name);
        if (at == parameters.end()) fail(std::string(callee) + ": no parameter is called " + quote_text(name, 40));
        if (static_cast<size_t>(at - parameters.begin()) < args.positional.size())
            fail(std::string(callee) + ": " + name + " is given twice");
    }
}

int64_t Evaluator::integer(const Value& value, const char* what) const {
    if (!value.is_integral()) fail(std::string(what) + " must be a whole number, not " + value.type_name());
    return value.integer();
}

// ---- statements ----

Evaluator::Flow Evaluator::run_body(const Body& body) {
    const Level level(*this);
    for (const auto& stmt : body) {
        if (const Flow flow = run_stmt(*stmt); flow != Flow::next) return flow;
    }
    return Flow::next;
}

Evaluator::Flow Evaluator::run_stmt(const Stmt& stmt) {
    budget_.charge(kStepCost);
    line_ = stmt.line;
    switch (stmt.kind) {
        case StmtKind::data: write(text(stmt.value)); return Flow::next;
        case StmtKind::output: write(text(evaluate(*stmt.exprs[0]))); return Flow::next;
        case StmtKind::branch:
            for (size_t i = 0; i < stmt.exprs.size(); ++i) {
                if (evaluate(*stmt.exprs[i]).is_true()) return run_body(stmt.bodies[i]);
            }
            return stmt.bodies.size() > stmt.exprs.size() ? run_body(stmt.bodies.back()) : Flow::next;
        case StmtKind::loop: return run_loop(stmt);
        case StmtKind::assign: assign(stmt.targets[0], evaluate(*stmt.exprs[0])); return Flow::next;
        case StmtKind::assign_block: {
            Value value = Value::text(captured(stmt.bodies[0]));
            if (stmt.exprs[0]) value = apply_filters(*stmt.exprs[0], value);
            assign(stmt.targets[0], value);
            return Flow::next;
        }
        case StmtKind::macro:
            scopes_.back().insert_or_assign(stmt.macro.name, Value::macro(&stmt.macro));
            return Flow::next;
        case StmtKind::stop_loop: return Flow::stop_loop;
        case StmtKind::next_loop: return Flow::next_loop;
        case StmtKind::group: {
            const std::vector<Value> values = evaluate_all(stmt.exprs, 0);
            scopes_.emplace_back();
            for (size_t i = 0; i < values.size(); ++i) assign(stmt.targets[i], values[i]);
            const Flow flow = run_body(stmt.bodies[0]);
            scopes_.pop_back();
            return flow;
        }
        case StmtKind::filter:
            write(text(apply_filters(*stmt.exprs[0], Value::text(captured(stmt.bodies[0])))));
            return Flow::next;
    }
    return Flow::next;
}

Evaluator::Flow Evaluator::run_loop(const Stmt& stmt) {
    std::vector<Value> items = elements(evaluate(*stmt.exprs[0]));
    scopes_.emplace_back();
    if (stmt.exprs[1]) {
        std::vector<Value> chosen;
        for (const Value& element : items) {
            scopes_.back().clear();
            assign(stmt.targets[0], element);
            if (evaluate(*stmt.exprs[1]).is_true()) chosen.push_back(element);
        }
        items = std::move(chosen);
        scopes_.back().clear();
    }
    Flow flow = Flow::next;
    if (items.empty()) {
        if (stmt.bodies.size() > 1) flow = run_body(stmt.bodies[1]);
        scopes_.pop_back();
        return flow;
    }
    budget_.charge_elements(2);
    loops_.push_back(std::make_unique<LoopState>());
    LoopState& state = *loops_.back();
    state.items = std::move(items);
    state.depth = ++loop_depth_;
    flow = run_loop_body(stmt, state);
    --loop_depth_;
    scopes_.pop_back();
    return flow;
}

Evaluator::Flow Evaluator::run_loop_body(const Stmt& stmt, LoopState& state) {
    for (state.index = 0; state.index < state.items.size(); ++state.index) {
        scopes_.back().clear();
        scopes_.back().emplace("loop", Value::loop(&state));
        assign(stmt.targets[0], state.items[state.index]);
        if (run_body(stmt.bodies[0]) == Flow::stop_loop) break;
        line_ = stmt.line;
    }
    return Flow::next;
}

MarkedText Evaluator::captured(const Body& body) {
    MarkedText out;
    MarkedText* const outer = std::exchange(out_, &out);
    scopes_.emplace_back();
    run_body(body);  // break and continue stay inside: they would leave the text half written
    scopes_.pop_back();
    out_ = outer;
    return out;
}

void Evaluator::write(MarkedText text) {
    budget_.charge(text.weight());
    if (text.size() > kMaxOutputBytes - out_->size()) Budget::exhausted("its text is too long");
    out_->append(text);
}

void Evaluator::assign(const Target& target, const Value& value) {
    budget_.charge(kStepCost);
    if (target.is_tuple) {
        const std::vector<Value> parts = elements(value);
        if (parts.size() != target.parts.size()) {
            fail(std::to_string(target.parts.size()) + " names cannot take " + std::to_string(parts.size()) +
                 " values");
        }
        for (size_t i = 0; i < parts.size(); ++i) assign(target.parts[i], parts[i]);
        return;
    }
    if (target.attribute.empty()) {
        scopes_.back().insert_or_assign(target.name, value);
        return;
    }
    const Value name_space = look_up(target.name);
    if (!name_space.is(Kind::name_space))
        fail("cannot assign an attribute of " + target.name + ", which is no namespace");
    budget_.charge_elements(1);
    name_space.name_space()->attributes.set(target.attribute, value);
}

Value Evaluator::look_up(const std::string& name) const {
    for (size_t i = scopes_.size(); i-- > frame_;) {
        if (const auto entry = scopes_[i].find(name); entry != scopes_[i].end()) return entry->second;
    }
    if (const auto entry = scopes_[0].find(name); entry != scopes_[0].end()) return entry->second;
    if (const Function* function = find_function(name)) return Value::function(function);
    return Value::undefined(quote_text(name, 40));
}

// ---- calls ----

Value Evaluator::call(const Value& callee, const Arguments& args) {
    const Level level(*this);
    switch (callee.kind()) {
        case Kind::macro: return call_macro(*callee.macro(), args);
        case Kind::function: return callee.function()->call(*this, args);
        case Kind::method: return call_method(*this, callee.method().self, callee.method().name, args);
        case Kind::undefined: fail(callee.undefined_name() + " is undefined and cannot be called");
        default: fail(std::string("a value of type ") + callee.type_name() + " cannot be called");
    }
}

Value Evaluator::call_macro(const MacroNode& macro, const Arguments& args) {
    for (const auto& [name, value] : args.named) {
        if (std::find(macro.parameters.begin(), macro.parameters.end(), name) == macro.parameters.end()) {
            fail("macro " + macro.name + ": no parameter is called " + quote_text(name, 40));
        }
    }
    if (args.positional.size() > macro.parameters.size()) fail("macro " + macro.name + ": too many arguments");
    const uint32_t line = line_;
    const size_t outer = std::exchange(frame_, scopes_.size());
    scopes_.emplace_back();
    const size_t n_required = macro.parameters.size() - macro.defaults.size();
    for (size_t i = 0; i < macro.parameters.size(); ++i) {
        const std::string& name = macro.parameters[i];
        const Value* given = args.get(i, name);
        Value value = given != nullptr  ? *given
                      : i >= n_required ? evaluate(*macro.defaults[i - n_required])
                                        : Value::undefined("parameter " + quote_text(name, 40));
        scopes_.back().insert_or_assign(name, std::move(value));
    }
    MarkedText out = captured(macro.body);
    scopes_.pop_back();
    frame_ = outer;
    line_ = line;
    return Value::text(std::move(out));
}

// ---- what values are asked for ----

Value Evaluator::loop_attribute(const LoopState& loop, std::string_view name) const {
    const auto n = static_cast<int64_t>(loop.items.size());
    const auto i = static_cast<int64_t>(loop.index);
    if (name == "index") return Value::integer(i + 1);
    if (name == "index0") return Value::integer(i);
    if (name == "revindex") return Value::integer(n - i);
    if (name == "revindex0") return Value::integer(n - i - 1);
    if (name == "first") return Value::boolean(i == 0);
    if (name == "last") return Value::boolean(i == n - 1);
    if (name == "length") return Value::integer(n);
    if (name == "depth") return Value::integer(loop.depth);
    if (name == "depth0") return Value::integer(loop.depth - 1);
    if (name == "previtem") return i > 0 ? loop.items[loop.index - 1] : Value::undefined("loop.previtem");
    if (name == "nextitem") return i + 1 < n ? loop.items[loop.index + 1] : Value::undefined("loop.nextitem");
    return Value::undefined("loop." + std::string(name));
}

Value Evaluator::attribute(const Value& value, std::string_view name) {
    require_defined(value);
    if (value.is(Kind::loop)) return name == "cycle" ? Value::method(value, name) : loop_attribute(*value.loop(), name);
    if (value.is(Kind::name_space)) {
        const Value* found = value.name_space()->attributes.find(name);
        return found != nullptr ? *found : Value::undefined("attribute " + quote_text(name, 40));
    }
    if (is_method(value, name)) return Value::method(value, name);
    if (value.is(Kind::dict)) {
        if (const Value* found = value.dict().find(name)) return *found;
    }
    return Value::undefined("attribute " + quote_text(name, 40));
}

Value Evaluator::item(const Value& value, const Value& key) {
    require_defined(value);
    if (value.is(Kind::dict)) {
        if (key.is(Kind::text)) budget_.charge(key.bytes().size());
        if (!key.is(Kind::undefined)) {
            if (const Value* found = value.dict().find(key)) return *found;
        }
    } else if (key.is_integral() && (value.is(Kind::list) || value.is(Kind::text))) {
        if (value.is(Kind::list) && value.list().is_generator) return Value::undefined("an element");
        const int64_t n = length(value);
        const int64_t at = key.integer() < 0 ? key.integer() + n : key.integer();
        if (at < 0 || at >= n) return Value::undefined("element " + std::to_string(key.integer()));
        if (value.is(Kind::list)) return value.list().items[static_cast<size_t>(at)];
        const size_t begin = offset_of(value.bytes(), static_cast<size_t>(at));
        const std::string_view rest = std::string_view(value.bytes()).substr(begin);
        return Value::text(value.text().slice(begin, begin + offset_of(rest, 1)));
    }
    if (key.is(Kind::text) && !value.is(Kind::dict)) return attribute(value, key.bytes());
    if (key.is(Kind::text) && is_method(value, key.bytes())) return Value::method(value, key.bytes());
    return Value::undefined(key.is(Kind::text) ? "key " + quote_text(key.bytes(), 40) : "an element");
}

Value Evaluator::path(const Value& value, const Value& path, const Value* missing) {
    const auto or_missing = [&](Value found) {
        return found.is(Kind::undefined) && missing != nullptr && !missing->is(Kind::none) ? *missing : found;
    };
    if (path.is_integral()) return or_missing(item(value, path));
    if (!path.is(Kind::text)) fail("an attribute's name must be a text");
    Value at = value;
    std::string_view rest = path.bytes();
    while (true) {
        budget_.charge(kStepCost);
        const size_t dot = rest.find('.');
        const std::string_view part = rest.substr(0, dot);
        const bool is_index =
            !part.empty() && part.size() < 10 && part.find_first_not_of("0123456789") == std::string_view::npos;
        at = or_missing(
            item(at, is_index ? Value::integer(std::stoll(std::string(part))) : Value::plain(std::string(part))));
        if (dot == std::string_view::npos) return at;
        rest.remove_prefix(dot + 1);
    }
}

std::vector<Value> Evaluator::elements(const Value& value) {
    std::vector<Value> out;
    switch (value.kind()) {
        case Kind::undefined: return out;
        case Kind::list: budget_.charge_elements(value.list().items.size()); return value.list().items;
        case Kind::dict:
            budget_.charge_elements(value.dict().items.size());
            for (const auto& [key, item] : value.dict().items) out.push_back(key);
            return out;
        case Kind::text:
            for (MarkedText& c : characters(value.text(), budget_)) out.push_back(Value::text(std::move(c)));
            return out;
        default: fail(std::string("a value of type ") + value.type_name() + " has no elements to go through");
    }
}

bool Evaluator::contains(const Value& container, const Value& value) {
    switch (container.kind()) {
        case Kind::undefined: return false;
        case Kind::text:
            if (!value.is(Kind::text)) fail(std::string("a text cannot contain a value of type ") + value.type_name());
            budget_.charge(container.bytes().size() + 4 * value.bytes().size());
            return Finder(value.bytes()).find(container.bytes(), 0) != std::string::npos;
        case Kind::list:
            return std::any_of(container.list().items.begin(), container.list().items.end(),
                               [&](const Value& item) { return equal(item, value, budget_); });
        case Kind::dict:
            if (value.is(Kind::text)) budget_.charge(value.bytes().size());
            return container.dict().find(value) != nullptr;
        default: fail(std::string("a value of type ") + container.type_name() + " cannot contain others");
    }
}

int64_t Evaluator::length(const Value& value) {
    switch (value.kind()) {
        case Kind::undefined: return 0;
        case Kind::text: budget_.charge(value.bytes().size()); return static_cast<int64_t>(n_characters(value.bytes()));
        case Kind::list:
            if (value.list().is_generator) fail("a generator has no length; make a list of it");
            return static_cast<int64_t>(value.list().items.size());
        case Kind::dict: return static_cast<int64_t>(value.dict().items.size());
        default: fail(std::string("a value of type ") + value.type_name() + " has no length");
    }
}

Value Evaluator::new_namespace(Dict attributes) {
    budget_.charge_elements(4);
    namespaces_.push_back(std::make_unique<Namespace>(Namespace{std::move(attributes)}));
    return Value::name_space(namespaces_.back().get());
}

void Evaluator::require_defined(const Value& value) const {
    if (value.is(Kind::undefined)) fail(value.undefined_name() + " is undefined");
}

// ---- filters and tests by name ----

Value Evaluator::filter(const std::string& name, const Value& input, const Arguments& args) {
    FilterFunction function = find_filter(name);
    if (function == nullptr) function = find_list_filter(name);
    if (function == nullptr) fail("unknown filter " + quote_text(name, 40));
    const Level level(*this);
    return function(*this, input, args);
}

bool Evaluator::test(const std::string& name, const Value& value, const Arguments& args) {
    const TestFunction function = find_test(name);
    if (function == nullptr) fail("unknown test " + quote_text(name, 40));
    return function(*this, value, args);
}

Value Evaluator::apply_filters(const Expr& chain, const Value& input) {
    const Level level(*this);
    line_ = chain.line;
    const Value from = chain.args[0] ? apply_filters(*chain.args[0], input) : input;
    return filter(chain.name, from, arguments(chain));
}

}  // namespace bitnet::jinja
