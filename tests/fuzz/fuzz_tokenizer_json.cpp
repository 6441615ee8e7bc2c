// libFuzzer target for tokenizer.json with tokenizer_config.json, special_tokens_map.json, generation_config.json and
// chat_template.jinja beside it, parted by NUL bytes.
#include "tests/fuzz/tokenizer_round_trip.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    const std::string content = "{" + fuzz::next_part(rest);  // the brace makes it JSON, whatever follows
    bitnet::TokenizerCompanions companions;
    companions.config = fuzz::next_part(rest);
    companions.special_map = fuzz::next_part(rest);
    companions.generation = fuzz::next_part(rest);
    companions.chat_template = fuzz::next_part(rest);
    fuzz::round_trip(content, companions);
    return 0;
}
