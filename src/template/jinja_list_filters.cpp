// Filters of lists and dictionaries: value | name(arguments).
#include <algorithm>
#include <unordered_map>

#include "src/template/jinja_evaluator.h"
#include "src/template/jinja_text.h"

namespace bitnet::jinja {
namespace {

bool flag(const Arguments& args, size_t index, std::string_view name, bool missing) {
    const Value* value = args.get(index, name);
    return value != nullptr ? value->is_true() : missing;
}
const Value* given(const Arguments& args, size_t index, std::string_view name) {
    const Value* value = args.get(index, name);
    return value != nullptr && !value->is(Kind::none) ? value : nullptr;
}
// What is compared: an attribute where one is named, texts without their case unless it counts.
Value sort_key(Evaluator& e, const Value& value, const Value* attribute, bool case_sensitive) {
    Value key = attribute != nullptr ? e.path(value, *attribute) : value;
    if (!case_sensitive && key.is(Kind::text)) key = Value::text(change_case(key.text(), Case::lower, e.budget()));
    return key;
}

Value length_filter(Evaluator& e, const Value& input, const Arguments& args) {
    e.check("length", args, {});
    return Value::integer(e.length(input));
}

Value first(Evaluator& e, const Value& input, const Arguments& args) {
    e.check("first", args, {});
    const std::vector<Value> items = e.elements(input);
    return items.empty() ? Value::undefined("the first of nothing") : items.front();
}
Value last(Evaluator& e, const Value& input, const Arguments& args) {
    e.check("last", args, {});
    const std::vector<Value> items = e.elements(input);
    return items.empty() ? Value::undefined("the last of nothing") : items.back();
}
Value list_filter(Evaluator& e, const Value& input, const Arguments& args) {
    e.check("list", args, {});
    return Value::list(e.elements(input));
}

Value reverse(Evaluator& e, const Value& input, const Arguments& args) {
    e.check("reverse", args, {});
    std::vector<Value> items = e.elements(input);
    std::reverse(items.begin(), items.end());
    if (!input.is(Kind::text)) return Value::generator(std::move(items));
    MarkedText out;
    for (const Value& item : items) out.append(item.text());
    return Value::text(std::move(out));
}

Value join(Evaluator& e, const Value& input, const Arguments& args) {
    e.check("join", args, {"d", "attribute"});
    const Value* separator = args.get(0, "d");
    const Value* attribute = given(args, 1, "attribute");
    const MarkedText between = separator != nullptr ? e.text(*separator) : MarkedText();
    MarkedText out;
    bool is_first = true;
    for (const Value& item : e.elements(input)) {
        const MarkedText part = e.text(attribute != nullptr ? e.path(item, *attribute) : item);
        e.budget().charge(part.weight() + between.weight());
        if (!is_first) out.append(between);
        is_first = false;
        out.append(part);
    }
    return Value::text(std::move(out));
}

Value pairs_of(Evaluator& e, const Dict& dict) {
    std::vector<Value> out;
    for (const auto& [key, value] : dict.items) {
        e.budget().charge_elements(4);
        out.push_back(Value::list({key, value}, true));
    }
    return Value::list(std::move(out));
}

Value items(Evaluator& e, const Value& input, const Arguments& args) {
    e.check("items", args, {});
    if (input.is(Kind::undefined)) return Value::list({});
    if (!input.is(Kind::dict)) e.fail(std::string("items: a value of type ") + input.type_name() + " is no mapping");
    return pairs_of(e, input.dict());
}

void sort_by(Evaluator& e, std::vector<std::pair<Value, Value>>& keyed, bool reverse) {
    std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
        return reverse ? less(b.first, a.first, e.budget()) : less(a.first, b.first, e.budget());
    });
}

Value dictsort(Evaluator& e, const Value& input, const Arguments& args) {
    e.check("dictsort", args, {"case_sensitive", "by", "reverse"});
    if (!input.is(Kind::dict)) e.fail(std::string("dictsort: a value of type ") + input.type_name() + " is no mapping");
    const bool case_sensitive = flag(args, 0, "case_sensitive", false);
    const Value* by = args.get(1, "by");
    const std::string what = by != nullptr ? e.text(*by).bytes() : "key";
    if (what != "key" && what != "value") e.fail("dictsort: by must be key or value");
    std::vector<std::pair<Value, Value>> keyed;
    const Value pairs = pairs_of(e, input.dict());
    for (const Value& pair : pairs.list().items) {
        keyed.emplace_back(sort_key(e, pair.list().items[what == "key" ? 0 : 1], nullptr, case_sensitive), pair);
    }
    sort_by(e, keyed, flag(args, 2, "reverse", false));
    std::vector<Value> out;
    for (auto& [key, pair] : keyed) out.push_back(std::move(pair));
    return Value::list(std::move(out));
}

Value sort(Evaluator& e, const Value& input, const Arguments& args) {
    e.check("sort", args, {"reverse", "case_sensitive", "attribute"});
    const bool case_sensitive = flag(args, 1, "case_sensitive", false);
    const Value* attribute = given(args, 2, "attribute");
    std::vector<std::pair<Value, Value>> keyed;
    for (const Value& item : e.elements(input)) {
        e.budget().charge_elements(2);
        keyed.emplace_back(sort_key(e, item, attribute, case_sensitive), item);
    }
    sort_by(e, keyed, flag(args, 0, "reverse", false));
    std::vector<Value> out;
    for (auto& [key, item] : keyed) out.push_back(std::move(item));
    return Value::list(std::move(out));
}

Value unique(Evaluator& e, const Value& input, const Arguments& args) {
    e.check("unique", args, {"case_sensitive", "attribute"});
    const bool case_sensitive = flag(args, 0, "case_sensitive", false);
    const Value* attribute = given(args, 1, "attribute");
    Dict seen;
    std::vector<Value> out;
    for (const Value& item : e.elements(input)) {
        e.budget().charge_elements(4);
        const Value key = sort_key(e, item, attribute, case_sensitive);
        if (key.is(Kind::text)) e.budget().charge(2 * key.bytes().size());
        if (seen.find(key) != nullptr) continue;
        seen.set(key, Value::none());
        out.push_back(item);
    }
    return Value::generator(std::move(out));
}

Value extreme(Evaluator& e, const Value& input, const Arguments& args, bool wants_largest) {
    e.check(wants_largest ? "max" : "min", args, {"case_sensitive", "attribute"});
    const Value* attribute = given(args, 1, "attribute");
    Value best = Value::undefined("the extreme of nothing");
    Value best_key;
    bool is_first = true;
    for (const Value& item : e.elements(input)) {
        const Value key = sort_key(e, item, attribute, flag(args, 0, "case_sensitive", false));
        if (is_first || (wants_largest ? less(best_key, key, e.budget()) : less(key, best_key, e.budget()))) {
            best = item;
            best_key = key;
        }
        is_first = false;
    }
    return best;
}
Value min_filter(Evaluator& e, const Value& input, const Arguments& args) { return extreme(e, input, args, false); }
Value max_filter(Evaluator& e, const Value& input, const Arguments& args) { return extreme(e, input, args, true); }

Value sum(Evaluator& e, const Value& input, const Arguments& args) {
    e.check("sum", args, {"attribute", "start"});
    const Value* attribute = given(args, 0, "attribute");
    const Value* start = args.get(1, "start");
    int64_t whole = 0;
    double real = 0;
    bool is_real = false;
    const auto add = [&](const Value& value) {
        if (!value.is_number()) e.fail(std::string("sum: a value of type ") + value.type_name() + " is no number");
        is_real = is_real || value.is(Kind::real);
        real += value.real();
        if (value.is_integral()) {
            const int64_t x = value.integer();
            if (x > 0 ? whole > INT64_MAX - x : whole < INT64_MIN - x) e.fail("sum: a whole number beyond 64 bits");
            whole += x;
        }
    };
    if (start != nullptr) add(*start);
    for (const Value& item : e.elements(input)) add(attribute != nullptr ? e.path(item, *attribute) : item);
    return is_real ? Value::real(real) : Value::integer(whole);
}

// The arguments from the index on, for the filter or test that is named before them.
Arguments rest_of(const Arguments& args, size_t begin) {
    Arguments rest;
    for (size_t i = begin; i < args.positional.size(); ++i) rest.positional.push_back(args.positional[i]);
    rest.named = args.named;
    return rest;
}

Value map(Evaluator& e, const Value& input, const Arguments& args) {
    std::vector<Value> out;
    if (args.positional.empty()) {
        e.check("map", args, {"attribute", "default"});
        const Value* attribute = args.get(0, "attribute");
        const Value* missing = args.get(1, "default");
        if (attribute == nullptr) e.fail("map: takes a filter's name or attribute=");
        for (const Value& item : e.elements(input)) {
            out.push_back(e.path(item, *attribute, missing));
        }
    } else {
        const std::string name = e.text(args.positional[0]).bytes();
        const Arguments rest = rest_of(args, 1);
        for (const Value& item : e.elements(input)) out.push_back(e.filter(name, item, rest));
    }
    return Value::generator(std::move(out));
}

// select, reject: by a test of the element; selectattr, rejectattr: of one of its attributes.
Value choose(Evaluator& e, const Value& input, const Arguments& args, bool by_attribute, bool wanted) {
    const size_t at = by_attribute ? 1 : 0;
    if (by_attribute && args.positional.empty()) e.fail("selectattr: takes the name of an attribute");
    const bool has_test = args.positional.size() > at;
    const std::string name = has_test ? e.text(args.positional[at]).bytes() : "";
    const Arguments rest = rest_of(args, at + 1);
    std::vector<Value> out;
    for (const Value& item : e.elements(input)) {
        e.budget().charge(kStepCost);
        const Value value = by_attribute ? e.path(item, args.positional[0]) : item;
        if ((has_test ? e.test(name, value, rest) : value.is_true()) == wanted) out.push_back(item);
    }
    return Value::generator(std::move(out));
}
Value select(Evaluator& e, const Value& input, const Arguments& args) { return choose(e, input, args, false, true); }
Value reject(Evaluator& e, const Value& input, const Arguments& args) { return choose(e, input, args, false, false); }
Value selectattr(Evaluator& e, const Value& input, const Arguments& args) { return choose(e, input, args, true, true); }
Value rejectattr(Evaluator& e, const Value& input, const Arguments& args) {
    return choose(e, input, args, true, false);
}

}  // namespace

FilterFunction find_list_filter(std::string_view name) {
    static const std::unordered_map<std::string_view, FilterFunction> filters = {
        {"length", length_filter},
        {"count", length_filter},
        {"first", first},
        {"last", last},
        {"list", list_filter},
        {"reverse", reverse},
        {"join", join},
        {"items", items},
        {"dictsort", dictsort},
        {"sort", sort},
        {"unique", unique},
        {"min", min_filter},
        {"max", max_filter},
        {"sum", sum},
        {"map", map},
        {"select", select},
        {"reject", reject},
        {"selectattr", selectattr},
        {"rejectattr", rejectattr},
    };
    const auto entry = filters.find(name);
    return entry != filters.end() ? entry->second : nullptr;
}

}  // namespace bitnet::jinja
