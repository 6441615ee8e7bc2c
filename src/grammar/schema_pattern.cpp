// The regular expressions of JSON schemas, as far as they are regular: characters, classes, groups, repetitions, alternatives.
// Each character is written as it stands inside a JSON string.
#include <utility>
#include <vector>

#include "src/base/error.h"
#include "src/base/utf8.h"
#include "src/grammar/grammar_ast.h"
#include "src/grammar/schema_text.h"

namespace bitnet {
namespace {

constexpr uint32_t kMaxGroups = 64;  // within each other

class PatternParser {
public:
    PatternParser(std::string_view pattern, const std::string& where) : text_(pattern), where_(where) {}

    std::string parse() {
        if (!take('^')) fail("it must begin with ^: what may stand before it is not known");
        std::string out = parse_choice(0);
        if (peek() == '|' || peek() == ')') fail("put alternatives in a group: ^(a|b)$");
        if (!take('$') || !done()) fail("it must end with $ and hold no other one");
        return out;
    }

private:
    [[noreturn]] void fail(const std::string& why, bitnet_status status = BITNET_E_CONFIG) const {
        throw Error(status, "JSON schema at " + where_ + ": the pattern cannot be used, at byte " +
                                std::to_string(at_) + ": " + why)
            .with_subject(where_);
    }
    bool done() const noexcept { return at_ >= text_.size(); }
    char peek() const noexcept { return done() ? '\0' : text_[at_]; }
    bool take(char c) noexcept {
        if (done() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    bool take(std::string_view part) noexcept {
        if (!text_.substr(at_).starts_with(part)) return false;
        at_ += part.size();
        return true;
    }

    std::string parse_choice(uint32_t depth) {
        if (depth > kMaxGroups) fail("groups are nested more than 64 deep", BITNET_E_SECURITY_INPUT);
        std::string out = parse_sequence(depth);
        while (depth > 0 && take('|')) out += " | " + parse_sequence(depth);
        return out;
    }

    std::string parse_sequence(uint32_t depth) {
        std::string out;
        while (!done() && peek() != '|' && peek() != ')' && !(peek() == '$' && at_ + 1 == text_.size())) {
            if (!out.empty()) out += ' ';
            out += parse_atom(depth);
            out += parse_repeat();
        }
        return out.empty() ? "\"\"" : out;
    }

    std::string parse_atom(uint32_t depth) {
        if (take('(')) {
            if (peek() == '?' && !take("?:")) fail("look-around and named groups are not supported");
            std::string out = "(" + parse_choice(depth + 1) + ")";
            if (!take(')')) fail("a group does not end");
            return out;
        }
        if (take('[')) return character(parse_class());
        if (take('.')) {
            CodePointSet line_ends;
            for (const uint32_t c : {0x0Au, 0x0Du, 0x2028u, 0x2029u}) line_ends.add(c, c);
            return character(line_ends.inverted());
        }
        const char c = peek();
        if (c == '^' || c == '$') fail("^ and $ may only stand at its ends");
        if (c == '*' || c == '+' || c == '?' || c == '{') fail("a repetition of nothing");
        return character(parse_character(false));
    }

    std::string character(const CodePointSet& set) const {
        std::string out = gbnf_json_character(set);
        if (out.empty()) fail("no character of a JSON string fits here");
        return out;
    }

    // A single character, or what an escape stands for.
    CodePointSet parse_character(bool in_class) {
        CodePointSet set;
        if (!take('\\')) {
            const Utf8Char c = utf8_decode(text_.substr(at_));
            at_ += c.n_bytes;
            set.add(c.code_point, c.code_point);
            return set;
        }
        if (done()) fail("a \\ at its end");
        const char c = text_[at_++];
        const auto one = [&](uint32_t code_point) { set.add(code_point, code_point); };
        switch (c) {
            case 'd':
            case 'D': set.add('0', '9'); break;
            case 'w':
            case 'W':
                set.add('0', '9');
                set.add('A', 'Z');
                set.add('a', 'z');
                one('_');
                break;
            case 's':
            case 'S':
                set.add(0x09, 0x0D);
                set.add(0x2000, 0x200A);
                for (const uint32_t space :
                     {0x20u, 0xA0u, 0x1680u, 0x2028u, 0x2029u, 0x202Fu, 0x205Fu, 0x3000u, 0xFEFFu})
                    one(space);
                break;
            case 'n': one('\n'); break;
            case 'r': one('\r'); break;
            case 't': one('\t'); break;
            case 'f': one('\f'); break;
            case 'v': one('\v'); break;
            case 'x': one(parse_hex(2)); break;
            case 'u': one(parse_hex(4)); break;
            default: {
                const bool is_word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
                if (c == 'b' && in_class) {
                    one('\b');
                } else if (is_word || static_cast<uint8_t>(c) >= 0x80) {
                    fail(std::string("the escape \\") + (is_word ? std::string(1, c) : "") + " is not supported");
                } else {
                    one(static_cast<uint32_t>(c));
                }
            }
        }
        return c == 'D' || c == 'W' || c == 'S' ? set.inverted() : set;
    }

    uint32_t parse_hex(int n_digits) {
        uint32_t value = 0;
        for (int i = 0; i < n_digits; ++i) {
            const char c = peek();
            const int digit = c >= '0' && c <= '9'   ? c - '0'
                              : c >= 'a' && c <= 'f' ? c - 'a' + 10
                              : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                     : -1;
            if (digit < 0) fail("an escape needs " + std::to_string(n_digits) + " hexadecimal digits");
            value = value << 4 | static_cast<uint32_t>(digit);
            ++at_;
        }
        if (is_surrogate(value)) fail("half of a surrogate pair is no character; write the character itself");
        return value;
    }

    CodePointSet parse_class() {
        const bool negated = take('^');
        CodePointSet set;
        while (!take(']')) {
            if (done()) fail("a class does not end");
            const CodePointSet first = parse_character(true);
            if (peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
                ++at_;
                const CodePointSet last = parse_character(true);
                const auto is_one = [](const CodePointSet& s) {
                    return s.ranges().size() == 1 && s.ranges()[0].first == s.ranges()[0].last;
                };
                if (!is_one(first) || !is_one(last)) fail("a range in a class goes from one character to another");
                if (last.ranges()[0].first < first.ranges()[0].first) fail("a range ends before it begins");
                set.add(first.ranges()[0].first, last.ranges()[0].first);
            } else {
                set.add(first);
            }
        }
        return negated ? set.inverted() : set;
    }

    std::string parse_repeat() {
        std::string out;
        if (peek() == '*' || peek() == '+' || peek() == '?') {
            if (done()) return out;
            out = text_[at_++];
        } else if (take('{')) {
            out = "{" + parse_count();
            if (take(',')) out += "," + (peek() == '}' ? std::string() : parse_count());
            if (!take('}')) fail("a repetition does not end");
            out += '}';
        }
        // Lazy or not, the texts are the same.
        if (!out.empty() && take('?')) return out;
        if (!out.empty() && (peek() == '*' || peek() == '+' || peek() == '{')) fail("a repetition of a repetition");
        return out;
    }

    std::string parse_count() {
        const size_t begin = at_;
        while (peek() >= '0' && peek() <= '9') ++at_;
        if (at_ == begin) fail("a count is missing");
        if (at_ - begin > 5) fail("at most 65535 repetitions are possible", BITNET_E_SECURITY_INPUT);
        return std::string(text_.substr(begin, at_ - begin));
    }

    std::string_view text_;
    const std::string& where_;
    size_t at_ = 0;
};

}  // namespace

std::string gbnf_pattern(std::string_view pattern, const std::string& where) {
    return PatternParser(pattern, where).parse();
}

}  // namespace bitnet
