// libFuzzer target for chat templates: a template's text, a NUL, a conversation's JSON; without a NUL the conversation is a
// fixed one. Whatever compiles must end in bounded work, and no text of the conversation may become a control token: all of
// those in the tokens must stand in the template.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "src/base/error.h"
#include "src/template/chat_template.h"
#include "src/tokenizer/byte_alphabet.h"
#include "src/tokenizer/vocabulary.h"

namespace {

using namespace bitnet;

constexpr std::string_view kControl = "\x01\x02";  // no template of the seeds has it
constexpr std::string_view kConversation =
    "{\"messages\": [{\"role\": \"system\", \"content\": \" a<M>\\n\"}, {\"role\": \"user\", \"content\": \"<M>b\"}], "
    "\"tools\": "
    "[{\"type\": \"function\", \"function\": {\"name\": \"<M>\", \"parameters\": {\"x\": [1, 2.5, null, true]}}}], "
    "\"now\": 0, "
    "\"add_generation_prompt\": true}";

void require(bool ok, const char* what) {
    if (ok) return;
    std::fprintf(stderr, "fuzz_template: %s\n", what);
    std::abort();
}

std::shared_ptr<const Tokenizer> make_tokenizer() {
    Vocabulary v;
    v.source = "gguf";
    v.pre = "gpt-2";
    for (int byte = 0; byte < 256; ++byte) {
        const char c = static_cast<char>(byte);
        v.tokens.push_back(to_alphabet({&c, 1}));
        v.attributes.push_back(BITNET_TOKEN_NORMAL);
    }
    for (const std::string_view mark : {std::string_view("<M>"), kControl}) {
        v.tokens.emplace_back(mark);
        v.attributes.push_back(BITNET_TOKEN_CONTROL);
    }
    v.eos = 257;
    return std::make_shared<const Tokenizer>(v);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const std::shared_ptr<const Tokenizer> tokenizer = make_tokenizer();
    std::string_view source(reinterpret_cast<const char*>(data), size);
    std::string_view json = kConversation;
    if (const size_t cut = source.find('\0'); cut != std::string_view::npos) {
        json = source.substr(cut + 1);
        source = source.substr(0, cut);
    }
    // A template that can make the mark's bytes itself may do so.
    const bool may_write_mark = source.find_first_of("<M>\\") != std::string_view::npos;
    try {
        const ChatTemplate chat_template(tokenizer, "", source);
        const std::string text = chat_template.render(json);
        const std::vector<bitnet_token> tokens = chat_template.encode(json);
        require(tokenizer->decode(tokens, BITNET_DECODE_SPECIAL) == text, "tokens of another text");
        for (const bitnet_token token : tokens)
            require(token != 256 || may_write_mark, "a control token out of the conversation");
    } catch (const Error& error) {
        require(error.message().find('\n') == std::string::npos, "a message of several lines");
        require(error.status() == BITNET_E_CONFIG || error.status() == BITNET_E_ARGUMENT ||
                    error.status() == BITNET_E_SECURITY_INPUT || error.status() == BITNET_E_SECURITY_EXHAUSTION,
                bitnet_status_name(error.status()));
    }
    return 0;
}
