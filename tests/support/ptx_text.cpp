// See ptx_text.h.
#include "tests/support/ptx_text.h"

#include <algorithm>
#include <charconv>

#include "tests/support/ptx_program.h"

namespace test {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
           c == '%' || c == '.';
}

bool read_digits(std::string_view digits, int base, uint64_t* number) {
    const char* const end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, *number, base);
    return error == std::errc() && stop == end;
}

}  // namespace

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

[[noreturn]] void fail_ptx(std::string_view text, uint32_t line, const std::string& what) {
    for (uint32_t i = 1; i < line; ++i) text.remove_prefix(std::min(text.size(), text.find('\n') + 1));
    throw PtxError("PTX line " + std::to_string(line) + ": `" + std::string(trimmed(text.substr(0, text.find('\n')))) +
                   "`: " + what);
}

std::string without_comments(std::string_view text) {
    std::string bare(text);
    for (size_t i = 0; i + 1 < bare.size(); ++i) {
        if (bare[i] != '/' || (bare[i + 1] != '/' && bare[i + 1] != '*')) continue;
        const bool block = bare[i + 1] == '*';
        size_t end = block ? bare.find("*/", i + 2) : bare.find('\n', i);
        end = end == std::string::npos ? bare.size() : end + (block ? 2 : 0);
        for (; i < end; ++i) {
            if (bare[i] != '\n') bare[i] = ' ';
        }
    }
    return bare;
}

void PtxReader::skip_space() {
    for (; at_ < text_.size() && is_space(text_[at_]); ++at_) line_ += text_[at_] == '\n' ? 1 : 0;
}

char PtxReader::peek() {
    skip_space();
    return at_ < text_.size() ? text_[at_] : '\0';
}

bool PtxReader::take(char c) {
    if (peek() != c || c == '\0') return false;
    ++at_;
    return true;
}

void PtxReader::require(char c) {
    if (!take(c)) fail(std::string("a ") + c + " is missing");
}

std::string_view PtxReader::word() {
    skip_space();
    const size_t begin = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
}

uint64_t PtxReader::number() {
    uint64_t value = 0;
    if (const std::string_view digits = word(); !read_digits(digits, 10, &value)) fail("a number is missing");
    return value;
}

std::string_view PtxReader::until(char mark) {
    skip_space();
    const size_t begin = at_;
    const size_t end = text_.find(mark, at_);
    if (end == std::string_view::npos) fail(std::string("a ") + mark + " is missing");
    line_ += static_cast<uint32_t>(
        std::count(text_.begin() + static_cast<ptrdiff_t>(begin), text_.begin() + static_cast<ptrdiff_t>(end), '\n'));
    at_ = end + 1;
    return trimmed(text_.substr(begin, end - begin));
}

std::string_view PtxReader::rest_of_line() {
    const size_t begin = at_;
    at_ = std::min(text_.size(), text_.find('\n', at_));
    return trimmed(text_.substr(begin, at_ - begin));
}

std::vector<std::string_view> split_operands(std::string_view text) {
    std::vector<std::string_view> parts;
    if (trimmed(text).empty()) return parts;
    size_t begin = 0;
    int depth = 0;
    for (size_t i = 0; i <= text.size(); ++i) {
        if (i == text.size() || (text[i] == ',' && depth == 0)) {
            parts.push_back(trimmed(text.substr(begin, i - begin)));
            begin = i + 1;
        } else if (text[i] == '{' || text[i] == '[') {
            ++depth;
        } else if (text[i] == '}' || text[i] == ']') {
            --depth;
        }
    }
    return parts;
}

std::vector<std::string_view> split(std::string_view text, char mark) {
    std::vector<std::string_view> parts;
    for (;;) {
        const size_t at = text.find(mark);
        parts.push_back(text.substr(0, at));
        if (at == std::string_view::npos) return parts;
        text.remove_prefix(at + 1);
    }
}

bool read_number(std::string_view text, int64_t* number) {
    const bool negative = !text.empty() && text.front() == '-';
    if (negative) text.remove_prefix(1);
    if (!text.empty() && text.back() == 'U') text.remove_suffix(1);
    const bool hexadecimal = text.substr(0, 2) == "0x" || text.substr(0, 2) == "0X";
    if (hexadecimal) text.remove_prefix(2);
    uint64_t value = 0;
    if (!read_digits(text, hexadecimal ? 16 : 10, &value)) return false;
    *number = static_cast<int64_t>(negative ? 0 - value : value);
    return true;
}

bool read_constant(std::string_view text, uint64_t* bits) {
    const std::string_view kind = text.substr(0, 2);
    if ((kind == "0f" || kind == "0F") && text.size() == 10) return read_digits(text.substr(2), 16, bits);
    if ((kind == "0d" || kind == "0D") && text.size() == 18) return read_digits(text.substr(2), 16, bits);
    int64_t number = 0;
    if (!read_number(text, &number)) return false;
    *bits = static_cast<uint64_t>(number);
    return true;
}

}  // namespace test
