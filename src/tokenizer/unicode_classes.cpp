// A two-stage table made from the committed runs at first use: 4352 block numbers, then blocks of 256 classes. Most of
// the space is uniform, so about 200 blocks (50 KB) hold all of Unicode.
#include "src/tokenizer/unicode_classes.h"

#include <array>
#include <cstddef>
#include <vector>

#include "src/base/utf8.h"

namespace bitnet {
namespace {

constexpr uint32_t kRuns[] = {
#include "src/tokenizer/unicode_classes_data.inc"
};
constexpr uint32_t kAlternating = 63;  // Lu, Ll, Lu, ...
constexpr size_t kNumClasses = static_cast<size_t>(CharClass::count);
constexpr std::string_view kNames[kNumClasses] = {"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No",
                                                  "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So",
                                                  "Zs", "Zl", "Zp", "Cc", "Cf", "Co", "Cn", "So", "Cc", "Ll", "Lu",
                                                  "So", "Cf", "Po", "Pd", "Ps", "Pe", "So", "Mn", "Cn"};
static_assert(kNumClasses <= 63, "a class must fit 6 bits and leave room for kAlternating");

struct ClassTable {
    std::array<uint16_t, 0x1100> block_of{};
    std::vector<uint8_t> blocks;

    ClassTable() {
        std::array<int, kNumClasses> uniform_block;
        uniform_block.fill(-1);
        size_t run = 0;
        for (uint32_t block = 0; block < block_of.size(); ++block) {
            std::array<uint8_t, 256> classes;
            bool uniform = true;
            for (uint32_t i = 0; i < 256; ++i) {
                const uint32_t code_point = block * 256 + i;
                while (run + 1 < std::size(kRuns) && kRuns[run + 1] / 64 <= code_point) ++run;
                uint32_t value = kRuns[run] % 64;
                if (value == kAlternating) value = (code_point - kRuns[run] / 64) % 2;
                classes[i] = static_cast<uint8_t>(value);
                uniform = uniform && classes[i] == classes[0];
            }
            if (uniform && uniform_block[classes[0]] >= 0) {
                block_of[block] = static_cast<uint16_t>(uniform_block[classes[0]]);
                continue;
            }
            block_of[block] = static_cast<uint16_t>(blocks.size() / 256);
            if (uniform) uniform_block[classes[0]] = block_of[block];
            blocks.insert(blocks.end(), classes.begin(), classes.end());
        }
    }

    uint8_t class_byte(uint32_t code_point) const noexcept {
        if (code_point < 0x80) return static_cast<uint8_t>(code_point);
        if (code_point > 0x10FFFF) return static_cast<uint8_t>(0x80 + static_cast<uint8_t>(CharClass::invalid_byte));
        return static_cast<uint8_t>(0x80 + blocks[size_t{block_of[code_point >> 8]} * 256 + (code_point & 0xFF)]);
    }
};

const ClassTable& table() {
    static const ClassTable instance;
    return instance;
}

std::string_view ascii_category(uint8_t byte) noexcept {
    const char c = static_cast<char>(byte);
    if (byte < 0x20 || byte == 0x7F) return "Cc";
    if (c == ' ') return "Zs";
    if (c >= '0' && c <= '9') return "Nd";
    if (c >= 'A' && c <= 'Z') return "Lu";
    if (c >= 'a' && c <= 'z') return "Ll";
    if (c == '_') return "Pc";
    if (c == '-') return "Pd";
    if (c == '(' || c == '[' || c == '{') return "Ps";
    if (c == ')' || c == ']' || c == '}') return "Pe";
    if (c == '+' || c == '<' || c == '=' || c == '>' || c == '|' || c == '~') return "Sm";
    if (c == '$') return "Sc";
    if (c == '^' || c == '`') return "Sk";
    return "Po";
}

constexpr uint8_t byte_of(CharClass c) { return static_cast<uint8_t>(0x80 + static_cast<uint8_t>(c)); }

// The bytes whose category is `name`, or begins with it when it is one letter.
ByteSet category_bytes(std::string_view name) {
    ByteSet out;
    for (size_t byte = 0; byte < 0x80 + kNumClasses; ++byte) {
        const std::string_view category =
            byte < 0x80 ? ascii_category(static_cast<uint8_t>(byte)) : kNames[byte - 0x80];
        if (name.size() == 1 ? category[0] == name[0] : category == name) out.set(byte);
    }
    return out;
}

ByteSet space_bytes() {
    ByteSet out = category_bytes("Z");
    for (size_t byte = 0x09; byte <= 0x0D; ++byte) out.set(byte);
    out.set(byte_of(CharClass::next_line));
    return out;
}

ByteSet word_bytes() {
    ByteSet out =
        category_bytes("L") | category_bytes("M") | category_bytes("Nd") | category_bytes("Nl") | category_bytes("Pc");
    out.set(byte_of(CharClass::circled_letter));
    out.set(byte_of(CharClass::joiner));
    return out;
}

ByteSet hf_punctuation_bytes() {
    ByteSet out = category_bytes("P");
    for (size_t byte = 0x21; byte < 0x7F; ++byte) {
        const char first = ascii_category(static_cast<uint8_t>(byte))[0];
        if (first == 'S') out.set(byte);  // all of ASCII's symbols count
    }
    for (CharClass c : {CharClass::Po_late, CharClass::Pd_late, CharClass::Ps_late, CharClass::Pe_late}) {
        out.reset(byte_of(c));
    }
    out.set(byte_of(CharClass::So_early_punct));
    out.set(byte_of(CharClass::Mn_early_punct));
    return out;
}

}  // namespace

uint8_t class_byte(uint32_t code_point) noexcept { return table().class_byte(code_point); }

void append_class_bytes(std::string& out, std::string_view text) {
    const ClassTable& classes = table();
    out.reserve(out.size() + text.size());
    size_t i = 0;
    while (i < text.size()) {
        const size_t start = i;
        while (i < text.size() && static_cast<uint8_t>(text[i]) < 0x80) ++i;
        out.append(text, start, i - start);
        while (i < text.size() && static_cast<uint8_t>(text[i]) >= 0x80) {
            const Utf8Char c = utf8_decode(text.substr(i));
            out.push_back(static_cast<char>(classes.class_byte(c.code_point)));
            i += c.n_bytes;
        }
    }
}

bool property_bytes(std::string_view name, ByteSet& out) {
    if (name == "space") {
        out = space_bytes();
    } else if (name == "word") {
        out = word_bytes();
    } else if (name == "hf_punctuation") {
        out = hf_punctuation_bytes();
    } else if (name == "hf_digit") {
        out = category_bytes("N");
        out.set(byte_of(CharClass::Cn_late_digit));
    } else {
        out = name.empty() || name.size() > 2 ? ByteSet{} : category_bytes(name);
    }
    return out.any();
}

const ByteSet& all_class_bytes() {
    static const ByteSet instance = [] {
        ByteSet out;
        for (size_t byte = 0; byte < 0x80 + kNumClasses; ++byte) out.set(byte);
        return out;
    }();
    return instance;
}

bool is_unicode_space(uint32_t code_point) noexcept {
    static const ByteSet instance = space_bytes();
    return instance[class_byte(code_point)];
}

bool is_word_char(uint32_t code_point) noexcept {
    static const ByteSet instance = word_bytes();
    return instance[class_byte(code_point)];
}

}  // namespace bitnet
