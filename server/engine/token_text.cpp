// Between text and tokens, with buffers that grow.
#include "server/engine/engine.h"

namespace serve {

std::vector<bitnet_token> encode_text(const bitnet_tokenizer* tokenizer, std::string_view text, uint32_t flags) {
    std::vector<bitnet_token> tokens(text.size() + 8);
    size_t n = 0;
    bitnet_status status =
        bitnet_tokenizer_encode(tokenizer, text.data(), text.size(), flags, tokens.data(), tokens.size(), &n);
    if (status == BITNET_E_BUFFER_TOO_SMALL) {
        tokens.resize(n);
        status = bitnet_tokenizer_encode(tokenizer, text.data(), text.size(), flags, tokens.data(), tokens.size(), &n);
    }
    check(status);
    tokens.resize(n);
    return tokens;
}

std::string decode_tokens(const bitnet_tokenizer* tokenizer, const std::vector<bitnet_token>& tokens, uint32_t flags) {
    std::string text(tokens.size() * 8 + 16, '\0');
    size_t n = 0;
    bitnet_status status =
        bitnet_tokenizer_decode(tokenizer, tokens.data(), tokens.size(), flags, text.data(), text.size(), &n);
    if (status == BITNET_E_BUFFER_TOO_SMALL) {
        text.resize(n);
        status = bitnet_tokenizer_decode(tokenizer, tokens.data(), tokens.size(), flags, text.data(), text.size(), &n);
    }
    check(status);
    text.resize(n);
    return text;
}

}  // namespace serve
