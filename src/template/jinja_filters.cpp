// Filters of texts and numbers: value | name(arguments).
#include <algorithm>
#include <charconv>
#include <cmath>
#include <unordered_map>

#include "src/template/jinja_evaluator.h"
#include "src/template/jinja_json.h"
#include "src/template/jinja_text.h"

namespace bitnet::jinja {
namespace {

bool flag(const Arguments& args, size_t index, std::string_view name, bool missing) {
    const Value* value = args.get(index, name);
    return value != nullptr ? value->is_true() : missing;
}

Value trim(Evaluator& e, const Value& input, const Arguments& args) {
    e.check("trim", args, {"chars"});
    const Value* set = args.get(0, "chars");
    const bool has_set = set != nullptr && !set->is(Kind::none);
    return Value::text(strip(e.text(input), Side::both, has_set, has_set ? e.text(*set).bytes() : "", e.budget()));
}

Value upper(Evaluator& e, const Value& input, const Arguments& args) {
    e.check("upper", args, {});
    return Value::text(change_case(e.text(input), Case::upper, e.budget()));
}
Value lower(Evaluator& e, const Value& input, const Arguments& args) {
    e.check("lower", args, {});
    return Value::text(change_case(e.text(input), Case::lower, e.budget()));
}
Value title(Evaluator& e, const Value& input, const Arguments& args) {
    e.check("title", args, {});
    return Value::text(title_words(e.text(input), e.budget()));
}
Value capitalize_filter(Evaluator& e, const Value& input, const Arguments& args) {
    e.check("capitalize", args, {});
    return Value::text(capitalize(e.text(input), e.budget()));
}
Value string_filter(Evaluator& e, const Value& input, const Arguments& args) {
    e.check("string", args, {});
    return Value::text(e.text(input));
}

Value replace_filter(Evaluator& e, const Value& input, const Arguments& args) {
    e.check("replace", args, {"old", "new", "count"});
    const Value* what = args.get(0, "old");
    const Value* with = args.get(1, "new");
    const Value* count = args.get(2, "count");
    if (what == nullptr || with == nullptr) e.fail("replace: takes what to replace and what to put there");
    const bool has_count = count != nullptr && !count->is(Kind::none);
    return Value::text(replace(e.text(input), e.text(*what), e.text(*with),
                               has_count ? e.integer(*count, "replace: count") : -1, e.budget()));
}

Value escape(Evaluator& e, const Value& input, const Arguments& args) {
    e.check("escape", args, {});
    MarkedText text = e.text(input);
    for (const auto& [what, with] : {std::pair("&", "&amp;"), std::pair("<", "&lt;"), std::pair(">", "&gt;"),
                                     std::pair("'", "&#39;"), std::pair("\"", "&#34;")}) {
        text = replace(text, MarkedText::plain(what), MarkedText::plain(with), -1, e.budget());
    }
    return Value::text(std::move(text));
}

Value indent(Evaluator& e, const Value& input, const Arguments& args) {
    e.check("indent", args, {"width", "first", "blank"});
    const Value* width = args.get(0, "width");
    MarkedText margin;
    if (width != nullptr && width->is(Kind::text)) {
        margin = width->text();
    } else {
        const int64_t n = width != nullptr ? e.integer(*width, "indent: width") : 4;
        if (n > 10000) Budget::exhausted("an indent is too wide");
        margin = MarkedText::trusted(std::string(static_cast<size_t>(std::max<int64_t>(n, 0)), ' '));
    }
    const bool blank = flag(args, 2, "blank", false);
    MarkedText text = e.text(input);
    text.append_trusted("\n");
    const std::vector<MarkedText> lines = split_lines(text, false, e.budget());
    MarkedText out;
    if (flag(args, 1, "first", false)) out.append(margin);
    for (size_t i = 0; i < lines.size(); ++i) {
        e.budget().charge(kStepCost + lines[i].weight() + margin.weight());
        if (i != 0) out.append_trusted("\n");
        if (i != 0 && (blank || lines[i].size() != 0)) out.append(margin);
        out.append(lines[i]);
    }
    return Value::text(std::move(out));
}

Value default_filter(Evaluator& e, const Value& input, const Arguments& args) {
    e.check("default", args, {"default_value", "boolean"});
    const bool is_missing = input.is(Kind::undefined) || (flag(args, 1, "boolean", false) && !input.is_true());
    if (!is_missing) return input;
    const Value* value = args.get(0, "default_value");
    return value != nullptr ? *value : Value::plain("");
}

Value same(Evaluator& e, const Value& input, const Arguments& args) {
    e.check("safe", args, {});
    return input;
}

// A text as Python's int() or float() reads it: spaces around, single _ between digits.
std::string digits_of(Evaluator& e, const Value& value) {
    const MarkedText text = strip(value.text(), Side::both, false, "", e.budget());
    std::string out;
    const std::string& bytes = text.bytes();
    for (size_t i = 0; i < bytes.size(); ++i) {
        const bool joins = bytes[i] == '_' && i > 0 && i + 1 < bytes.size() &&
                           std::isalnum(static_cast<unsigned char>(bytes[i - 1])) != 0 &&
                           std::isalnum(static_cast<unsigned char>(bytes[i + 1])) != 0;
        if (!joins) out.push_back(bytes[i]);
    }
    if (out.starts_with('+') && !out.starts_with("+-")) out.erase(0, 1);
    return out;
}
bool read_real(const std::string& text, double& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

Value int_filter(Evaluator& e, const Value& input, const Arguments& args) {
    e.check("int", args, {"default", "base"});
    const Value* missing = args.get(0, "default");
    const Value* base = args.get(1, "base");
    const int64_t radix = base != nullptr ? e.integer(*base, "int: base") : 10;
    if (radix < 2 || radix > 36) e.fail("int: the base must be 2 to 36");
    double real = input.is_number() ? input.real() : 0;
    if (input.is_integral()) return Value::integer(input.integer());
    if (input.is(Kind::text)) {
        std::string digits = digits_of(e, input);
        if (radix == 16 && (digits.starts_with("0x") || digits.starts_with("0X"))) digits.erase(0, 2);
        int64_t value = 0;
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), value, static_cast<int>(radix));
        if (error == std::errc() && end == digits.data() + digits.size()) return Value::integer(value);
        if (!read_real(digits, real)) real = std::nan("");
    }
    if (input.is(Kind::text) || input.is_number()) {
        if (std::fabs(real) < 9.2e18) return Value::integer(static_cast<int64_t>(real));
        if (!std::isnan(real) && !input.is(Kind::text)) e.fail("int: a whole number beyond 64 bits");
    }
    return missing != nullptr ? *missing : Value::integer(0);
}

Value float_filter(Evaluator& e, const Value& input, const Arguments& args) {
    e.check("float", args, {"default"});
    if (input.is_number()) return Value::real(input.real());
    double real = 0;
    if (input.is(Kind::text) && read_real(digits_of(e, input), real)) return Value::real(real);
    const Value* missing = args.get(0, "default");
    return missing != nullptr ? *missing : Value::real(0);
}

Value abs_filter(Evaluator& e, const Value& input, const Arguments& args) {
    e.check("abs", args, {});
    if (input.is_integral() && input.integer() > INT64_MIN) return Value::integer(std::abs(input.integer()));
    if (input.is(Kind::real)) return Value::real(std::fabs(input.real()));
    e.fail(std::string("abs: a value of type ") + input.type_name());
}

Value round_filter(Evaluator& e, const Value& input, const Arguments& args) {
    e.check("round", args, {"precision", "method"});
    const Value* precision = args.get(0, "precision");
    const Value* method = args.get(1, "method");
    if (!input.is_number()) e.fail(std::string("round: a value of type ") + input.type_name());
    const int64_t digits = precision != nullptr ? e.integer(*precision, "round: precision") : 0;
    if (digits < -300 || digits > 300) e.fail("round: the precision must be -300 to 300");
    const std::string how = method != nullptr ? e.text(*method).bytes() : "common";
    const double x = input.real();
    const double scale = std::pow(10.0, static_cast<double>(digits));
    double out = x;
    if (how == "ceil") {
        out = std::ceil(x * scale) / scale;
    } else if (how == "floor") {
        out = std::floor(x * scale) / scale;
    } else if (how != "common") {
        e.fail("round: the method must be common, ceil or floor");
    } else if (std::isfinite(x * scale)) {
        // Half to even, as Python's round; digits after the point through the decimal text, which is exact.
        if (digits <= 0 || digits > 17) {
            out = std::nearbyint(x * scale) / scale;
        } else {
            char text[400];
            const auto end =
                std::to_chars(text, text + sizeof text, x, std::chars_format::fixed, static_cast<int>(digits));
            std::from_chars(text, end.ptr, out);
        }
    }
    return input.is_integral() && how == "common" ? Value::integer(static_cast<int64_t>(out)) : Value::real(out);
}

// The separators of json.dumps: a list or tuple of two texts.
void read_separators(Evaluator& e, const Value& value, JsonStyle& style) {
    const std::vector<Value> parts = e.elements(value);
    if (parts.size() != 2 || !parts[0].is(Kind::text) || !parts[1].is(Kind::text))
        e.fail("tojson: separators must be two texts");
    style.item_separator = parts[0].bytes();
    style.key_separator = parts[1].bytes();
}

Value tojson(Evaluator& e, const Value& input, const Arguments& args) {
    // The parameters of the tojson that transformers gives to templates, which is not Jinja's own.
    e.check("tojson", args, {"ensure_ascii", "indent", "separators", "sort_keys"});
    JsonStyle style;
    style.ensure_ascii = flag(args, 0, "ensure_ascii", false);
    style.sort_keys = flag(args, 3, "sort_keys", false);
    const Value* indent = args.get(1, "indent");
    if (indent != nullptr && !indent->is(Kind::none)) {
        style.has_indent = true;
        if (indent->is(Kind::text)) {
            style.indent = indent->bytes();
        } else {
            const int64_t n = e.integer(*indent, "tojson: indent");
            if (n > 100) Budget::exhausted("an indent is too wide");
            style.indent.assign(static_cast<size_t>(std::max<int64_t>(n, 0)), ' ');
        }
    }
    style.item_separator = style.has_indent ? "," : ", ";
    const Value* separators = args.get(2, "separators");
    if (separators != nullptr && !separators->is(Kind::none)) read_separators(e, *separators, style);
    return Value::plain(dump_json(input, style, e.budget()));
}

}  // namespace

FilterFunction find_filter(std::string_view name) {
    static const std::unordered_map<std::string_view, FilterFunction> filters = {
        {"trim", trim},
        {"upper", upper},
        {"lower", lower},
        {"title", title},
        {"capitalize", capitalize_filter},
        {"string", string_filter},
        {"replace", replace_filter},
        {"escape", escape},
        {"e", escape},
        {"indent", indent},
        {"default", default_filter},
        {"d", default_filter},
        {"safe", same},
        {"int", int_filter},
        {"float", float_filter},
        {"abs", abs_filter},
        {"round", round_filter},
        {"tojson", tojson},
    };
    const auto entry = filters.find(name);
    return entry != filters.end() ? entry->second : nullptr;
}

}  // namespace bitnet::jinja
