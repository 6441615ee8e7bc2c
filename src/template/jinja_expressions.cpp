// Expressions: operators, subscripts and calls, with Python's rules for each type.
#include <algorithm>
#include <cmath>
#include <limits>

#include "src/template/jinja_evaluator.h"
#include "src/template/jinja_text.h"

namespace bitnet::jinja {
namespace {

bool multiply(int64_t a, int64_t b, int64_t& out) {
    if (a == 0 || b == 0) {
        out = 0;
        return true;
    }
    constexpr int64_t kMin = std::numeric_limits<int64_t>::min(), kMax = std::numeric_limits<int64_t>::max();
    if (a == kMin || b == kMin) {
        if (a != 1 && b != 1) return false;
        out = kMin;
        return true;
    }
    if ((a < 0 ? -a : a) > kMax / (b < 0 ? -b : b)) return false;
    out = a * b;
    return true;
}

bool add(int64_t a, int64_t b, int64_t& out) {
    if (b > 0 ? a > std::numeric_limits<int64_t>::max() - b : a < std::numeric_limits<int64_t>::min() - b) return false;
    out = a + b;
    return true;
}

const char* sign_of(Op op) {
    switch (op) {
        case Op::add: return "+";
        case Op::subtract: return "-";
        case Op::multiply: return "*";
        case Op::divide: return "/";
        case Op::floor_divide: return "//";
        case Op::modulo: return "%";
        default: return "**";
    }
}

}  // namespace

Value Evaluator::evaluate(const Expr& expr) {
    if (++depth_ > kMaxCallDepth) Budget::exhausted("it calls itself too deeply");
    budget_.charge(kStepCost);
    line_ = expr.line;
    Value out;
    switch (expr.op) {
        case Op::literal: out = expr.literal; break;
        case Op::name: out = look_up(expr.name); break;
        case Op::tuple: out = Value::list(evaluate_all(expr.args, 0), true); break;
        case Op::list: out = Value::list(evaluate_all(expr.args, 0)); break;
        case Op::dict: out = evaluate_dict(expr); break;
        case Op::attribute: {
            const Value object = evaluate(*expr.args[0]);
            line_ = expr.line;
            out = attribute(object, expr.name);
            break;
        }
        case Op::item: {
            const Value object = evaluate(*expr.args[0]);
            const Value key = evaluate(*expr.args[1]);
            line_ = expr.line;
            out = item(object, key);
            break;
        }
        case Op::slice: out = evaluate_slice(expr); break;
        case Op::call: out = evaluate_call(expr); break;
        case Op::filter: {
            const Value input = evaluate(*expr.args[0]);
            const Arguments args = arguments(expr);
            line_ = expr.line;
            out = filter(expr.name, input, args);
            break;
        }
        case Op::test: {
            const Value value = evaluate(*expr.args[0]);
            const Arguments args = arguments(expr);
            line_ = expr.line;
            out = Value::boolean(test(expr.name, value, args));
            break;
        }
        case Op::negate: {
            const Value value = evaluate(*expr.args[0]);
            out =
                value.is(Kind::real) ? Value::real(-value.real()) : arithmetic(Op::subtract, Value::integer(0), value);
            break;
        }
        case Op::plus: out = arithmetic(Op::add, Value::integer(0), evaluate(*expr.args[0])); break;
        case Op::logical_not: out = Value::boolean(!evaluate(*expr.args[0]).is_true()); break;
        case Op::logical_and:
            out = evaluate(*expr.args[0]);
            if (out.is_true()) out = evaluate(*expr.args[1]);
            break;
        case Op::logical_or:
            out = evaluate(*expr.args[0]);
            if (!out.is_true()) out = evaluate(*expr.args[1]);
            break;
        case Op::concat: out = evaluate_concat(expr); break;
        case Op::compare: out = Value::boolean(evaluate_comparison(expr)); break;
        case Op::conditional:
            if (evaluate(*expr.args[0]).is_true()) {
                out = evaluate(*expr.args[1]);
            } else if (expr.args[2]) {
                out = evaluate(*expr.args[2]);
            } else {
                out = Value::undefined("the value of an if without else");
            }
            break;
        default: {
            const Value a = evaluate(*expr.args[0]);
            const Value b = evaluate(*expr.args[1]);
            line_ = expr.line;
            out = arithmetic(expr.op, a, b);
        }
    }
    --depth_;  // a failure ends the evaluation: nobody looks at the depth then
    return out;
}

std::vector<Value> Evaluator::evaluate_all(const std::vector<ExprPtr>& exprs, size_t begin) {
    std::vector<Value> out;
    for (size_t i = begin; i < exprs.size(); ++i) {
        budget_.charge_elements(1);
        out.push_back(evaluate(*exprs[i]));
    }
    return out;
}

Arguments Evaluator::arguments(const Expr& expr) {
    Arguments args;
    args.positional = evaluate_all(expr.args, 1);
    for (const auto& [name, value] : expr.named) args.named.emplace_back(name, evaluate(*value));
    return args;
}

Value Evaluator::evaluate_dict(const Expr& expr) {
    Dict dict;
    for (size_t i = 0; i + 1 < expr.args.size(); i += 2) {
        budget_.charge_elements(3);
        const Value key = evaluate(*expr.args[i]);
        dict.set(key, evaluate(*expr.args[i + 1]));
    }
    return Value::dict(std::move(dict));
}

Value Evaluator::evaluate_call(const Expr& expr) {
    const Value callee = evaluate(*expr.args[0]);
    const Arguments args = arguments(expr);
    line_ = expr.line;
    return call(callee, args);
}

Value Evaluator::evaluate_concat(const Expr& expr) {
    MarkedText out;
    for (const ExprPtr& arg : expr.args) {
        const MarkedText part = text(evaluate(*arg));
        budget_.charge(part.weight());
        out.append(part);
    }
    return Value::text(std::move(out));
}

bool Evaluator::evaluate_comparison(const Expr& expr) {
    Value left = evaluate(*expr.args[0]);
    for (size_t i = 0; i < expr.comparisons.size(); ++i) {
        Value right = evaluate(*expr.args[i + 1]);
        line_ = expr.line;
        if (!compare(expr.comparisons[i], left, right)) return false;
        left = std::move(right);
    }
    return true;
}

bool Evaluator::compare(Comparison comparison, const Value& a, const Value& b) {
    switch (comparison) {
        case Comparison::eq: return equal(a, b, budget_);
        case Comparison::ne: return !equal(a, b, budget_);
        case Comparison::in: return contains(b, a);
        case Comparison::not_in: return !contains(b, a);
        default: break;
    }
    require_defined(a);
    require_defined(b);
    try {
        switch (comparison) {
            case Comparison::lt: return less(a, b, budget_);
            case Comparison::gt: return less(b, a, budget_);
            case Comparison::le: return less(a, b, budget_) || equal(a, b, budget_);
            default: return less(b, a, budget_) || equal(a, b, budget_);
        }
    } catch (const Error& error) {
        if (error.status() != BITNET_E_ARGUMENT) throw;
        fail(error.message());
    }
}

Value Evaluator::evaluate_slice(const Expr& expr) {
    const Value object = evaluate(*expr.args[0]);
    int64_t bounds[3] = {0, 0, 1};
    bool is_given[3] = {};
    for (size_t i = 0; i < 3; ++i) {
        if (!expr.args[i + 1]) continue;
        const Value bound = evaluate(*expr.args[i + 1]);
        if (bound.is(Kind::none)) continue;
        bounds[i] = integer(bound, "a bound of a slice");
        is_given[i] = true;
    }
    line_ = expr.line;
    require_defined(object);
    if ((!object.is(Kind::list) || object.list().is_generator) && !object.is(Kind::text)) {
        return Value::undefined("a part of a value of type " + std::string(object.type_name()));
    }
    const int64_t n = length(object);
    const int64_t step = bounds[2];
    if (step == 0) fail("the step of a slice is 0");
    // Python's rules: negative bounds count from the end, all are brought into the list.
    const int64_t low = step > 0 ? 0 : -1;
    const int64_t high = step > 0 ? n : n - 1;
    const auto bound = [&](size_t i, int64_t missing) {
        if (!is_given[i]) return missing;
        const int64_t at = bounds[i] < 0 ? std::max(bounds[i], -n - 1) + n : bounds[i];
        return std::clamp(at, low, high);
    };
    const int64_t begin = bound(0, step > 0 ? low : high);
    const int64_t end = bound(1, step > 0 ? high : low);
    if (object.is(Kind::text) && step == 1) {
        budget_.charge(object.text().weight());
        const size_t from = offset_of(object.bytes(), static_cast<size_t>(begin));
        const size_t to = begin < end ? offset_of(object.bytes(), static_cast<size_t>(end)) : from;
        return Value::text(object.text().slice(from, to));
    }
    const std::vector<Value> all = elements(object);
    std::vector<Value> chosen;
    for (int64_t at = begin; step > 0 ? at < end : at > end;) {
        chosen.push_back(all[static_cast<size_t>(at)]);
        if (step > 0 ? step > end - at : step < end - at) break;
        at += step;
    }
    if (object.is(Kind::list)) return Value::list(std::move(chosen), object.list().is_tuple);
    MarkedText out;
    for (const Value& c : chosen) out.append(c.text());
    return Value::text(std::move(out));
}

// ---- arithmetic ----

Value Evaluator::arithmetic(Op op, const Value& a, const Value& b) {
    require_defined(a);
    require_defined(b);
    if (a.is_integral() && b.is_integral()) return integer_arithmetic(op, a.integer(), b.integer());
    if (a.is_number() && b.is_number()) return real_arithmetic(op, a.real(), b.real());
    if (op == Op::add && a.is(Kind::text) && b.is(Kind::text)) {
        budget_.charge(2 * (a.text().weight() + b.text().weight()));
        MarkedText out = a.text();
        out.append(b.text());
        return Value::text(std::move(out));
    }
    if (op == Op::add && a.is(Kind::list) && b.is(Kind::list) && a.list().is_tuple == b.list().is_tuple &&
        !a.list().is_generator && !b.list().is_generator) {
        std::vector<Value> all = elements(a);
        const std::vector<Value> more = elements(b);
        all.insert(all.end(), more.begin(), more.end());
        return Value::list(std::move(all), a.list().is_tuple);
    }
    const auto is_sequence = [](const Value& v) {
        return v.is(Kind::text) || (v.is(Kind::list) && !v.list().is_generator);
    };
    if (op == Op::multiply && is_sequence(a) && b.is_integral()) return repeat(a, b.integer());
    if (op == Op::multiply && a.is_integral() && is_sequence(b)) return repeat(b, a.integer());
    fail(std::string("values of types ") + a.type_name() + " and " + b.type_name() + " cannot be combined with " +
         sign_of(op));
}

Value Evaluator::repeat(const Value& value, int64_t n) {
    n = std::max<int64_t>(n, 0);
    const size_t weight =
        value.is(Kind::text) ? value.text().weight() + 1 : kElementCost * (value.list().items.size() + 1);
    if (static_cast<uint64_t>(n) > kMaxOutputBytes / weight) Budget::exhausted("its texts or lists are too long");
    budget_.charge(static_cast<size_t>(n) * weight);
    if (value.is(Kind::text)) {
        MarkedText out;
        for (; n > 0; --n) out.append(value.text());
        return Value::text(std::move(out));
    }
    std::vector<Value> out;
    for (; n > 0; --n) out.insert(out.end(), value.list().items.begin(), value.list().items.end());
    return Value::list(std::move(out), value.list().is_tuple);
}

Value Evaluator::integer_arithmetic(Op op, int64_t a, int64_t b) {
    constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
    int64_t out = 0;
    bool fits = true;
    switch (op) {
        case Op::add: fits = add(a, b, out); break;
        case Op::subtract: fits = b != kMin ? add(a, -b, out) : a < 0 && (out = a - b, true); break;
        case Op::multiply: fits = multiply(a, b, out); break;
        case Op::divide:
            if (b == 0) fail("division by zero");
            return Value::real(static_cast<double>(a) / static_cast<double>(b));
        case Op::floor_divide:
        case Op::modulo: {
            if (b == 0) fail("division by zero");
            if (a == kMin && b == -1) {
                fits = op == Op::modulo;
                break;
            }
            const int64_t quotient = a / b;
            const int64_t rest = a % b;
            const bool rounds_down = rest != 0 && (rest < 0) != (b < 0);
            out = op == Op::modulo ? rest + (rounds_down ? b : 0) : quotient - (rounds_down ? 1 : 0);
            break;
        }
        default:
            if (b < 0) return real_arithmetic(op, static_cast<double>(a), static_cast<double>(b));
            out = 1;
            for (int64_t base = a; b > 0 && fits; b /= 2) {
                if (b % 2 == 1) fits = multiply(out, base, out);
                if (b > 1 && fits) fits = multiply(base, base, base);
            }
    }
    if (!fits) fail("a whole number beyond 64 bits");
    return Value::integer(out);
}

Value Evaluator::real_arithmetic(Op op, double a, double b) {
    switch (op) {
        case Op::add: return Value::real(a + b);
        case Op::subtract: return Value::real(a - b);
        case Op::multiply: return Value::real(a * b);
        case Op::divide:
            if (b == 0) fail("division by zero");
            return Value::real(a / b);
        case Op::floor_divide:
        case Op::modulo: {
            if (b == 0) fail("division by zero");
            double rest = std::fmod(a, b);
            double quotient = (a - rest) / b;
            if (rest != 0 && (rest < 0) != (b < 0)) {
                rest += b;
                quotient -= 1;
            }
            if (op == Op::modulo) return Value::real(rest != 0 ? rest : std::copysign(0.0, b));
            const double floored = std::floor(quotient);
            return Value::real(quotient - floored > 0.5 ? floored + 1
                               : quotient != 0          ? floored
                                                        : std::copysign(0.0, a / b));
        }
        default: {
            const double out = std::pow(a, b);
            if (!std::isfinite(out) && std::isfinite(a) && std::isfinite(b)) fail("a power that is too large");
            if (a < 0 && b != std::floor(b)) fail("a power that is no real number");
            return Value::real(out);
        }
    }
}

}  // namespace bitnet::jinja
