// A tokenizer behind a pipe, for tests/scripts/compare_tokenizers.py. Reads texts from standard input, each as a 32-bit
// length and its bytes, and writes for each the 32-bit number of tokens and the ids; numbers are little-endian.
// Usage: tokenize_stream FILE [FLAGS]     FLAGS: sum of BITNET_ENCODE_* (default 0)
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "src/base/error.h"
#include "src/tokenizer/tokenizer_load.h"

namespace {

bool read_number(uint32_t& value) {
    unsigned char bytes[4];
    if (std::fread(bytes, 1, 4, stdin) != 4) return false;
    value = bytes[0] | uint32_t{bytes[1]} << 8 | uint32_t{bytes[2]} << 16 | uint32_t{bytes[3]} << 24;
    return true;
}

void write_number(uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) std::fputc(static_cast<int>(value >> shift & 0xFF), stdout);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: tokenize_stream FILE [FLAGS]\n");
        return 2;
    }
    try {
        const auto tokenizer = bitnet::load_tokenizer(argv[1]);
        const uint32_t flags = argc > 2 ? static_cast<uint32_t>(std::strtoul(argv[2], nullptr, 10)) : 0;
        std::string text;
        for (uint32_t size = 0; read_number(size);) {
            text.resize(size);
            if (size > 0 && std::fread(text.data(), 1, size, stdin) != size) return 2;
            const std::vector<bitnet_token> tokens = tokenizer->encode(text, flags);
            write_number(static_cast<uint32_t>(tokens.size()));
            for (const bitnet_token token : tokens) write_number(static_cast<uint32_t>(token));
        }
    } catch (const bitnet::Error& error) {
        std::fprintf(stderr, "tokenize_stream: %s\n", error.what());
        return 1;
    }
    return 0;
}
