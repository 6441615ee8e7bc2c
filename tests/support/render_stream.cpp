// Chat templates for tests/scripts/compare_templates.py: one JSON object per line of standard input, {"template", "variables"},
// gives one per line of output: {"text", "n_control"} or {"status", "message"}. n_control counts the control tokens of the
// encoded text. The vocabulary has the single bytes and the control tokens that the templates of the tests use.
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "src/base/error.h"
#include "src/template/chat_template.h"
#include "src/tokenizer/byte_alphabet.h"
#include "src/tokenizer/vocabulary.h"

using namespace bitnet;

namespace {

std::shared_ptr<const Tokenizer> make_tokenizer() {
    Vocabulary v;
    v.source = "gguf";
    v.pre = "gpt-2";
    const auto add = [&](std::string text, bitnet_token_attribute attribute) {
        v.tokens.push_back(std::move(text));
        v.attributes.push_back(static_cast<uint8_t>(attribute));
        return static_cast<int32_t>(v.tokens.size()) - 1;
    };
    for (int byte = 0; byte < 256; ++byte) {
        const char c = static_cast<char>(byte);
        add(to_alphabet({&c, 1}), BITNET_TOKEN_NORMAL);
    }
    v.bos = add("<s>", BITNET_TOKEN_CONTROL);
    v.eos = add("</s>", BITNET_TOKEN_CONTROL);
    for (const char* mark : {"<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|user|>", "<|assistant|>", "<|system|>",
                             "<|end|>", "[INST]", "[/INST]"}) {
        add(mark, BITNET_TOKEN_CONTROL);
    }
    return std::make_shared<const Tokenizer>(v);
}

nlohmann::json answer(const std::shared_ptr<const Tokenizer>& tokenizer, const nlohmann::ordered_json& question) {
    try {
        const std::string source = question.at("template");
        const std::string variables = question.at("variables").dump();
        const ChatTemplate chat_template(tokenizer, "", source);
        int n_control = 0;
        std::string text = chat_template.render(variables);
        const std::vector<bitnet_token> tokens = chat_template.encode(variables);
        for (const bitnet_token token : tokens)
            n_control += tokenizer->attribute(token) == BITNET_TOKEN_CONTROL ? 1 : 0;
        if (tokenizer->decode(tokens, BITNET_DECODE_SPECIAL) != text) {
            return {{"status", "wrong"}, {"message", "the tokens are not those of the text"}};
        }
        return {{"text", std::move(text)}, {"n_control", n_control}};
    } catch (const Error& error) {
        return {{"status", bitnet_status_name(error.status())}, {"message", error.message()}};
    }
}

}  // namespace

int main() {
    const std::shared_ptr<const Tokenizer> tokenizer = make_tokenizer();
    std::string line;
    while (std::getline(std::cin, line)) {
        std::cout << answer(tokenizer, nlohmann::ordered_json::parse(line)).dump() << "\n" << std::flush;
    }
    return 0;
}
