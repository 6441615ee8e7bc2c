// What the tests of grammars share: small tokenizers, and an independent matcher that knows nothing of automata.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/error.h"
#include "src/base/utf8.h"
#include "src/grammar/grammar_filter.h"
#include "src/tokenizer/byte_alphabet.h"
#include "src/tokenizer/tokenizer.h"
#include "src/tokenizer/vocabulary.h"

namespace test {

// Byte-level: the 256 bytes, then these texts, then <|bos|> and <|eot_id|>, which is the only end.
inline std::shared_ptr<const bitnet::Tokenizer> byte_tokenizer(const std::vector<std::string>& texts = {}) {
    bitnet::Vocabulary v;
    v.source = "gguf";
    v.pre = "gpt-2";
    const auto add = [&](const std::string& text, bitnet_token_attribute attribute) {
        v.tokens.push_back(text);
        v.attributes.push_back(static_cast<uint8_t>(attribute));
        return static_cast<int32_t>(v.tokens.size()) - 1;
    };
    for (int byte = 0; byte < 256; ++byte) {
        const char c = static_cast<char>(byte);
        add(bitnet::to_alphabet({&c, 1}), BITNET_TOKEN_NORMAL);
    }
    for (const std::string& text : texts) add(bitnet::to_alphabet(text), BITNET_TOKEN_NORMAL);
    v.bos = add("<|bos|>", BITNET_TOKEN_CONTROL);
    v.eos = add("<|eot_id|>", BITNET_TOKEN_CONTROL);
    return std::make_shared<const bitnet::Tokenizer>(v);
}

inline std::shared_ptr<const bitnet::Grammar> gbnf(
    std::string_view text, std::shared_ptr<const bitnet::Tokenizer> tokenizer = byte_tokenizer()) {
    return std::make_shared<const bitnet::Grammar>(std::move(tokenizer), text, "root");
}

// What byte by byte becomes of a text: 'd' it fits no more, 'o' it may go on, 'e' it may end, 'b' both.
inline char verdict(const std::shared_ptr<const bitnet::Grammar>& grammar, std::string_view text) {
    bitnet::StackStore store(grammar->program());
    bitnet::StackStore::SetId set = store.start();
    for (const char byte : text) {
        set = store.step(set, static_cast<uint8_t>(byte));
        if (set == bitnet::StackStore::kDead) return 'd';
    }
    return store.accepts(set) ? (store.goes_on(set) ? 'b' : 'e') : 'o';
}
inline bool accepts(const std::shared_ptr<const bitnet::Grammar>& grammar, std::string_view text) {
    const char found = verdict(grammar, text);
    return found == 'e' || found == 'b';
}

// "STATUS: message" of the Error that is thrown, "" when there is none.
inline std::string error_of(const std::function<void()>& run) {
    try {
        run();
    } catch (const bitnet::Error& error) {
        return std::string(bitnet_status_name(error.status())) + ": " + error.message();
    }
    return "";
}

}  // namespace test
