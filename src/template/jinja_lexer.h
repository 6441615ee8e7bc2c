// A template's text -> tokens, under the settings chat templates are written for: trim_blocks and lstrip_blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet::jinja {

enum class TokenType : uint8_t {
    data,
    variable_begin,
    variable_end,
    block_begin,
    block_end,
    name,
    string,  // text is what stands between the quotes, escapes not yet read
    integer,
    real,
    op,
    end
};

struct Token {
    TokenType type;
    uint32_t offset;  // in the source
    uint32_t line;
    std::string_view text;  // of the source
};

// Jinja's view of a source: line ends are '\n', one at the very end is dropped.
std::string normalize_source(std::string_view source);
// The tokens point into source. The last one is `end`. Throws BITNET_E_CONFIG with line and column.
std::vector<Token> tokenize(std::string_view source);
// BITNET_E_CONFIG: "the chat template, line 3, column 14: " what.
[[noreturn]] void syntax_error(std::string_view source, size_t offset, const std::string& what);

bool is_ascii_space(char c) noexcept;

}  // namespace bitnet::jinja
