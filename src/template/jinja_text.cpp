// Operations on marked texts. Each charges what it reads before it reads it.
#include "src/template/jinja_text.h"

#include <algorithm>
#include <iterator>

#include "src/base/utf8.h"
#include "src/tokenizer/unicode_classes.h"

namespace bitnet::jinja {
namespace {

struct CaseRange {
    uint32_t first, last, step;
    int32_t delta;
};
struct CaseSpecial {
    uint32_t code_point;
    std::string_view text;
};
#include "src/template/case_tables_data.inc"

// Appends the character in another case; false when it has none.
template <size_t N, size_t M>
bool map_case(std::string& out, uint32_t c, const CaseRange (&ranges)[N], const CaseSpecial (&special)[M]) {
    const auto* range = std::lower_bound(std::begin(ranges), std::end(ranges), c,
                                         [](const CaseRange& r, uint32_t x) { return r.last < x; });
    if (range != std::end(ranges) && c >= range->first && (c - range->first) % range->step == 0) {
        utf8_append(out, static_cast<uint32_t>(static_cast<int32_t>(c) + range->delta));
        return true;
    }
    const auto* entry = std::lower_bound(std::begin(special), std::end(special), c,
                                         [](const CaseSpecial& s, uint32_t x) { return s.code_point < x; });
    if (entry == std::end(special) || entry->code_point != c) return false;
    out += entry->text;
    return true;
}

bool map_case(std::string& out, uint32_t c, Case to) {
    if (c == kInvalidCodePoint) return false;
    switch (to) {
        case Case::upper: return map_case(out, c, kUpperRanges, kUpperSpecial);
        case Case::lower: return map_case(out, c, kLowerRanges, kLowerSpecial);
        case Case::title: {
            const auto* entry = std::lower_bound(std::begin(kTitleSpecial), std::end(kTitleSpecial), c,
                                                 [](const CaseSpecial& s, uint32_t x) { return s.code_point < x; });
            if (entry == std::end(kTitleSpecial) || entry->code_point != c) return map_case(out, c, Case::upper);
            out += entry->text;
            return true;
        }
    }
    return false;
}

bool has_case(uint32_t c) {
    std::string ignored;
    return map_case(ignored, c, Case::upper) || map_case(ignored, c, Case::lower);
}

// Calls choose(code point, index) -> Case for every character.
template <typename Choose>
MarkedText map_characters(const MarkedText& text, Budget& budget, Choose choose) {
    budget.charge(8 * text.size() + text.weight());
    MarkedText out;
    std::string changed;
    const std::string_view bytes = text.bytes();
    for (size_t at = 0; at < bytes.size();) {
        const Utf8Char c = utf8_decode(bytes.substr(at));
        changed.clear();
        if (map_case(changed, c.code_point, choose(c.code_point, at))) {
            out.append_like(changed, text, at, at + c.n_bytes);
        } else {
            out.append(text, at, at + c.n_bytes);
        }
        at += c.n_bytes;
    }
    return out;
}

bool is_line_end(uint32_t c) {
    return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

// Pieces of a text, each charged.
class Pieces {
public:
    Pieces(const MarkedText& text, Budget& budget) : text_(text), budget_(budget) {}
    void add(size_t begin, size_t end) {
        budget_.charge_elements(2);
        budget_.charge(2 * (end - begin));
        pieces_.push_back(text_.slice(begin, end));
    }
    bool has_reached(int64_t max_splits) const {
        return max_splits >= 0 && pieces_.size() >= static_cast<uint64_t>(max_splits);
    }
    std::vector<MarkedText> take() { return std::move(pieces_); }
    std::vector<MarkedText> take_reversed() {
        std::reverse(pieces_.begin(), pieces_.end());
        return std::move(pieces_);
    }

private:
    const MarkedText& text_;
    Budget& budget_;
    std::vector<MarkedText> pieces_;
};

}  // namespace

bool is_python_space(uint32_t c) noexcept { return is_unicode_space(c) || (c >= 0x1C && c <= 0x1F); }

// ---- searching ----

Finder::Finder(std::string_view needle) : needle_(needle) {
    if (needle.size() <= 16) return;
    borders_.resize(needle.size());
    for (uint32_t i = 1, border = 0; i < needle.size(); ++i) {
        while (border > 0 && needle[i] != needle[border]) border = borders_[border - 1];
        if (needle[i] == needle[border]) ++border;
        borders_[i] = border;
    }
}

size_t Finder::find(std::string_view text, size_t from) const {
    if (borders_.empty()) return text.find(needle_, from);
    size_t matched = 0;
    for (size_t i = from; i < text.size(); ++i) {
        while (matched > 0 && text[i] != needle_[matched]) matched = borders_[matched - 1];
        if (text[i] == needle_[matched]) ++matched;
        if (matched == needle_.size()) return i + 1 - matched;
    }
    return std::string_view::npos;
}

// ---- case ----

MarkedText change_case(const MarkedText& text, Case to, Budget& budget) {
    bool in_word = false;
    return map_characters(text, budget, [&](uint32_t c, size_t) {
        if (to != Case::title) return to;
        const Case choice = in_word ? Case::lower : Case::title;
        in_word = has_case(c);
        return choice;
    });
}

MarkedText capitalize(const MarkedText& text, Budget& budget) {
    return map_characters(text, budget, [](uint32_t, size_t at) { return at == 0 ? Case::title : Case::lower; });
}

MarkedText title_words(const MarkedText& text, Budget& budget) {
    bool begins = true;
    return map_characters(text, budget, [&](uint32_t c, size_t) {
        const Case choice = begins ? Case::upper : Case::lower;
        begins = is_python_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
        return choice;
    });
}

bool is_all(const MarkedText& text, Case in, Budget& budget) {
    budget.charge(8 * text.size());
    bool found = false;
    std::string ignored;
    std::string_view bytes = text.bytes();
    while (!bytes.empty()) {
        const Utf8Char c = utf8_decode(bytes);
        bytes.remove_prefix(c.n_bytes);
        if (map_case(ignored, c.code_point, in)) return false;
        found = found || has_case(c.code_point);
        ignored.clear();
    }
    return found;
}

// ---- ends ----

MarkedText strip(const MarkedText& text, Side side, bool has_set, std::string_view set, Budget& budget) {
    budget.charge(text.weight());
    const std::string_view bytes = text.bytes();
    size_t begin = 0;
    size_t end = bytes.size();
    const auto is_stripped = [&](std::string_view at) {
        const Utf8Char c = utf8_decode(at);
        if (!has_set) return is_python_space(c.code_point);
        budget.charge(set.size());
        const size_t found = set.find(at.substr(0, c.n_bytes));
        return found != std::string_view::npos;  // a whole character of UTF-8 is found only as one
    };
    if (side != Side::right) {
        while (begin < end && is_stripped(bytes.substr(begin, end - begin)))
            begin += utf8_decode(bytes.substr(begin)).n_bytes;
    }
    if (side != Side::left) {
        while (end > begin) {
            const size_t last = utf8_previous(bytes, end);
            if (last < begin || !is_stripped(bytes.substr(last, end - last))) break;
            end = last;
        }
    }
    return text.slice(begin, end);
}

// ---- splitting ----

std::vector<MarkedText> split(const MarkedText& text, std::string_view separator, int64_t max_splits, Budget& budget) {
    budget.charge(2 * text.weight() + 4 * separator.size());
    const Finder finder(separator);
    Pieces pieces(text, budget);
    size_t at = 0;
    while (!pieces.has_reached(max_splits)) {
        const size_t found = finder.find(text.bytes(), at);
        if (found == std::string::npos) break;
        pieces.add(at, found);
        at = found + separator.size();
    }
    pieces.add(at, text.size());
    return pieces.take();
}

std::vector<MarkedText> split_right(const MarkedText& text, std::string_view separator, int64_t max_splits,
                                    Budget& budget) {
    budget.charge(4 * text.weight() + 6 * separator.size());
    const std::string reversed_separator(separator.rbegin(), separator.rend());
    const std::string reversed(text.bytes().rbegin(), text.bytes().rend());
    const Finder finder(reversed_separator);
    Pieces pieces(text, budget);
    size_t at = 0;
    while (!pieces.has_reached(max_splits)) {
        const size_t found = finder.find(reversed, at);
        if (found == std::string::npos) break;
        pieces.add(text.size() - found, text.size() - at);
        at = found + separator.size();
    }
    pieces.add(0, text.size() - at);
    return pieces.take_reversed();
}

std::vector<MarkedText> split_space(const MarkedText& text, int64_t max_splits, bool from_right, Budget& budget) {
    budget.charge(2 * text.weight());
    const std::string_view bytes = text.bytes();
    std::vector<MarkedText::Run> words;
    for (size_t at = 0; at < bytes.size();) {
        const Utf8Char c = utf8_decode(bytes.substr(at));
        if (!is_python_space(c.code_point)) {
            if (words.empty() || words.back().end != at) {
                budget.charge_elements(1);
                words.push_back({at, at});
            }
            words.back().end = at + c.n_bytes;
        }
        at += c.n_bytes;
    }
    Pieces pieces(text, budget);
    if (from_right) {
        for (size_t i = words.size(); i-- > 0;) {
            if (pieces.has_reached(max_splits)) {
                pieces.add(0, words[i].end);
                break;
            }
            pieces.add(words[i].begin, words[i].end);
        }
        return pieces.take_reversed();
    }
    for (const MarkedText::Run& word : words) {
        if (pieces.has_reached(max_splits)) {
            pieces.add(word.begin, bytes.size());
            break;
        }
        pieces.add(word.begin, word.end);
    }
    return pieces.take();
}

std::vector<MarkedText> split_lines(const MarkedText& text, bool keep_ends, Budget& budget) {
    budget.charge(2 * text.weight());
    const std::string_view bytes = text.bytes();
    Pieces pieces(text, budget);
    size_t begin = 0;
    for (size_t at = 0; at < bytes.size();) {
        const Utf8Char c = utf8_decode(bytes.substr(at));
        const size_t line_end = at;
        at += c.n_bytes;
        if (!is_line_end(c.code_point)) continue;
        if (c.code_point == '\r' && at < bytes.size() && bytes[at] == '\n') ++at;
        pieces.add(begin, keep_ends ? at : line_end);
        begin = at;
    }
    if (begin < bytes.size()) pieces.add(begin, bytes.size());
    return pieces.take();
}

// ---- the rest ----

MarkedText replace(const MarkedText& text, const MarkedText& what, const MarkedText& with, int64_t count,
                   Budget& budget) {
    budget.charge(2 * text.weight() + 4 * what.size());
    const Finder finder(what.bytes());
    MarkedText out;
    size_t at = 0;
    for (int64_t n = 0; count < 0 || n < count; ++n) {
        const size_t found = finder.find(text.bytes(), at);
        if (found == std::string::npos) break;
        budget.charge(kStepCost + with.weight());
        out.append(text, at, found);
        out.append(with);
        at = found + what.size();
        if (what.size() != 0) continue;
        // Nothing is found before every character and at the end.
        if (at >= text.size()) return out;
        const size_t next = at + utf8_decode(std::string_view(text.bytes()).substr(at)).n_bytes;
        out.append(text, at, next);
        at = next;
    }
    out.append(text, at, text.size());
    return out;
}

size_t n_characters(std::string_view text) noexcept {
    size_t n = 0;
    for (; !text.empty(); ++n) text.remove_prefix(utf8_decode(text).n_bytes);
    return n;
}

size_t offset_of(std::string_view text, size_t character) noexcept {
    size_t at = 0;
    for (; character > 0 && at < text.size(); --character) at += utf8_decode(text.substr(at)).n_bytes;
    return at;
}

std::vector<MarkedText> characters(const MarkedText& text, Budget& budget) {
    Pieces pieces(text, budget);
    const std::string_view bytes = text.bytes();
    for (size_t at = 0; at < bytes.size();) {
        const size_t next = at + utf8_decode(bytes.substr(at)).n_bytes;
        pieces.add(at, next);
        at = next;
    }
    return pieces.take();
}

}  // namespace bitnet::jinja
