// A small vocabulary with control tokens, and templates over it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/error.h"
#include "src/template/chat_template.h"
#include "src/tokenizer/byte_alphabet.h"
#include "src/tokenizer/vocabulary.h"

namespace test {

// Single bytes, "ab", and the control tokens <s>, </s>, <|user|>, <|im_start|>, <|im_end|>, <|eot_id|>.
inline std::shared_ptr<const bitnet::Tokenizer> template_tokenizer(const char* architecture = "llama",
                                                                   const char* chat_template = "") {
    bitnet::Vocabulary v;
    v.source = "gguf";
    v.pre = "gpt-2";
    v.architecture = architecture;
    v.chat_template = chat_template;
    const auto add = [&](std::string text, bitnet_token_attribute attribute) {
        v.tokens.push_back(std::move(text));
        v.attributes.push_back(static_cast<uint8_t>(attribute));
        return static_cast<int32_t>(v.tokens.size()) - 1;
    };
    for (int byte = 0; byte < 256; ++byte) {
        const char c = static_cast<char>(byte);
        add(bitnet::to_alphabet({&c, 1}), BITNET_TOKEN_NORMAL);
    }
    add("ab", BITNET_TOKEN_NORMAL);
    v.merges.push_back({"ab", 1});
    v.bos = add("<s>", BITNET_TOKEN_CONTROL);
    v.eos = add("</s>", BITNET_TOKEN_CONTROL);
    for (const char* mark : {"<|user|>", "<|im_start|>", "<|im_end|>", "<|eot_id|>"}) add(mark, BITNET_TOKEN_CONTROL);
    return std::make_shared<const bitnet::Tokenizer>(v);
}

inline std::string rendered(std::string_view source, std::string_view json = R"({"messages": []})") {
    static const auto tokenizer = template_tokenizer();
    return bitnet::ChatTemplate(tokenizer, "", source).render(json);
}

// The status of a failure, its message in `message`; BITNET_OK when there is none.
inline bitnet_status failure(std::string_view source, std::string& message,
                             std::string_view json = R"({"messages": []})") {
    try {
        rendered(source, json);
        return BITNET_OK;
    } catch (const bitnet::Error& error) {
        message = error.message();
        return error.status();
    }
}

}  // namespace test
