// The class of every character, from one committed table (Unicode 16.0), so that tokens do not depend on the Unicode
// version of a library that happens to be installed. Text is turned into "class bytes", one byte per character: ASCII
// characters stand for themselves, all others become 0x80 + their class. Regular expressions run on class bytes.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>

namespace bitnet {

// General categories, then characters that some rule treats apart from their category. unicode_classes.py has the same
// list and writes the data.
enum class CharClass : uint8_t {
    Lu,
    Ll,
    Lt,
    Lm,
    Lo,
    Mn,
    Mc,
    Me,
    Nd,
    Nl,
    No,
    Pc,
    Pd,
    Ps,
    Pe,
    Pi,
    Pf,
    Po,
    Sm,
    Sc,
    Sk,
    So,
    Zs,
    Zl,
    Zp,
    Cc,
    Cf,
    Co,
    Cn,
    invalid_byte,    // a byte that is no character: a symbol of its own, as U+FFFD would be
    next_line,       // U+0085: a control character that is white space
    long_s,          // U+017F: Ll, equals s without regard to case
    kelvin,          // U+212A: Lu, equals k without regard to case
    circled_letter,  // So, but alphabetic
    joiner,          // U+200C and U+200D: Cf, but word characters
    Po_late,
    Pd_late,
    Ps_late,
    Pe_late,  // punctuation that Hugging Face's "Punctuation" does not know
    So_early_punct,
    Mn_early_punct,  // not punctuation today, but for Hugging Face's "Punctuation"
    Cn_late_digit,   // unassigned in Unicode 16, a digit for Hugging Face's "Digits"
    count
};

using ByteSet = std::bitset<256>;

// The class byte of a code point, or of kInvalidCodePoint.
uint8_t class_byte(uint32_t code_point) noexcept;
// Appends the class bytes of text, one per character.
void append_class_bytes(std::string& out, std::string_view text);

// The class bytes that characters of a property have: a general category ("Lu"), its first letter alone ("L"), or
// "space", "word" (what \w is for Rust), "hf_punctuation", "hf_digit". False for a name that is none of these.
bool property_bytes(std::string_view name, ByteSet& out);
// All bytes that occur as class bytes; a negated set is complemented within these.
const ByteSet& all_class_bytes();

// White_Space of Unicode, what \s is for Hugging Face tokenizers.
bool is_unicode_space(uint32_t code_point) noexcept;
// \w as Rust's regex crate has it.
bool is_word_char(uint32_t code_point) noexcept;

}  // namespace bitnet
