// Methods of texts, dictionaries and lists: those of Python that change nothing.
#include <algorithm>
#include <unordered_map>

#include "src/base/utf8.h"
#include "src/template/jinja_evaluator.h"
#include "src/template/jinja_text.h"
#include "src/tokenizer/unicode_classes.h"

namespace bitnet::jinja {
namespace {

using MethodFunction = Value (*)(Evaluator&, const Value& self, const Arguments& args);

const MarkedText& text_argument(Evaluator& e, const Arguments& args, size_t index, std::string_view name,
                                const char* method) {
    const Value* value = args.get(index, name);
    if (value == nullptr || !value->is(Kind::text)) e.fail(std::string(method) + ": takes a text");
    return value->text();
}

Value strip_side(Evaluator& e, const Value& self, const Arguments& args, Side side) {
    e.check("strip", args, {"chars"});
    const Value* set = args.get(0, "chars");
    const bool has_set = set != nullptr && !set->is(Kind::none);
    const std::string_view chars = has_set ? std::string_view(text_argument(e, args, 0, "chars", "strip").bytes()) : "";
    return Value::text(strip(self.text(), side, has_set, chars, e.budget()));
}
Value strip_both(Evaluator& e, const Value& self, const Arguments& args) {
    return strip_side(e, self, args, Side::both);
}
Value strip_left(Evaluator& e, const Value& self, const Arguments& args) {
    return strip_side(e, self, args, Side::left);
}
Value strip_right(Evaluator& e, const Value& self, const Arguments& args) {
    return strip_side(e, self, args, Side::right);
}

Value text_list(Evaluator& e, std::vector<MarkedText> parts, bool is_tuple = false) {
    e.budget().charge_elements(parts.size());
    std::vector<Value> out;
    for (MarkedText& part : parts) out.push_back(Value::text(std::move(part)));
    return Value::list(std::move(out), is_tuple);
}

Value split_from(Evaluator& e, const Value& self, const Arguments& args, bool from_right) {
    e.check("split", args, {"sep", "maxsplit"});
    const Value* separator = args.get(0, "sep");
    const Value* most = args.get(1, "maxsplit");
    const int64_t max_splits = most != nullptr ? e.integer(*most, "split: maxsplit") : -1;
    if (separator == nullptr || separator->is(Kind::none))
        return text_list(e, split_space(self.text(), max_splits, from_right, e.budget()));
    const std::string& sep = text_argument(e, args, 0, "sep", "split").bytes();
    if (sep.empty()) e.fail("split: the separator is empty");
    return text_list(e, from_right ? split_right(self.text(), sep, max_splits, e.budget())
                                   : split(self.text(), sep, max_splits, e.budget()));
}
Value split_left(Evaluator& e, const Value& self, const Arguments& args) { return split_from(e, self, args, false); }
Value rsplit(Evaluator& e, const Value& self, const Arguments& args) { return split_from(e, self, args, true); }
Value splitlines(Evaluator& e, const Value& self, const Arguments& args) {
    e.check("splitlines", args, {"keepends"});
    const Value* keep = args.get(0, "keepends");
    return text_list(e, split_lines(self.text(), keep != nullptr && keep->is_true(), e.budget()));
}

// partition: the text before, the separator, the text behind.
Value partition_from(Evaluator& e, const Value& self, const Arguments& args, bool from_right) {
    e.check("partition", args, {"sep"});
    const MarkedText& separator = text_argument(e, args, 0, "sep", "partition");
    if (separator.size() == 0) e.fail("partition: the separator is empty");
    std::vector<MarkedText> parts = from_right ? split_right(self.text(), separator.bytes(), 1, e.budget())
                                               : split(self.text(), separator.bytes(), 1, e.budget());
    if (parts.size() == 2) {
        parts.insert(parts.begin() + 1, self.text().slice(parts[0].size(), parts[0].size() + separator.size()));
    } else {
        parts.insert(from_right ? parts.begin() : parts.end(), 2, MarkedText());
    }
    return text_list(e, std::move(parts), true);
}
Value partition(Evaluator& e, const Value& self, const Arguments& args) { return partition_from(e, self, args, false); }
Value rpartition(Evaluator& e, const Value& self, const Arguments& args) { return partition_from(e, self, args, true); }

// startswith, endswith: of one text or any of a tuple.
Value has_end(Evaluator& e, const Value& self, const Arguments& args, bool at_begin) {
    e.check(at_begin ? "startswith" : "endswith", args, {"affix"});
    const Value* affix = args.get(0, "affix");
    const auto matches = [&](const Value& value) {
        if (!value.is(Kind::text))
            e.fail(std::string(at_begin ? "startswith" : "endswith") + ": takes a text or a tuple of texts");
        e.budget().charge(kStepCost + value.bytes().size());
        return at_begin ? self.bytes().starts_with(value.bytes()) : self.bytes().ends_with(value.bytes());
    };
    if (affix != nullptr && affix->is(Kind::list) && affix->list().is_tuple) {
        return Value::boolean(std::any_of(affix->list().items.begin(), affix->list().items.end(), matches));
    }
    return Value::boolean(matches(affix != nullptr ? *affix : Value()));
}
Value startswith(Evaluator& e, const Value& self, const Arguments& args) { return has_end(e, self, args, true); }
Value endswith(Evaluator& e, const Value& self, const Arguments& args) { return has_end(e, self, args, false); }

Value removeprefix(Evaluator& e, const Value& self, const Arguments& args) {
    e.check("removeprefix", args, {"prefix"});
    const std::string& prefix = text_argument(e, args, 0, "prefix", "removeprefix").bytes();
    e.budget().charge(self.text().weight() + prefix.size());
    return Value::text(self.text().slice(self.bytes().starts_with(prefix) ? prefix.size() : 0, self.bytes().size()));
}
Value removesuffix(Evaluator& e, const Value& self, const Arguments& args) {
    e.check("removesuffix", args, {"suffix"});
    const std::string& suffix = text_argument(e, args, 0, "suffix", "removesuffix").bytes();
    e.budget().charge(self.text().weight() + suffix.size());
    return Value::text(
        self.text().slice(0, self.bytes().size() - (self.bytes().ends_with(suffix) ? suffix.size() : 0)));
}

template <Case to>
Value to_case(Evaluator& e, const Value& self, const Arguments& args) {
    e.check("a method for case", args, {});
    return Value::text(change_case(self.text(), to, e.budget()));
}
Value capitalize_method(Evaluator& e, const Value& self, const Arguments& args) {
    e.check("capitalize", args, {});
    return Value::text(capitalize(self.text(), e.budget()));
}
template <Case in>
Value is_case(Evaluator& e, const Value& self, const Arguments& args) {
    e.check("a method for case", args, {});
    return Value::boolean(is_all(self.text(), in, e.budget()));
}

Value replace_method(Evaluator& e, const Value& self, const Arguments& args) {
    e.check("replace", args, {"old", "new", "count"});
    const MarkedText& what = text_argument(e, args, 0, "old", "replace");
    const MarkedText& with = text_argument(e, args, 1, "new", "replace");
    const Value* count = args.get(2, "count");
    return Value::text(
        replace(self.text(), what, with, count != nullptr ? e.integer(*count, "replace: count") : -1, e.budget()));
}

// find and rfind give the position in characters, or -1.
Value find_from(Evaluator& e, const Value& self, const Arguments& args, bool from_right) {
    e.check("find", args, {"sub"});
    const std::string& what = text_argument(e, args, 0, "sub", "find").bytes();
    e.budget().charge(2 * self.bytes().size() + 4 * what.size());
    size_t at = std::string::npos;
    if (!from_right) {
        at = Finder(what).find(self.bytes(), 0);
    } else if (what.empty()) {
        at = self.bytes().size();
    } else {
        const std::vector<MarkedText> parts = split_right(self.text(), what, 1, e.budget());
        if (parts.size() == 2) at = parts[0].size();
    }
    if (at == std::string::npos) return Value::integer(-1);
    return Value::integer(static_cast<int64_t>(n_characters(std::string_view(self.bytes()).substr(0, at))));
}
Value find(Evaluator& e, const Value& self, const Arguments& args) { return find_from(e, self, args, false); }
Value rfind(Evaluator& e, const Value& self, const Arguments& args) { return find_from(e, self, args, true); }

Value count_text(Evaluator& e, const Value& self, const Arguments& args) {
    e.check("count", args, {"sub"});
    const std::string& what = text_argument(e, args, 0, "sub", "count").bytes();
    if (what.empty()) return Value::integer(e.length(self) + 1);
    return Value::integer(static_cast<int64_t>(split(self.text(), what, -1, e.budget()).size()) - 1);
}

Value join_method(Evaluator& e, const Value& self, const Arguments& args) {
    e.check("join", args, {"iterable"});
    const Value* parts = args.get(0, "iterable");
    if (parts == nullptr) e.fail("join: takes the texts to join");
    MarkedText out;
    bool is_first = true;
    for (const Value& part : e.elements(*parts)) {
        if (!part.is(Kind::text)) e.fail(std::string("join: a value of type ") + part.type_name() + " is no text");
        e.budget().charge(kStepCost + self.text().weight() + part.text().weight());
        if (!is_first) out.append(self.text());
        is_first = false;
        out.append(part.text());
    }
    return Value::text(std::move(out));
}

// True when there is a character and all are in the set of class bytes.
Value is_all_of(Evaluator& e, const Value& self, const Arguments& args,
                std::initializer_list<std::string_view> properties) {
    e.check("a method for characters", args, {});
    e.budget().charge(4 * self.bytes().size());
    ByteSet set;
    for (const std::string_view property : properties) {
        ByteSet more;
        property_bytes(property, more);
        set |= more;
    }
    std::string classes;
    append_class_bytes(classes, self.bytes());
    return Value::boolean(!classes.empty() && std::all_of(classes.begin(), classes.end(),
                                                          [&](char c) { return set[static_cast<unsigned char>(c)]; }));
}
Value isalpha(Evaluator& e, const Value& self, const Arguments& args) { return is_all_of(e, self, args, {"L"}); }
Value isdigit(Evaluator& e, const Value& self, const Arguments& args) { return is_all_of(e, self, args, {"Nd"}); }
Value isspace(Evaluator& e, const Value& self, const Arguments& args) {
    e.check("isspace", args, {});
    return Value::boolean(!self.bytes().empty() && strip(self.text(), Side::both, false, "", e.budget()).size() == 0);
}

// ---- dictionaries ----

enum class Part : uint8_t { key, value, both };
Value parts_of(Evaluator& e, const Value& self, const Arguments& args, Part part) {
    e.check("a method of dict", args, {});
    std::vector<Value> out;
    for (const auto& [key, value] : self.dict().items) {
        e.budget().charge_elements(4);
        out.push_back(part == Part::key ? key : part == Part::value ? value : Value::list({key, value}, true));
    }
    return Value::list(std::move(out));
}
Value items(Evaluator& e, const Value& self, const Arguments& args) { return parts_of(e, self, args, Part::both); }
Value keys(Evaluator& e, const Value& self, const Arguments& args) { return parts_of(e, self, args, Part::key); }
Value values(Evaluator& e, const Value& self, const Arguments& args) { return parts_of(e, self, args, Part::value); }
Value get(Evaluator& e, const Value& self, const Arguments& args) {
    e.check("get", args, {"key", "default"});
    const Value* key = args.get(0, "key");
    const Value* missing = args.get(1, "default");
    if (key == nullptr) e.fail("get: takes a key");
    if (key->is(Kind::text)) e.budget().charge(key->bytes().size());
    const Value* found = key->is(Kind::undefined) ? nullptr : self.dict().find(*key);
    return found != nullptr ? *found : missing != nullptr ? *missing : Value::none();
}

// ---- lists ----

Value index_of(Evaluator& e, const Value& self, const Arguments& args) {
    e.check("index", args, {"value"});
    const Value* wanted = args.get(0, "value");
    if (wanted == nullptr) e.fail("index: takes a value");
    const std::vector<Value>& all = self.list().items;
    for (size_t i = 0; i < all.size(); ++i) {
        if (equal(all[i], *wanted, e.budget())) return Value::integer(static_cast<int64_t>(i));
    }
    e.fail("index: the list does not hold this value");
}
Value count_items(Evaluator& e, const Value& self, const Arguments& args) {
    e.check("count", args, {"value"});
    const Value* wanted = args.get(0, "value");
    if (wanted == nullptr) e.fail("count: takes a value");
    const auto& all = self.list().items;
    return Value::integer(
        std::count_if(all.begin(), all.end(), [&](const Value& item) { return equal(item, *wanted, e.budget()); }));
}

Value cycle(Evaluator& e, const Value& self, const Arguments& args) {
    if (args.positional.empty()) e.fail("loop.cycle: takes at least one value");
    return args.positional[self.loop()->index % args.positional.size()];
}

using Methods = std::unordered_map<std::string_view, MethodFunction>;

const Methods& methods_of(const Value& self) {
    static const Methods of_texts = {
        {"strip", strip_both},
        {"lstrip", strip_left},
        {"rstrip", strip_right},
        {"split", split_left},
        {"rsplit", rsplit},
        {"splitlines", splitlines},
        {"partition", partition},
        {"rpartition", rpartition},
        {"startswith", startswith},
        {"endswith", endswith},
        {"removeprefix", removeprefix},
        {"removesuffix", removesuffix},
        {"upper", to_case<Case::upper>},
        {"lower", to_case<Case::lower>},
        {"title", to_case<Case::title>},
        {"capitalize", capitalize_method},
        {"isupper", is_case<Case::upper>},
        {"islower", is_case<Case::lower>},
        {"replace", replace_method},
        {"find", find},
        {"rfind", rfind},
        {"count", count_text},
        {"join", join_method},
        {"isalpha", isalpha},
        {"isdigit", isdigit},
        {"isspace", isspace},
    };
    static const Methods of_dicts = {{"items", items}, {"keys", keys}, {"values", values}, {"get", get}};
    static const Methods of_lists = {{"index", index_of}, {"count", count_items}};
    static const Methods of_loops = {{"cycle", cycle}};
    static const Methods of_others;
    switch (self.kind()) {
        case Kind::text: return of_texts;
        case Kind::dict: return of_dicts;
        case Kind::list: return self.list().is_generator ? of_others : of_lists;
        case Kind::loop: return of_loops;
        default: return of_others;
    }
}

}  // namespace

bool is_method(const Value& self, std::string_view name) { return methods_of(self).count(name) != 0; }

Value call_method(Evaluator& evaluator, const Value& self, std::string_view name, const Arguments& args) {
    const Methods& methods = methods_of(self);
    const auto entry = methods.find(name);
    if (entry == methods.end()) evaluator.fail("no method is called " + std::string(name));
    return entry->second(evaluator, self, args);
}

}  // namespace bitnet::jinja
