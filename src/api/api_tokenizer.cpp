// Tokenizers and chat formats.
#include "src/api/api_guard.h"
#include "src/api/handles.h"
#include "src/base/utf8.h"
#include "src/tokenizer/chat_format.h"
#include "src/tokenizer/tokenizer_load.h"

using namespace bitnet;

namespace {

const Tokenizer& checked(const bitnet_tokenizer* tokenizer) {
    require(tokenizer != nullptr && tokenizer->tokenizer != nullptr, "the tokenizer is NULL");
    return *tokenizer->tokenizer;
}

}  // namespace

extern "C" {

bitnet_status bitnet_tokenizer_load(const char* path, bitnet_tokenizer** out_tokenizer) {
    if (out_tokenizer != nullptr) *out_tokenizer = nullptr;
    return api_call(__func__, about(path), [&] {
        require(path != nullptr && out_tokenizer != nullptr, "bitnet_tokenizer_load: a pointer is NULL");
        *out_tokenizer = new bitnet_tokenizer{load_tokenizer(path)};
    });
}

void bitnet_tokenizer_free(bitnet_tokenizer* tokenizer) { delete tokenizer; }

bitnet_status bitnet_tokenizer_encode(const bitnet_tokenizer* tokenizer, const char* text, size_t n_bytes, uint32_t flags,
                                      bitnet_token* out_tokens, size_t capacity, size_t* out_n) {
    return api_call(__func__, [&] {
        const Tokenizer& t = checked(tokenizer);
        require(text != nullptr || n_bytes == 0, "the text is NULL");
        const std::vector<bitnet_token> tokens = t.encode(std::string_view(n_bytes != 0 ? text : "", n_bytes), flags);
        write_buffer(tokens.data(), tokens.size(), out_tokens, capacity, out_n, "tokens");
    });
}

bitnet_status bitnet_tokenizer_decode(const bitnet_tokenizer* tokenizer, const bitnet_token* tokens, size_t n_tokens,
                                      uint32_t flags, char* buffer, size_t capacity, size_t* out_n_bytes) {
    return api_call(__func__, [&] {
        const Tokenizer& t = checked(tokenizer);
        require(tokens != nullptr || n_tokens == 0, "tokens is NULL");
        const std::string text = t.decode(std::span(tokens, n_tokens), flags);
        write_buffer(text.data(), text.size(), buffer, capacity, out_n_bytes, "bytes");
    });
}

size_t bitnet_utf8_complete_prefix(const char* bytes, size_t n_bytes) {
    return bytes != nullptr ? utf8_complete_prefix(std::string_view(bytes, n_bytes)) : 0;
}

int32_t bitnet_tokenizer_get_n_vocab(const bitnet_tokenizer* tokenizer) {
    return tokenizer != nullptr && tokenizer->tokenizer != nullptr ? tokenizer->tokenizer->n_vocab() : 0;
}

bitnet_status bitnet_tokenizer_find_tokens(const bitnet_tokenizer* tokenizer, const char* text, size_t n_bytes,
                                           bitnet_token* out_tokens, size_t capacity, size_t* out_n) {
    return api_call(__func__, [&] {
        const Tokenizer& t = checked(tokenizer);
        require(text != nullptr && n_bytes != 0, "the text to find is empty; give at least one byte");
        const std::string_view wanted(text, n_bytes);
        std::vector<bitnet_token> found;
        for (bitnet_token token = 0; token < t.n_vocab(); ++token) {
            if (t.decode(std::span(&token, 1), 0).find(wanted) != std::string::npos) found.push_back(token);
        }
        write_buffer(found.data(), found.size(), out_tokens, capacity, out_n, "tokens");
    });
}

bitnet_status bitnet_tokenizer_get_piece(const bitnet_tokenizer* tokenizer, bitnet_token token, const char** out_piece,
                                         size_t* out_n_bytes) {
    return api_call(__func__, [&] {
        const Tokenizer& t = checked(tokenizer);
        require(out_piece != nullptr, "out_piece is NULL");
        const std::string_view piece = t.piece(token);
        *out_piece = piece.data();
        if (out_n_bytes != nullptr) *out_n_bytes = piece.size();
    });
}

bitnet_status bitnet_tokenizer_get_token(const bitnet_tokenizer* tokenizer, const char* piece, size_t n_bytes,
                                         bitnet_token* out_token) {
    return api_call(__func__, [&] {
        const Tokenizer& t = checked(tokenizer);
        require((piece != nullptr || n_bytes == 0) && out_token != nullptr, "bitnet_tokenizer_get_token: a pointer is NULL");
        const std::optional<bitnet_token> token = t.find(std::string_view(n_bytes != 0 ? piece : "", n_bytes));
        if (!token) throw Error(BITNET_E_NOT_FOUND, "the vocabulary has no token with exactly this text");
        *out_token = *token;
    });
}

int32_t bitnet_tokenizer_get_attribute(const bitnet_tokenizer* tokenizer, bitnet_token token) {
    if (tokenizer == nullptr || tokenizer->tokenizer == nullptr) return 0;
    return tokenizer->tokenizer->attribute(token);
}

int32_t bitnet_tokenizer_is_end(const bitnet_tokenizer* tokenizer, bitnet_token token) {
    return tokenizer != nullptr && tokenizer->tokenizer != nullptr && tokenizer->tokenizer->is_end(token) ? 1 : 0;
}

bitnet_status bitnet_tokenizer_get_info(const bitnet_tokenizer* tokenizer, bitnet_tokenizer_info* out_info) {
    return api_call(__func__, [&] {
        const TokenizerInfo& t = checked(tokenizer).info();
        bitnet_tokenizer_info info{};
        info.source = t.source.c_str();
        info.model = t.model.c_str();
        info.pre = t.pre.c_str();
        info.n_vocab = t.n_vocab;
        info.bos = t.bos;
        info.eos = t.eos;
        info.eot = t.eot;
        info.pad = t.pad;
        info.unk = t.unk;
        info.add_bos = t.add_bos ? 1 : 0;
        info.add_eos = t.add_eos ? 1 : 0;
        write_info(out_info, info);
    });
}

bitnet_status bitnet_tokenizer_encode_chat(const bitnet_tokenizer* tokenizer, const char* format,
                                           const bitnet_chat_message* messages, size_t n_messages, int32_t add_reply_header,
                                           bitnet_token* out_tokens, size_t capacity, size_t* out_n) {
    return api_call(__func__, [&] {
        const Tokenizer& t = checked(tokenizer);
        require(messages != nullptr || n_messages == 0, "messages is NULL");
        std::vector<ChatMessage> views;
        views.reserve(n_messages);
        for (size_t i = 0; i < n_messages; ++i) {
            require(messages[i].role != nullptr && messages[i].content != nullptr, "a message's role or content is NULL");
            views.push_back({messages[i].role, messages[i].content});
        }
        const std::vector<bitnet_token> tokens = encode_chat(t, format != nullptr ? format : "", views, add_reply_header != 0);
        write_buffer(tokens.data(), tokens.size(), out_tokens, capacity, out_n, "tokens");
    });
}

}  // extern "C"
