// Between tags everything is data; inside tags the usual small tokens. What a tag does to the white space around it is settled
// here, so the parser never sees it.
#include "src/template/jinja_lexer.h"

#include <algorithm>

#include "src/base/error.h"
#include "src/tokenizer/quote_text.h"

namespace bitnet::jinja {
namespace {

// Longest first.
constexpr std::string_view kOperators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
                                           "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_begin(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_char(char c) { return is_name_begin(c) || is_digit(c); }

class Lexer {
public:
    explicit Lexer(std::string_view source) : source_(source) {}

    std::vector<Token> run() {
        while (at_ < source_.size()) {
            const size_t tag = find_tag();
            if (tag == source_.size()) {
                data(at_, tag);
                at_ = tag;
                break;
            }
            const char kind = source_[tag + 1];
            size_t inside = tag + 2;
            const char sign =
                inside < source_.size() && (source_[inside] == '-' || source_[inside] == '+') ? source_[inside] : ' ';
            if (sign != ' ') ++inside;
            data(at_, end_of_data(tag, kind, sign));
            at_ = inside;
            if (kind == '#') {
                comment(tag);
            } else if (kind == '%' && at_raw()) {
                raw(tag);
            } else {
                inside_tag(tag, kind == '%');
            }
        }
        add(TokenType::end, source_.size(), source_.size());
        return std::move(tokens_);
    }

private:
    size_t find_tag() const {
        for (size_t i = source_.find('{', at_); i != std::string_view::npos; i = source_.find('{', i + 1)) {
            if (i + 1 == source_.size()) break;
            const char next = source_[i + 1];
            if (next == '{' || next == '%' || next == '#') return i;
        }
        return source_.size();
    }

    // Where the data before a tag ends, once the tag has taken its white space.
    size_t end_of_data(size_t tag, char kind, char sign) const {
        size_t end = tag;
        if (sign == '-') {
            while (end > at_ && is_ascii_space(source_[end - 1])) --end;
        } else if (sign != '+' && kind != '{') {
            while (end > at_ && is_ascii_space(source_[end - 1]) && source_[end - 1] != '\n') --end;
            const bool begins_line = end == 0 || source_[end - 1] == '\n';
            if (!begins_line) return tag;
        }
        return end;
    }

    // The end of a tag at `at`: its bytes and the white space it takes; 0 when there is none.
    size_t tag_end(size_t at, std::string_view mark, bool takes_newline) const {
        const std::string_view rest = source_.substr(at);
        if (rest.starts_with('-') && rest.substr(1).starts_with(mark)) {
            size_t n = 1 + mark.size();
            while (n < rest.size() && is_ascii_space(rest[n])) ++n;
            return n;
        }
        if (takes_newline && rest.starts_with('+') && rest.substr(1).starts_with(mark)) return 1 + mark.size();
        if (!rest.starts_with(mark)) return 0;
        return mark.size() + (takes_newline && rest.substr(mark.size()).starts_with('\n') ? 1 : 0);
    }

    void comment(size_t tag) {
        const size_t close = source_.find("#}", at_);
        if (close == std::string_view::npos) syntax_error(source_, tag, "this comment has no end");
        const bool has_sign = close > at_ && (source_[close - 1] == '-' || source_[close - 1] == '+');
        const size_t end = close - (has_sign ? 1 : 0);
        at_ = end + tag_end(end, "#}", true);
    }

    size_t skip_space(size_t at) const {
        while (at < source_.size() && is_ascii_space(source_[at])) ++at;
        return at;
    }
    // After "{%": the position behind "raw" and the end of its tag, 0 when this is another tag.
    size_t raw_tag(size_t at, std::string_view word, bool takes_newline) const {
        at = skip_space(at);
        if (!source_.substr(at).starts_with(word)) return 0;
        at = skip_space(at + word.size());
        const size_t n = at < source_.size() ? tag_end(at, "%}", takes_newline) : 0;
        return n != 0 ? at + n : 0;
    }
    bool at_raw() const { return raw_tag(at_, "raw", false) != 0; }
    void raw(size_t tag) {
        at_ = raw_tag(at_, "raw", false);
        for (size_t i = source_.find("{%", at_); i != std::string_view::npos; i = source_.find("{%", i + 1)) {
            size_t inside = i + 2;
            const char sign =
                inside < source_.size() && (source_[inside] == '-' || source_[inside] == '+') ? source_[inside] : ' ';
            if (sign != ' ') ++inside;
            const size_t end = raw_tag(inside, "endraw", true);
            if (end == 0) continue;
            data(at_, end_of_data(i, '%', sign));
            at_ = end;
            return;
        }
        syntax_error(source_, tag, "this raw block has no end");
    }

    void inside_tag(size_t tag, bool is_block) {
        add(is_block ? TokenType::block_begin : TokenType::variable_begin, tag, at_);
        const std::string_view mark = is_block ? "%}" : "}}";
        std::string brackets;
        while (true) {
            at_ = skip_space(at_);
            if (at_ >= source_.size()) syntax_error(source_, tag, "this tag has no end");
            if (brackets.empty()) {
                if (const size_t n = tag_end(at_, mark, is_block); n != 0) {
                    add(is_block ? TokenType::block_end : TokenType::variable_end, at_, at_ + n);
                    at_ += n;
                    return;
                }
            }
            token(brackets);
        }
    }

    void token(std::string& brackets) {
        const char c = source_[at_];
        if (is_name_begin(c)) {
            size_t end = at_ + 1;
            while (end < source_.size() && is_name_char(source_[end])) ++end;
            take(TokenType::name, end);
        } else if (is_digit(c)) {
            number();
        } else if (c == '\'' || c == '"') {
            string(c);
        } else {
            const std::string_view rest = source_.substr(at_);
            const auto* op = std::find_if(std::begin(kOperators), std::end(kOperators),
                                          [&](std::string_view o) { return rest.starts_with(o); });
            if (op == std::end(kOperators))
                syntax_error(source_, at_, "unexpected character " + quote_text(rest.substr(0, 1)));
            balance(c, brackets);
            take(TokenType::op, at_ + op->size());
        }
    }

    void balance(char c, std::string& brackets) const {
        if (c == '(') brackets.push_back(')');
        if (c == '[') brackets.push_back(']');
        if (c == '{') brackets.push_back('}');
        if (c != ')' && c != ']' && c != '}') return;
        if (brackets.empty() || brackets.back() != c) {
            syntax_error(source_, at_,
                         brackets.empty() ? std::string("unexpected '") + c + "'"
                                          : std::string("expected '") + brackets.back() + "', found '" + c + "'");
        }
        brackets.pop_back();
    }

    size_t digits(size_t at) const {
        while (at < source_.size() && (is_digit(source_[at]) ||
                                       (source_[at] == '_' && at + 1 < source_.size() && is_digit(source_[at + 1])))) {
            ++at;
        }
        return at;
    }
    bool digit_at(size_t at) const { return at < source_.size() && is_digit(source_[at]); }
    void number() {
        size_t end = digits(at_);
        bool is_real = false;
        const bool after_dot = at_ > 0 && source_[at_ - 1] == '.';
        if (!after_dot && end < source_.size() && source_[end] == '.' && digit_at(end + 1)) {
            end = digits(end + 1);
            is_real = true;
        }
        if (!after_dot && end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
            const size_t power =
                end + 1 < source_.size() && (source_[end + 1] == '+' || source_[end + 1] == '-') ? end + 2 : end + 1;
            if (digit_at(power)) {
                end = digits(power);
                is_real = true;
            }
        }
        if (end < source_.size() && is_name_begin(source_[end]))
            syntax_error(source_, at_, "a number that goes on with letters");
        take(is_real ? TokenType::real : TokenType::integer, end);
    }

    void string(char quote) {
        size_t end = at_ + 1;
        while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
        if (end >= source_.size()) syntax_error(source_, at_, "this text has no closing quote");
        add(TokenType::string, at_ + 1, end);
        at_ = end + 1;
    }

    void take(TokenType type, size_t end) {
        add(type, at_, end);
        at_ = end;
    }
    void data(size_t begin, size_t end) {
        if (begin < end) add(TokenType::data, begin, end);
    }
    void add(TokenType type, size_t begin, size_t end) {
        line_ += static_cast<uint32_t>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(counted_),
                                                  source_.begin() + static_cast<std::ptrdiff_t>(begin), '\n'));
        counted_ = begin;
        tokens_.push_back({type, static_cast<uint32_t>(begin), line_, source_.substr(begin, end - begin)});
    }

    std::string_view source_;
    size_t at_ = 0;
    size_t counted_ = 0;  // lines before this offset are in line_
    uint32_t line_ = 1;
    std::vector<Token> tokens_;
};

}  // namespace

bool is_ascii_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r') || (c >= '\x1C' && c <= '\x1F'); }

std::string normalize_source(std::string_view source) {
    std::string out;
    out.reserve(source.size());
    for (size_t i = 0; i < source.size(); ++i) {
        if (source[i] != '\r') {
            out.push_back(source[i]);
            continue;
        }
        out.push_back('\n');
        if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    }
    if (out.ends_with('\n')) out.pop_back();
    return out;
}

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

void syntax_error(std::string_view source, size_t offset, const std::string& what) {
    const std::string_view before = source.substr(0, offset);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const size_t newline = before.rfind('\n');
    const size_t column = newline == std::string_view::npos ? offset + 1 : offset - newline;
    throw Error(BITNET_E_CONFIG,
                "the chat template, line " + std::to_string(line) + ", column " + std::to_string(column) + ": " + what)
        .with_offset(offset);
}

}  // namespace bitnet::jinja
