// Regular expressions over class bytes (unicode_classes.h). A tokenizer's expression, written for Unicode text in the
// dialect of Hugging Face tokenizers (Oniguruma), is rewritten into one over single bytes and compiled by PCRE2: no UTF
// mode, no dependence on PCRE2's own Unicode tables, and bytes that are no characters match as symbols.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace bitnet {

// The expression rewritten for class bytes. Throws BITNET_E_TOKENIZER naming the construct when it holds one that is
// not known to mean the same in both dialects; nothing is passed through unread.
std::string translate_regex(std::string_view regex);

class RegexMatcher;

// A compiled expression; immutable, for any number of matchers on any threads.
class ClassRegex {
public:
    explicit ClassRegex(std::string_view regex);
    ~ClassRegex();
    ClassRegex(ClassRegex&&) noexcept;
    ClassRegex& operator=(ClassRegex&&) noexcept;

private:
    friend class RegexMatcher;
    struct Compiled;
    std::unique_ptr<Compiled> compiled_;
};

// Finds matches of one ClassRegex; for one thread, reusable.
class RegexMatcher {
public:
    explicit RegexMatcher(const ClassRegex& regex);
    ~RegexMatcher();
    RegexMatcher(RegexMatcher&&) noexcept;
    RegexMatcher& operator=(RegexMatcher&&) noexcept;

    // The first match in subject at or after position `from`. Matches are never empty. Throws BITNET_E_TEXT when the
    // expression needs more steps than the limit on this text.
    bool find(std::string_view subject, size_t from, size_t& begin, size_t& end);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace bitnet
