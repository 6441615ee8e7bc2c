// Tests: value is name(arguments).
#include <cmath>
#include <unordered_map>

#include "src/template/jinja_evaluator.h"
#include "src/template/jinja_text.h"

namespace bitnet::jinja {
namespace {

const Value& other(Evaluator& e, const Arguments& args, const char* what) {
    if (args.positional.size() != 1 || !args.named.empty())
        e.fail(std::string(what) + ": takes one value to compare with");
    return args.positional[0];
}
void none_of(Evaluator& e, const Arguments& args, const char* what) { e.check(what, args, {}); }

template <Kind kind>
bool is_kind(Evaluator& e, const Value& value, const Arguments& args) {
    none_of(e, args, "test");
    return value.is(kind);
}
bool is_defined(Evaluator& e, const Value& value, const Arguments& args) {
    none_of(e, args, "defined");
    return !value.is(Kind::undefined);
}
bool is_number(Evaluator& e, const Value& value, const Arguments& args) {
    none_of(e, args, "number");
    return value.is_number();
}
bool is_sequence(Evaluator& e, const Value& value, const Arguments& args) {
    none_of(e, args, "sequence");
    return value.is(Kind::text) || value.is(Kind::dict) || value.is(Kind::undefined) ||
           (value.is(Kind::list) && !value.list().is_generator);
}
bool is_iterable(Evaluator& e, const Value& value, const Arguments& args) {
    none_of(e, args, "iterable");
    return value.is(Kind::text) || value.is(Kind::dict) || value.is(Kind::undefined) || value.is(Kind::list) ||
           value.is(Kind::loop);
}
bool is_callable(Evaluator& e, const Value& value, const Arguments& args) {
    none_of(e, args, "callable");
    return value.is(Kind::macro) || value.is(Kind::function) || value.is(Kind::method);
}
bool is_true(Evaluator& e, const Value& value, const Arguments& args) {
    none_of(e, args, "true");
    return value.is(Kind::boolean) && value.is_true();
}
bool is_false(Evaluator& e, const Value& value, const Arguments& args) {
    none_of(e, args, "false");
    return value.is(Kind::boolean) && !value.is_true();
}
bool is_lower(Evaluator& e, const Value& value, const Arguments& args) {
    none_of(e, args, "lower");
    return is_all(e.text(value), Case::lower, e.budget());
}
bool is_upper(Evaluator& e, const Value& value, const Arguments& args) {
    none_of(e, args, "upper");
    return is_all(e.text(value), Case::upper, e.budget());
}
bool is_odd(Evaluator& e, const Value& value, const Arguments& args) {
    none_of(e, args, "odd");
    return e.integer(value, "odd: the value") % 2 != 0;
}
bool is_even(Evaluator& e, const Value& value, const Arguments& args) {
    none_of(e, args, "even");
    return e.integer(value, "even: the value") % 2 == 0;
}
bool is_divisible(Evaluator& e, const Value& value, const Arguments& args) {
    const int64_t by = e.integer(other(e, args, "divisibleby"), "divisibleby: the divisor");
    if (by == 0) e.fail("division by zero");
    return by == -1 || e.integer(value, "divisibleby: the value") % by == 0;
}
bool is_escaped(Evaluator& e, const Value&, const Arguments& args) {
    none_of(e, args, "escaped");
    return false;
}
bool is_equal(Evaluator& e, const Value& value, const Arguments& args) {
    return equal(value, other(e, args, "equalto"), e.budget());
}
bool is_unequal(Evaluator& e, const Value& value, const Arguments& args) {
    return !equal(value, other(e, args, "ne"), e.budget());
}
bool is_same(Evaluator& e, const Value& value, const Arguments& args) {
    const Value& with = other(e, args, "sameas");
    return value.kind() == with.kind() && equal(value, with, e.budget());
}
bool is_less(Evaluator& e, const Value& value, const Arguments& args) {
    return less(value, other(e, args, "lt"), e.budget());
}
bool is_greater(Evaluator& e, const Value& value, const Arguments& args) {
    return less(other(e, args, "gt"), value, e.budget());
}
bool is_at_most(Evaluator& e, const Value& value, const Arguments& args) {
    return is_less(e, value, args) || is_equal(e, value, args);
}
bool is_at_least(Evaluator& e, const Value& value, const Arguments& args) {
    return is_greater(e, value, args) || is_equal(e, value, args);
}
bool is_in(Evaluator& e, const Value& value, const Arguments& args) { return e.contains(other(e, args, "in"), value); }
bool is_filter(Evaluator& e, const Value& value, const Arguments& args) {
    none_of(e, args, "filter");
    const std::string name = e.text(value).bytes();
    return find_filter(name) != nullptr || find_list_filter(name) != nullptr;
}
bool is_test(Evaluator& e, const Value& value, const Arguments& args) {
    none_of(e, args, "test");
    return find_test(e.text(value).bytes()) != nullptr;
}

}  // namespace

TestFunction find_test(std::string_view name) {
    static const std::unordered_map<std::string_view, TestFunction> tests = {
        {"defined", is_defined},
        {"undefined", is_kind<Kind::undefined>},
        {"none", is_kind<Kind::none>},
        {"string", is_kind<Kind::text>},
        {"mapping", is_kind<Kind::dict>},
        {"boolean", is_kind<Kind::boolean>},
        {"integer", is_kind<Kind::integer>},
        {"float", is_kind<Kind::real>},
        {"number", is_number},
        {"sequence", is_sequence},
        {"iterable", is_iterable},
        {"callable", is_callable},
        {"true", is_true},
        {"false", is_false},
        {"lower", is_lower},
        {"upper", is_upper},
        {"odd", is_odd},
        {"even", is_even},
        {"divisibleby", is_divisible},
        {"escaped", is_escaped},
        {"equalto", is_equal},
        {"eq", is_equal},
        {"==", is_equal},
        {"ne", is_unequal},
        {"!=", is_unequal},
        {"sameas", is_same},
        {"lt", is_less},
        {"<", is_less},
        {"lessthan", is_less},
        {"gt", is_greater},
        {">", is_greater},
        {"greaterthan", is_greater},
        {"le", is_at_most},
        {"<=", is_at_most},
        {"ge", is_at_least},
        {">=", is_at_least},
        {"in", is_in},
        {"filter", is_filter},
        {"test", is_test},
    };
    const auto entry = tests.find(name);
    return entry != tests.end() ? entry->second : nullptr;
}

}  // namespace bitnet::jinja
