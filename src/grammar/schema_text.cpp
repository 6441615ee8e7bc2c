#include "src/grammar/schema_text.h"

#include <algorithm>
#include <cstdio>

#include "src/base/utf8.h"

namespace bitnet {
namespace {

constexpr int kMaxDigits = 16;  // what a double holds nearly all of

std::string digit_class(char first, char last) {
    if (first == last) return std::string("\"") + first + '"';
    return std::string("[") + first + '-' + last + ']';
}
std::string any_digits(size_t n) {
    if (n == 0) return "";
    return n == 1 ? " [0-9]" : " [0-9]{" + std::to_string(n) + "}";
}

// Alternatives for the numbers lo..hi of equally many digits: "1" [5-9] | [2-3] [0-9] for 15..39.
void append_same_length(const std::string& head, std::string_view lo, std::string_view hi, std::string& out) {
    const auto add = [&](const std::string& text) {
        if (!out.empty()) out += " | ";
        out += text;
    };
    if (lo.empty()) return add(head);
    if (lo == std::string(lo.size(), '0') && hi == std::string(hi.size(), '9')) {
        std::string all = any_digits(lo.size());
        return add(head.empty() ? all.substr(1) : head + all);
    }
    const auto with = [&](char first, char last) {
        return (head.empty() ? "" : head + ' ') + digit_class(first, last);
    };
    if (lo[0] == hi[0]) return append_same_length(with(lo[0], lo[0]), lo.substr(1), hi.substr(1), out);
    const std::string zeros(lo.size() - 1, '0'), nines(lo.size() - 1, '9');
    const bool whole_lo = lo.substr(1) == zeros, whole_hi = hi.substr(1) == nines;
    if (!whole_lo) append_same_length(with(lo[0], lo[0]), lo.substr(1), nines, out);
    const char first = static_cast<char>(lo[0] + (whole_lo ? 0 : 1)),
               last = static_cast<char>(hi[0] - (whole_hi ? 0 : 1));
    if (first <= last) add(with(first, last) + any_digits(lo.size() - 1));
    if (!whole_hi) append_same_length(with(hi[0], hi[0]), zeros, hi.substr(1), out);
}

std::string natural_range(uint64_t lo, uint64_t hi) {
    std::string out;
    std::string from = std::to_string(lo);
    const std::string to = std::to_string(hi);
    for (; from.size() < to.size(); from = "1" + std::string(from.size(), '0')) {
        append_same_length("", from, std::string(from.size(), '9'), out);
    }
    append_same_length("", from, to, out);
    return out;
}

uint64_t magnitude(int64_t value) noexcept {
    return value < 0 ? uint64_t{0} - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
}

// Joins what is written for the numbers below zero and the others; natural(lo, hi) writes those from lo to hi, where hi may
// be missing.
template <typename Natural>
std::string signed_range(std::optional<int64_t> lo, std::optional<int64_t> hi, Natural natural) {
    std::string out;
    if (!lo || *lo < 0) {
        const std::optional<uint64_t> most = lo ? std::optional(magnitude(*lo)) : std::nullopt;
        const uint64_t least = hi && *hi < 0 ? magnitude(*hi) : 0;
        out = "\"-\" (" + natural(least, most) + ")";
    }
    if (!hi || *hi >= 0) {
        const uint64_t least = lo && *lo > 0 ? magnitude(*lo) : 0;
        if (!out.empty()) out += " | ";
        out += natural(least, hi ? std::optional(magnitude(*hi)) : std::nullopt);
    }
    return "(" + out + ")";
}

std::string natural_integer(uint64_t lo, std::optional<uint64_t> hi) {
    if (hi) return natural_range(lo, *hi);
    const std::string digits = std::to_string(lo);
    const auto n_most = std::max(static_cast<size_t>(kMaxDigits), digits.size());
    std::string out;
    append_same_length("", digits, std::string(digits.size(), '9'), out);
    if (digits.size() < n_most)
        out += " | [1-9] [0-9]{" + std::to_string(digits.size()) + "," + std::to_string(n_most - 1) + "}";
    return out;
}

constexpr const char* kFraction = " (\".\" [0-9]{1,16})?";

// A fraction may stand behind all but the upper bound, which may only have zeros.
std::string natural_number(uint64_t lo, std::optional<uint64_t> hi) {
    if (!hi) return "(" + natural_integer(lo, hi) + ")" + kFraction;
    std::string out = "\"" + std::to_string(*hi) + "\" (\".\" \"0\"{1,16})?";
    if (*hi > lo) out = "(" + natural_range(lo, *hi - 1) + ")" + kFraction + " | " + out;
    return out;
}

std::string class_character(uint32_t c) {
    char text[16];
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) return {static_cast<char>(c)};
    std::snprintf(text, sizeof text,
                  c <= 0xFF     ? "\\x%02X"
                  : c <= 0xFFFF ? "\\u%04X"
                                : "\\U%08X",
                  static_cast<unsigned>(c));
    return text;
}

#define DAYS(from_month, last_days) "(" from_month ") \"-\" (\"0\" [1-9] | [1-2] [0-9]" last_days ")"
// Days that exist in every year. Years before 1000 trouble many readers.
#define DATE                                                                                                           \
    "[12] [0-9]{3} \"-\" (" DAYS("\"0\" [13578] | \"1\" [02]", " | \"3\" [01]") " | " DAYS(                            \
        "\"0\" [469] | \"11\"", " | \"30\"") " | \"02-\" (\"0\" [1-9] | \"1\" [0-9] | \"2\" [0-8]))"
#define CLOCK "([01] [0-9] | \"2\" [0-3]) \":\" [0-5] [0-9]"
#define TIME CLOCK " \":\" [0-5] [0-9] (\".\" [0-9]{1,9})? (\"Z\" | [+\\-] " CLOCK ")"
#define HEX(n) "[0-9a-fA-F]{" n "}"

struct TextRow {
    std::string_view name;
    const char* text;
};
constexpr TextRow kFormats[] = {
    {"date", DATE},
    {"time", TIME},
    {"date-time", DATE " \"T\" " TIME},
    {"uuid", HEX("8") " \"-\" " HEX("4") " \"-\" " HEX("4") " \"-\" " HEX("4") " \"-\" " HEX("12")},
};

// Numbers stay within what a double holds. Escapes never make half of a surrogate pair, which many readers refuse.
constexpr TextRow kJsonRules[] = {
    {"json-space", "\" \"? | \"\\n\" [ \\t]{0,20}"},
    {"json-value", "json-object | json-array | json-string | json-number | json-boolean | json-null"},
    {"json-object", "\"{\" json-space (json-member (json-space \",\" json-space json-member)* json-space)? \"}\""},
    {"json-member", "json-string json-space \":\" json-space json-value"},
    {"json-array", "\"[\" json-space (json-value (json-space \",\" json-space json-value)* json-space)? \"]\""},
    {"json-string", "\"\\\"\" json-char* \"\\\"\""},
    {"json-char",
     "[^\"\\\\\\x00-\\x1F] | \"\\\\\" ([\"\\\\/bfnrt] | \"u\" ([0-9a-cA-CefEF] [0-9a-fA-F]{3} | [dD] [0-7] "
     "[0-9a-fA-F]{2}))"},
    {"json-number", "\"-\"? (\"0\" | [1-9] [0-9]{0,15}) (\".\" [0-9]{1,16})? ([eE] [+\\-]? [0-9]{1,2})?"},
    {"json-integer", "\"-\"? (\"0\" | [1-9] [0-9]{0,15})"},
    {"json-boolean", "\"true\" | \"false\""},
    {"json-null", "\"null\""},
};

}  // namespace

std::string gbnf_literal(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<uint8_t>(c) < 0x20) {
            out += class_character(static_cast<uint8_t>(c));
        } else {
            out += c;
        }
    }
    return out + '"';
}

std::string gbnf_json_character(const CodePointSet& set) {
    CodePointSet plain;
    plain.add(0x20, 0x21);
    plain.add(0x23, 0x5B);
    plain.add(0x5D, kMaxCodePoint);
    const CodePointSet inside = set.intersected(plain);
    std::string out;
    if (!inside.empty()) {
        out = "[";
        for (const CodePointRange& range : inside.ranges()) {
            out += class_character(range.first);
            if (range.last != range.first) out += '-' + class_character(range.last);
        }
        out += ']';
    }
    static constexpr char kEscaped[][2] = {{'"', '"'},  {'\\', '\\'}, {'\b', 'b'}, {'\f', 'f'},
                                           {'\n', 'n'}, {'\r', 'r'},  {'\t', 't'}};
    bool several = false;
    for (const auto& [character, letter] : kEscaped) {
        if (!set.contains(static_cast<uint32_t>(character))) continue;
        several = several || !out.empty();
        if (!out.empty()) out += " | ";
        out += gbnf_literal(std::string("\\") + letter);
    }
    return several ? "(" + out + ")" : out;
}

std::string gbnf_integer(std::optional<int64_t> lo, std::optional<int64_t> hi) {
    return signed_range(lo, hi, natural_integer);
}

std::string gbnf_number(std::optional<int64_t> lo, std::optional<int64_t> hi) {
    return signed_range(lo, hi, natural_number);
}

const char* gbnf_format(std::string_view format) noexcept {
    for (const TextRow& row : kFormats) {
        if (row.name == format) return row.text;
    }
    return nullptr;
}

const char* gbnf_json_rule(std::string_view name) noexcept {
    for (const TextRow& row : kJsonRules) {
        if (row.name == name) return row.text;
    }
    return nullptr;
}

}  // namespace bitnet
