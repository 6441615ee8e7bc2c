// translate_regex: reads the Oniguruma dialect construct by construct and writes every character, escape, property and
// set as a set of class bytes. What is not on the list is refused, so no expression can silently mean something else.
#include <algorithm>
#include <cctype>

#include "src/base/error.h"
#include "src/tokenizer/class_regex.h"
#include "src/tokenizer/quote_text.h"
#include "src/tokenizer/unicode_classes.h"

namespace bitnet {
namespace {

constexpr size_t kMaxRegexBytes = 16384;
constexpr int kMaxGroupDepth = 32;
constexpr int kMaxRepeat = 1000;

size_t first_byte(const ByteSet& set) {
    size_t byte = 0;
    while (byte < set.size() && !set[byte]) ++byte;
    return byte;
}

class Translator {
public:
    explicit Translator(std::string_view regex) : regex_(regex) {}

    std::string run() {
        if (regex_.empty() || regex_.size() > kMaxRegexBytes) fail("a length of 0 or more than 16384 bytes");
        alternatives(false, 0);
        if (at_ < regex_.size()) fail("')' without '('");
        return std::move(out_);
    }

private:
    [[noreturn]] void fail(const std::string& what) const {
        throw Error(BITNET_E_TOKENIZER, "the pre-tokenizer's regular expression uses " + what + " at byte " +
                                            std::to_string(at_) +
                                            ", which is not supported: " + quote_text(regex_, 120));
    }

    bool more() const { return at_ < regex_.size(); }
    bool accept(std::string_view token) {
        if (regex_.substr(at_, token.size()) != token) return false;
        at_ += token.size();
        return true;
    }
    bool peek(std::string_view token) const { return regex_.substr(at_, token.size()) == token; }

    // Everything up to the end of the expression or an unmatched ')'.
    void alternatives(bool ignore_case, int depth) {
        if (depth > kMaxGroupDepth) fail("groups nested too deeply");
        while (more() && !peek(")")) {
            if (accept("|")) {
                out_ += '|';
            } else if (peek("(")) {
                group(ignore_case, depth);
                quantifier();
            } else {
                if (ignore_case) refuse_foldable_pair();
                write_set(atom(ignore_case));
                quantifier();
            }
        }
    }

    // Without regard to case Oniguruma lets one character match two letters: U+00DF is "ss", U+FB01 is "fi".
    void refuse_foldable_pair() const {
        std::string pair(regex_.substr(at_, 2));
        for (char& c : pair) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        if (pair == "ss" || pair == "st" || pair == "ff" || pair == "fi" || pair == "fl") {
            fail("letters with a ligature ('" + pair + "') without regard to case");
        }
    }

    void group(bool ignore_case, int depth) {
        static constexpr std::string_view kOpeners[] = {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>"};
        const auto* opener = std::find_if(std::begin(kOpeners), std::end(kOpeners), [&](auto o) { return peek(o); });
        if (opener != std::end(kOpeners)) {
            at_ += opener->size();
            out_ += *opener;
        } else if (accept("(?i:")) {
            ignore_case = true;
            out_ += "(?:";
        } else if (peek("(?")) {
            fail("the group " + quote_text(regex_.substr(at_, 4)));
        } else {
            ++at_;
            out_ += "(?:";  // captures are of no use here
        }
        alternatives(ignore_case, depth + 1);
        if (!accept(")")) fail("'(' without ')'");
        out_ += ')';
    }

    int number() {
        int value = 0;
        const size_t start = at_;
        while (more() && std::isdigit(static_cast<unsigned char>(regex_[at_])) && value <= kMaxRepeat) {
            value = value * 10 + (regex_[at_++] - '0');
        }
        if (at_ == start || value > kMaxRepeat) fail("a repeat count that is missing or above 1000");
        return value;
    }

    void quantifier() {
        if (!more()) return;
        if (peek("?") || peek("*") || peek("+")) {
            out_ += regex_[at_++];
            if (more() && (peek("?") || peek("+"))) out_ += regex_[at_++];  // lazy, possessive
        } else if (accept("{")) {
            const int low = number();
            out_ += '{' + std::to_string(low);
            if (accept(",")) {
                out_ += ',';
                if (!peek("}")) {
                    const int high = number();
                    if (high < low) fail("a repeat range that ends before it starts");
                    out_ += std::to_string(high);
                }
            }
            if (!accept("}")) fail("'{' without '}'");
            out_ += '}';
            if (accept("?")) out_ += '?';
        } else {
            return;
        }
        if (peek("?") || peek("*") || peek("+") || peek("{")) fail("a repeat of a repeat");
    }

    ByteSet letter(char c, bool ignore_case) const {
        ByteSet set;
        set.set(static_cast<uint8_t>(c));
        if (ignore_case && std::isalpha(static_cast<unsigned char>(c))) {
            const char lower = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
            set.set(static_cast<uint8_t>(lower));
            set.set(static_cast<uint8_t>(lower - 'a' + 'A'));
            if (lower == 's') set.set(0x80 + static_cast<uint8_t>(CharClass::long_s));
            if (lower == 'k') set.set(0x80 + static_cast<uint8_t>(CharClass::kelvin));
        }
        return set;
    }

    ByteSet atom(bool ignore_case) {
        const char c = regex_[at_];
        if (static_cast<unsigned char>(c) >= 0x80) fail("a character outside ASCII");
        if (c == '[') return bracket(ignore_case);
        if (c == '\\') return escape(ignore_case);
        if (c == '^' || c == '$') fail(std::string("the anchor '") + c + "'");
        if (c == '?' || c == '*' || c == '+' || c == '{') fail("a repeat of nothing");
        ++at_;
        if (c == '.') {
            ByteSet set = all_class_bytes();
            return set.reset('\n');
        }
        return letter(c, ignore_case);
    }

    // \p{Lu}, \P{L}, \p{^N}: a general category; "hf_..." are the sets of two Hugging Face pre-tokenizers.
    ByteSet property(bool negate) {
        if (!accept("{")) fail("a property without braces");
        if (accept("^")) negate = !negate;
        const size_t end = regex_.find('}', at_);
        const std::string name(regex_.substr(at_, end == std::string_view::npos ? end : end - at_));
        ByteSet set;
        const bool allowed = name.size() <= 2 || name == "hf_punctuation" || name == "hf_digit";
        if (end == std::string_view::npos || !allowed || !property_bytes(name, set)) {
            fail("the property " + quote_text(name, 20));
        }
        at_ = end + 1;
        return negate ? all_class_bytes() & ~set : set;
    }

    ByteSet named(std::string_view name, bool negate) const {
        ByteSet set;
        property_bytes(name, set);
        return negate ? all_class_bytes() & ~set : set;
    }

    ByteSet escape(bool ignore_case) {
        ++at_;
        if (!more()) fail("'\\' at the end");
        const char c = regex_[at_++];
        switch (c) {
            case 'p': return property(false);
            case 'P': return property(true);
            case 's': return named("space", false);
            case 'S': return named("space", true);
            case 'd': return named("Nd", false);
            case 'D': return named("Nd", true);
            case 'r': return letter('\r', false);
            case 'n': return letter('\n', false);
            case 't': return letter('\t', false);
            case 'f': return letter('\f', false);
            default: break;
        }
        if (std::isalnum(static_cast<unsigned char>(c)) || static_cast<unsigned char>(c) >= 0x80) {
            --at_;
            fail("the escape " + quote_text(regex_.substr(at_ - 1, 2)));
        }
        return letter(c, ignore_case);
    }

    ByteSet bracket(bool ignore_case) {
        ++at_;
        const bool negate = accept("^");
        ByteSet set;
        bool first = true;
        while (true) {
            if (!more()) fail("'[' without ']'");
            if (peek("]") && !first) break;
            if (peek("[") || peek("&&")) fail("a set inside a set");
            if (peek("]")) fail("an empty set");
            first = false;
            if (static_cast<unsigned char>(regex_[at_]) >= 0x80) fail("a character outside ASCII");
            const ByteSet low = regex_[at_] == '\\' ? escape(ignore_case) : letter(regex_[at_++], ignore_case);
            if (!peek("-") || regex_.substr(at_, 2) == "-]") {
                set |= low;
                continue;
            }
            ++at_;
            if (!more() || peek("[")) fail("an unfinished range");
            const ByteSet high = regex_[at_] == '\\' ? escape(false) : atom_in_range();
            set |= range(low, high, ignore_case);
        }
        ++at_;
        return negate ? all_class_bytes() & ~set : set;
    }

    ByteSet atom_in_range() {
        if (static_cast<unsigned char>(regex_[at_]) >= 0x80) fail("a character outside ASCII");
        return letter(regex_[at_++], false);
    }

    ByteSet range(const ByteSet& low, const ByteSet& high, bool ignore_case) const {
        if (ignore_case) fail("a range without regard to case");
        if (low.count() != 1 || high.count() != 1) fail("a range between things that are not single characters");
        const size_t from = first_byte(low);
        const size_t to = first_byte(high);
        if (from > to) fail("a range that ends before it starts");
        ByteSet set;
        for (size_t byte = from; byte <= to; ++byte) set.set(byte);
        return set;
    }

    void write_byte(size_t byte) {
        static constexpr char kHex[] = "0123456789abcdef";
        out_ += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    }

    void write_set(const ByteSet& set) {
        if (set.none()) fail("a set that nothing matches");
        if (set.count() == 1) {
            write_byte(first_byte(set));
            return;
        }
        out_ += '[';
        for (size_t byte = 0; byte < 256; ++byte) {
            if (!set[byte]) continue;
            size_t last = byte;
            while (last + 1 < 256 && set[last + 1]) ++last;
            write_byte(byte);
            if (last > byte) {
                if (last > byte + 1) out_ += '-';
                write_byte(last);
            }
            byte = last;
        }
        out_ += ']';
    }

    std::string_view regex_;
    size_t at_ = 0;
    std::string out_;
};

}  // namespace

std::string translate_regex(std::string_view regex) { return Translator(regex).run(); }

}  // namespace bitnet
