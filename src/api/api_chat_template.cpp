// Chat templates.
#include "src/api/api_guard.h"
#include "src/api/handles.h"

using namespace bitnet;

namespace {

const ChatTemplate& checked(const bitnet_chat_template* chat_template) {
    require(chat_template != nullptr, "the chat template is NULL");
    return chat_template->chat_template;
}

std::string_view checked(const char* text, size_t n_bytes) {
    require(text != nullptr || n_bytes == 0, "the text is NULL");
    return {n_bytes != 0 ? text : "", n_bytes};
}

}  // namespace

extern "C" {

bitnet_status bitnet_chat_template_create(const bitnet_tokenizer* tokenizer, const char* format, const char* source,
                                          size_t n_bytes, bitnet_chat_template** out_template) {
    if (out_template != nullptr) *out_template = nullptr;
    return api_call(__func__, [&] {
        require(tokenizer != nullptr && tokenizer->tokenizer != nullptr, "the tokenizer is NULL");
        require(out_template != nullptr, "bitnet_chat_template_create: out_template is NULL");
        require(format == nullptr || source == nullptr, "give a format or a template's text, not both");
        require(source != nullptr || n_bytes == 0, "the template's text is NULL");
        std::optional<std::string_view> text;
        if (source != nullptr) text = std::string_view(source, n_bytes);
        *out_template =
            new bitnet_chat_template{ChatTemplate(tokenizer->tokenizer, format != nullptr ? format : "", text)};
    });
}

void bitnet_chat_template_free(bitnet_chat_template* chat_template) { delete chat_template; }

const char* bitnet_chat_template_get_name(const bitnet_chat_template* chat_template) {
    return chat_template != nullptr ? chat_template->chat_template.name().c_str() : "";
}

const char* bitnet_chat_template_get_source(const bitnet_chat_template* chat_template) {
    return chat_template != nullptr ? chat_template->chat_template.source().c_str() : "";
}

bitnet_status bitnet_chat_template_encode(const bitnet_chat_template* chat_template, const char* json, size_t n_bytes,
                                          bitnet_token* out_tokens, size_t capacity, size_t* out_n) {
    return api_call(__func__, [&] {
        const std::vector<bitnet_token> tokens = checked(chat_template).encode(checked(json, n_bytes));
        write_buffer(tokens.data(), tokens.size(), out_tokens, capacity, out_n, "tokens");
    });
}

bitnet_status bitnet_chat_template_render(const bitnet_chat_template* chat_template, const char* json, size_t n_bytes,
                                          char* buffer, size_t capacity, size_t* out_size) {
    return api_call(__func__, [&] {
        write_text(checked(chat_template).render(checked(json, n_bytes)), buffer, capacity, out_size);
    });
}

}  // extern "C"
