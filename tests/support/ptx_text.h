// PTX as text: statements without their comments, and the words in them. Knows no instruction.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace test {

// Throws PtxError: "PTX line 12: `...`: what".
[[noreturn]] void fail_ptx(std::string_view text, uint32_t line, const std::string& what);

// Comments become spaces, so that lines keep their numbers.
std::string without_comments(std::string_view text);

// Reads a text from its beginning to its end.
class PtxReader {
public:
    explicit PtxReader(std::string_view text) : text_(text) {}

    // After the space that is next. '\0' at the end.
    char peek();
    bool at_end() { return peek() == '\0'; }
    bool take(char c);
    void require(char c);
    // Letters, digits and _$%. ; may be empty.
    std::string_view word();
    uint64_t number();
    // Up to one of the marks, which is taken too; the text lacks the space around it.
    std::string_view until(char mark);
    // The rest of the line.
    std::string_view rest_of_line();
    uint32_t line() const { return line_; }
    [[noreturn]] void fail(const std::string& what) const { fail_ptx(text_, line_, what); }

private:
    void skip_space();
    std::string_view text_;
    size_t at_ = 0;
    uint32_t line_ = 1;
};

// "a, {b, c}, [d+4]": what commas outside brackets part, without the space around it.
std::vector<std::string_view> split_operands(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char mark);
std::string_view trimmed(std::string_view text);
// A whole number of any base that PTX writes, its sign included; false where it is none.
bool read_number(std::string_view text, int64_t* number);
// Also 0f3f800000 and 0d...: the bits.
bool read_constant(std::string_view text, uint64_t* bits);

}  // namespace test
