// Python's operations on texts, each keeping the marks of the bytes it keeps. Positions and lengths are in characters where
// Python's are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/template/jinja_budget.h"
#include "src/template/marked_text.h"

namespace bitnet::jinja {

// Finds one text in others, in linear time whatever both are.
class Finder {
public:
    explicit Finder(std::string_view needle);
    // The first occurrence at or after from; npos when there is none.
    size_t find(std::string_view text, size_t from) const;

private:
    std::string_view needle_;
    std::vector<uint32_t> borders_;  // for long needles
};

enum class Case : uint8_t { upper, lower, title };
// Upper or lower case of every character; for title of the first character of every word, lower case elsewhere.
MarkedText change_case(const MarkedText& text, Case to, Budget& budget);
// The first character in title case, the rest in lower case.
MarkedText capitalize(const MarkedText& text, Budget& budget);
// As the filter title does: a word begins after one of - ( { [ < or white space.
MarkedText title_words(const MarkedText& text, Budget& budget);
// True when a character has another case, and all that have are in the given one.
bool is_all(const MarkedText& text, Case in, Budget& budget);

enum class Side : uint8_t { both, left, right };
// Without the characters of `set` at the ends; without white space where has_set is false.
MarkedText strip(const MarkedText& text, Side side, bool has_set, std::string_view set, Budget& budget);

// At most max_splits from the left or the right; -1: no limit.
std::vector<MarkedText> split(const MarkedText& text, std::string_view separator, int64_t max_splits, Budget& budget);
std::vector<MarkedText> split_right(const MarkedText& text, std::string_view separator, int64_t max_splits,
                                    Budget& budget);
std::vector<MarkedText> split_space(const MarkedText& text, int64_t max_splits, bool from_right, Budget& budget);
std::vector<MarkedText> split_lines(const MarkedText& text, bool keep_ends, Budget& budget);

// At most `count` times; -1: everywhere.
MarkedText replace(const MarkedText& text, const MarkedText& what, const MarkedText& with, int64_t count,
                   Budget& budget);

size_t n_characters(std::string_view text) noexcept;
// The byte offset of a character, text.size() for one behind the end.
size_t offset_of(std::string_view text, size_t character) noexcept;
std::vector<MarkedText> characters(const MarkedText& text, Budget& budget);
bool is_python_space(uint32_t code_point) noexcept;

}  // namespace bitnet::jinja
