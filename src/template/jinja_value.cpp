// Making, comparing and writing values as Python does.
#include "src/template/jinja_value.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "src/base/utf8.h"
#include "src/tokenizer/unicode_classes.h"

namespace bitnet::jinja {
namespace {

// Equal keys have equal names, and only those.
std::string key_name(const Value& key) {
    switch (key.kind()) {
        case Kind::text: return "s" + key.bytes();
        case Kind::boolean:
        case Kind::integer: return "n" + std::to_string(key.integer());
        case Kind::real: {
            const double x = key.real();
            if (x == std::floor(x) && std::fabs(x) < 9e15) return "n" + std::to_string(static_cast<int64_t>(x));
            return "f" + float_repr(x);
        }
        case Kind::none: return "0";
        case Kind::list:
            if (key.list().is_tuple) {
                std::string name = "t";
                for (const Value& item : key.list().items) {
                    const std::string part = key_name(item);
                    name.append(std::to_string(part.size())).append(":").append(part);
                }
                return name;
            }
            break;
        default: break;
    }
    throw Error(BITNET_E_ARGUMENT, std::string("a value of type ") + key.type_name() + " cannot be a key");
}

uint32_t nesting_above(uint32_t below) {
    if (below + 1 > kMaxNesting) Budget::exhausted("its values are nested too deeply");
    return below + 1;
}

bool is_printable(uint32_t c) {
    if (c < 0x80) return c >= 0x20 && c != 0x7F;
    switch (static_cast<CharClass>(class_byte(c) - 0x80)) {
        case CharClass::Zs:
        case CharClass::Zl:
        case CharClass::Zp:
        case CharClass::Cc:
        case CharClass::Cf:
        case CharClass::Co:
        case CharClass::Cn:
        case CharClass::Cn_late_digit:
        case CharClass::next_line:
        case CharClass::joiner:
        case CharClass::invalid_byte: return false;
        default: return true;
    }
}

void append_hex(std::string& out, uint32_t value, int n_digits) {
    for (int shift = 4 * (n_digits - 1); shift >= 0; shift -= 4) out.push_back("0123456789abcdef"[value >> shift & 15]);
}

void append_text_repr(std::string& out, std::string_view text) {
    const bool has_single = text.find('\'') != std::string_view::npos;
    const char quote = has_single && text.find('"') == std::string_view::npos ? '"' : '\'';
    out.push_back(quote);
    while (!text.empty()) {
        const Utf8Char c = utf8_decode(text);
        const uint32_t code = c.code_point;
        if (code == static_cast<unsigned char>(quote) || code == '\\') {
            out.append("\\").push_back(static_cast<char>(code));
        } else if (code == '\n') {
            out += "\\n";
        } else if (code == '\r') {
            out += "\\r";
        } else if (code == '\t') {
            out += "\\t";
        } else if (code == kInvalidCodePoint || is_printable(code)) {
            out += text.substr(0, c.n_bytes);
        } else if (code < 0x100) {
            append_hex(out += "\\x", code, 2);
        } else if (code < 0x10000) {
            append_hex(out += "\\u", code, 4);
        } else {
            append_hex(out += "\\U", code, 8);
        }
        text.remove_prefix(c.n_bytes);
    }
    out.push_back(quote);
}

}  // namespace

// ---- dictionaries ----

const Value* Dict::find(const Value& key) const {
    const auto entry = index.find(key_name(key));
    return entry != index.end() ? &items[entry->second].second : nullptr;
}

const Value* Dict::find(std::string_view key) const {
    const auto entry = index.find(std::string("s").append(key));
    return entry != index.end() ? &items[entry->second].second : nullptr;
}

void Dict::set(const Value& key, Value value) {
    nesting = std::max({nesting, nesting_above(value.nesting()), nesting_above(key.nesting())});
    const auto [entry, is_new] = index.try_emplace(key_name(key), items.size());
    if (is_new) {
        items.emplace_back(key, std::move(value));
    } else {
        items[entry->second].second = std::move(value);
    }
}

void Dict::set(std::string_view key, Value value) { set(Value::plain(std::string(key)), std::move(value)); }

// ---- making values ----

Value Value::undefined(std::string_view what) {
    Value v;
    v.shared_ = std::make_shared<const std::string>(what);
    return v;
}
Value Value::none() {
    Value v;
    v.kind_ = Kind::none;
    return v;
}
Value Value::boolean(bool value) {
    Value v;
    v.kind_ = Kind::boolean;
    v.scalar_.boolean = value;
    return v;
}
Value Value::integer(int64_t value) {
    Value v;
    v.kind_ = Kind::integer;
    v.scalar_.integer = value;
    return v;
}
Value Value::real(double value) {
    Value v;
    v.kind_ = Kind::real;
    v.scalar_.real = value;
    return v;
}
Value Value::text(MarkedText text) {
    Value v;
    v.kind_ = Kind::text;
    v.shared_ = std::make_shared<const MarkedText>(std::move(text));
    return v;
}
Value Value::list(std::vector<Value> items, bool is_tuple) {
    List list;
    for (const Value& item : items) list.nesting = std::max(list.nesting, nesting_above(item.nesting()));
    list.items = std::move(items);
    list.is_tuple = is_tuple;
    return Value(std::move(list));
}
Value Value::generator(std::vector<Value> items) {
    List list;
    for (const Value& item : items) list.nesting = std::max(list.nesting, nesting_above(item.nesting()));
    list.items = std::move(items);
    list.is_generator = true;
    return Value(std::move(list));
}
Value::Value(List list) : kind_(Kind::list), shared_(std::make_shared<const List>(std::move(list))) {}
Value Value::dict(Dict items) {
    Value v;
    v.kind_ = Kind::dict;
    v.shared_ = std::make_shared<const Dict>(std::move(items));
    return v;
}
Value Value::name_space(Namespace* target) {
    Value v;
    v.kind_ = Kind::name_space;
    v.scalar_.name_space = target;
    return v;
}
Value Value::loop(LoopState* state) {
    Value v;
    v.kind_ = Kind::loop;
    v.scalar_.loop = state;
    return v;
}
Value Value::macro(const MacroNode* macro) {
    Value v;
    v.kind_ = Kind::macro;
    v.scalar_.macro = macro;
    return v;
}
Value Value::function(const Function* function) {
    Value v;
    v.kind_ = Kind::function;
    v.scalar_.function = function;
    return v;
}
Value Value::method(Value self, std::string_view name) {
    nesting_above(self.nesting());
    Value v;
    v.kind_ = Kind::method;
    v.shared_ = std::make_shared<const Method>(Method{std::move(self), std::string(name)});
    return v;
}

std::string Value::undefined_name() const {
    return shared_ ? *static_cast<const std::string*>(shared_.get()) : std::string("a value");
}

bool Value::is_true() const noexcept {
    switch (kind_) {
        case Kind::undefined:
        case Kind::none: return false;
        case Kind::boolean: return scalar_.boolean;
        case Kind::integer: return scalar_.integer != 0;
        case Kind::real: return scalar_.real != 0;
        case Kind::text: return !bytes().empty();
        case Kind::list: return list().is_generator || !list().items.empty();
        case Kind::dict: return !dict().items.empty();
        default: return true;
    }
}

uint32_t Value::nesting() const noexcept {
    switch (kind_) {
        case Kind::list: return list().nesting;
        case Kind::dict: return dict().nesting;
        case Kind::method: return method().self.nesting() + 1;
        default: return 0;
    }
}

const char* Value::type_name() const noexcept {
    switch (kind_) {
        case Kind::undefined: return "undefined";
        case Kind::none: return "None";
        case Kind::boolean: return "bool";
        case Kind::integer: return "int";
        case Kind::real: return "float";
        case Kind::text: return "str";
        case Kind::list: return list().is_tuple ? "tuple" : "list";
        case Kind::dict: return "dict";
        case Kind::name_space: return "namespace";
        case Kind::loop: return "loop";
        case Kind::macro: return "macro";
        case Kind::method: return "method";
        case Kind::function: return "function";
    }
    return "value";
}

// ---- comparing ----

bool equal(const Value& a, const Value& b, Budget& budget) {
    budget.charge(kStepCost);
    if (a.is_integral() && b.is_integral()) return a.integer() == b.integer();
    if (a.is_number() && b.is_number()) return a.real() == b.real();
    if (a.kind() != b.kind()) return false;
    switch (a.kind()) {
        case Kind::undefined:
        case Kind::none: return true;
        case Kind::text: budget.charge(std::min(a.bytes().size(), b.bytes().size())); return a.bytes() == b.bytes();
        case Kind::list: {
            const List& x = a.list();
            const List& y = b.list();
            if (x.is_tuple != y.is_tuple || x.items.size() != y.items.size()) return false;
            for (size_t i = 0; i < x.items.size(); ++i) {
                if (!equal(x.items[i], y.items[i], budget)) return false;
            }
            return true;
        }
        case Kind::dict: {
            if (a.dict().items.size() != b.dict().items.size()) return false;
            for (const auto& [key, value] : a.dict().items) {
                budget.charge_elements(1);
                const Value* other = b.dict().find(key);
                if (other == nullptr || !equal(value, *other, budget)) return false;
            }
            return true;
        }
        case Kind::name_space: return a.name_space() == b.name_space();
        case Kind::loop: return a.loop() == b.loop();
        case Kind::macro: return a.macro() == b.macro();
        case Kind::function: return a.function() == b.function();
        default: return false;
    }
}

bool less(const Value& a, const Value& b, Budget& budget) {
    budget.charge(kStepCost);
    if (a.is_integral() && b.is_integral()) return a.integer() < b.integer();
    if (a.is_number() && b.is_number()) return a.real() < b.real();
    if (a.is(Kind::text) && b.is(Kind::text)) {
        budget.charge(std::min(a.bytes().size(), b.bytes().size()));
        return a.bytes() < b.bytes();  // UTF-8 sorts as code points do
    }
    if (a.is(Kind::list) && b.is(Kind::list) && a.list().is_tuple == b.list().is_tuple) {
        const std::vector<Value>& x = a.list().items;
        const std::vector<Value>& y = b.list().items;
        for (size_t i = 0; i < x.size() && i < y.size(); ++i) {
            if (!equal(x[i], y[i], budget)) return less(x[i], y[i], budget);
        }
        return x.size() < y.size();
    }
    throw Error(BITNET_E_ARGUMENT,
                std::string("values of types ") + a.type_name() + " and " + b.type_name() + " have no order");
}

// ---- writing ----

std::string float_repr(double value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    char buffer[64];
    const std::to_chars_result end =
        std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
    const std::string_view text(buffer, static_cast<size_t>(end.ptr - buffer));
    const size_t e = text.find('e');
    std::string digits;
    std::string out;
    for (const char c : text.substr(0, e)) {
        if (c == '-') out = "-";
        if (c >= '0' && c <= '9') digits.push_back(c);
    }
    int exponent = 0;
    std::string_view power = text.substr(e + 1);
    if (power.starts_with('+')) power.remove_prefix(1);
    std::from_chars(power.data(), power.data() + power.size(), exponent);
    if (exponent < -4 || exponent >= 16) {
        out += digits[0];
        if (digits.size() > 1) out.append(".").append(digits, 1);
        out.append(exponent < 0 ? "e-" : "e+");
        const int size = std::abs(exponent);
        return out.append(size < 10 ? "0" : "").append(std::to_string(size));
    }
    if (exponent < 0) return out.append("0.").append(static_cast<size_t>(-exponent - 1), '0').append(digits);
    const auto n_whole = static_cast<size_t>(exponent) + 1;
    if (digits.size() < n_whole) digits.append(n_whole - digits.size(), '0');
    out.append(digits, 0, n_whole).append(".");
    return digits.size() > n_whole ? out.append(digits, n_whole) : out.append("0");
}

void append_repr(std::string& out, const Value& value, Budget& budget) {
    budget.charge(kStepCost);
    switch (value.kind()) {
        case Kind::undefined: out += "Undefined"; return;
        case Kind::none: out += "None"; return;
        case Kind::boolean: out += value.integer() != 0 ? "True" : "False"; return;
        case Kind::integer: out += std::to_string(value.integer()); return;
        case Kind::real: out += float_repr(value.real()); return;
        case Kind::text:
            budget.charge(value.bytes().size() * 2);
            append_text_repr(out, value.bytes());
            return;
        case Kind::list: {
            const List& list = value.list();
            out += list.is_tuple ? "(" : "[";
            for (size_t i = 0; i < list.items.size(); ++i) {
                if (i != 0) out += ", ";
                append_repr(out, list.items[i], budget);
            }
            if (list.is_tuple && list.items.size() == 1) out += ",";
            out += list.is_tuple ? ")" : "]";
            return;
        }
        case Kind::dict: {
            out += "{";
            bool is_first = true;
            for (const auto& [key, item] : value.dict().items) {
                if (!is_first) out += ", ";
                is_first = false;
                append_repr(out, key, budget);
                out += ": ";
                append_repr(out, item, budget);
            }
            out += "}";
            return;
        }
        default: out.append("<").append(value.type_name()).append(">"); return;
    }
}

MarkedText to_text(const Value& value, Budget& budget) {
    if (value.is(Kind::text)) {
        budget.charge(value.text().weight());
        return value.text();
    }
    if (value.is(Kind::undefined)) return {};
    std::string out;
    append_repr(out, value, budget);
    return MarkedText::plain(std::move(out));
}

}  // namespace bitnet::jinja
