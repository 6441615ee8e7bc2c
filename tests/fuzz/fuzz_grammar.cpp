// libFuzzer target for grammars. The first byte picks what the rest is: GBNF or a JSON schema, each with a text behind a NUL.
// Whatever compiles is matched: the text's tokens must be exactly those that the masks allow, in bounded time.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "src/base/error.h"
#include "src/grammar/grammar_filter.h"
#include "src/grammar/json_schema.h"
#include "src/tokenizer/byte_alphabet.h"
#include "src/tokenizer/tokenizer.h"
#include "src/tokenizer/vocabulary.h"

namespace {

using namespace bitnet;

void require(bool ok, const char* what) {
    if (ok) return;
    std::fprintf(stderr, "fuzz_grammar: %s\n", what);
    std::abort();
}

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
    for (const char* text : {"aa", "ab", "{\"", "\":", "\xC3\xA9",
                             "\xA9"
                             "a",
                             " \n", "true"}) {
        add(to_alphabet(text), BITNET_TOKEN_NORMAL);
    }
    v.eos = add("<|eot_id|>", BITNET_TOKEN_CONTROL);
    return std::make_shared<const Tokenizer>(v);
}

// The bytes of text as tokens, for as long as they are allowed. True when all were and the text may end there.
bool follow(const std::shared_ptr<const Grammar>& grammar, std::string_view text) {
    GrammarFilter filter(grammar);
    for (const char c : text.substr(0, 64)) {
        const auto byte = static_cast<uint8_t>(c);
        bool allowed = false;
        try {
            allowed = is_allowed(filter.allowed(), byte);
        } catch (const Error& error) {
            if (error.status() != BITNET_E_STATE) throw;  // no token at all
        }
        bool accepted = true;
        try {
            filter.accept(byte);
        } catch (const Error& error) {
            if (error.status() != BITNET_E_STATE) throw;
            accepted = false;
        }
        require(accepted == allowed, "a mask that differs from what is accepted");
        if (!accepted) return false;
    }
    return filter.may_end() && text.size() <= 64;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const std::shared_ptr<const Tokenizer> tokenizer = make_tokenizer();
    if (size == 0) return 0;
    std::string_view source(reinterpret_cast<const char*>(data) + 1, size - 1);
    std::string_view text;
    if (const size_t cut = source.rfind('\0'); cut != std::string_view::npos) {
        text = source.substr(cut + 1);
        source = source.substr(0, cut);
    }
    const bool is_schema = data[0] % 2 == 1;
    try {
        const std::string gbnf = is_schema ? json_schema_to_gbnf(source) : std::string(source);
        const auto grammar = std::make_shared<const Grammar>(tokenizer, gbnf, "root");
        if (follow(grammar, text) && is_schema) {
            require(nlohmann::json::accept(text), "a schema's text that is no JSON");
        }
    } catch (const Error& error) {
        require(error.message().find('\n') == std::string::npos, "a message of several lines");
        require(error.status() == BITNET_E_CONFIG || error.status() == BITNET_E_SECURITY_INPUT ||
                    error.status() == BITNET_E_SECURITY_EXHAUSTION,
                bitnet_status_name(error.status()));
    }
    return 0;
}
