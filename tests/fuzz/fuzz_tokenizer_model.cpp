// libFuzzer target for SentencePiece's tokenizer.model. What lies beside it comes first, parted by NUL bytes:
// tokenizer_config.json, added_tokens.json, special_tokens_map.json; the rest is the model.
#include "tests/fuzz/tokenizer_round_trip.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    bitnet::TokenizerCompanions companions;
    companions.config = fuzz::next_part(rest);
    companions.added = fuzz::next_part(rest);
    companions.special_map = fuzz::next_part(rest);
    fuzz::round_trip(std::string(rest), companions);
    return 0;
}
