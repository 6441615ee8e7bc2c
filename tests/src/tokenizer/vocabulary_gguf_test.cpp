// Vocabularies in GGUF metadata: what the keys mean, and files that are wrong.
#include <doctest/doctest.h>

#include <cmath>

#include "src/gguf/gguf_reader.h"
#include "tests/src/tokenizer/tokenizer_fixtures.h"

using namespace bitnet;
using test::fails_with;
using test::Tokens;

namespace {

// A file with the keys of tiny_bpe or tiny_spm, except those that are replaced or left out.
struct Keys {
    std::string model = "gpt2";
    const char* pre = "gpt-2";
    std::vector<std::string> tokens;
    std::vector<int32_t> types;
    std::vector<float> scores;
    std::vector<std::string> merges;
    bool has_tokens = true, has_types = true, has_scores = false, has_merges = true;

    explicit Keys(const Vocabulary& v)
        : model(v.kind == VocabularyKind::bpe ? "gpt2" : "llama"), tokens(v.tokens),
          types(v.attributes.begin(), v.attributes.end()), scores(v.scores), has_scores(v.kind == VocabularyKind::spm),
          has_merges(v.kind == VocabularyKind::bpe) {
        for (const MergeText& m : v.merges)
            merges.push_back(m.text.substr(0, m.left_size) + " " + m.text.substr(m.left_size));
    }
    GgufWriter writer() const {
        GgufWriter w;
        w.add_string("general.architecture", "llama");
        if (!model.empty()) w.add_string("tokenizer.ggml.model", model);
        if (pre != nullptr && model == "gpt2") w.add_string("tokenizer.ggml.pre", pre);
        if (has_tokens) w.add_string_array("tokenizer.ggml.tokens", std::span<const std::string>(tokens));
        if (has_types) w.add_i32_array("tokenizer.ggml.token_type", types);
        if (has_scores) w.add_f32_array("tokenizer.ggml.scores", scores);
        if (has_merges) w.add_string_array("tokenizer.ggml.merges", std::span<const std::string>(merges));
        return w;
    }
};

Keys bpe_keys() { return Keys(test::tiny_bpe({{"a", "b"}})); }
Keys spm_keys() {
    return Keys(test::tiny_spm({{"\xE2\x96\x81", -1},
                                {"a", -2},
                                {"\xE2\x96\x81"
                                 "a",
                                 -3}}));
}

bool refused(const Keys& keys, std::initializer_list<std::string_view> parts) {
    return fails_with(BITNET_E_TOKENIZER, parts, [&] { test::load_gguf(keys.writer()); });
}

bool refused(const GgufWriter& writer, std::initializer_list<std::string_view> parts) {
    return fails_with(BITNET_E_TOKENIZER, parts, [&] { test::load_gguf(writer); });
}

}  // namespace

TEST_CASE("the flags and ids of a byte-level file are read") {
    GgufWriter w = bpe_keys().writer();
    w.add_u32("tokenizer.ggml.bos_token_id", 257);
    w.add_u64("tokenizer.ggml.eos_token_id", 258);
    w.add_u32("tokenizer.ggml.padding_token_id", 0xFFFFFFFF);  // how some writers say "none"
    w.add_u32("tokenizer.ggml.eom_token_id", 5);
    w.add_bool("tokenizer.ggml.add_bos_token", true);
    w.add_bool("tokenizer.ggml.add_eos_token", true);
    w.add_string("tokenizer.chat_template", "template");
    const auto tokenizer = test::load_gguf(w);
    const TokenizerInfo& info = tokenizer->info();
    CHECK(info.source == "gguf");
    CHECK(info.model == "bpe");
    CHECK(info.pre == "gpt-2");
    CHECK(info.bos == 257);
    CHECK(info.eos == 258);
    CHECK(info.pad == -1);
    CHECK(info.unk == -1);
    CHECK(info.add_bos);
    CHECK(info.add_eos);
    CHECK(tokenizer->is_end(5));
    CHECK(tokenizer->chat_template() == "template");
    CHECK(tokenizer->architecture() == "llama");
    CHECK(tokenizer->encode("ab", BITNET_ENCODE_ADD_DEFAULT) == Tokens{257, 256, 258});
}

TEST_CASE("a missing pre-tokenizer means Llama 3's for BitNet and \"default\" for all others") {
    for (const auto& [architecture, pre] : {std::pair("bitnet-b1.58", "llama-bpe"), std::pair("bitnet-25", "llama-bpe"),
                                            std::pair("llama", "default"), std::pair("bitnet", "default")}) {
        Vocabulary v = test::tiny_bpe();
        v.architecture = architecture;
        v.pre.clear();
        CHECK(test::load_gguf(test::gguf_of(v))->info().pre == pre);
    }
    Vocabulary v = test::tiny_bpe();
    v.architecture = "bitnet-b1.58";
    v.pre = "falcon3";
    CHECK(test::load_gguf(test::gguf_of(v))->info().pre == "falcon3");
    CHECK(test::load_gguf(test::gguf_of(v))->info().add_bos);  // the family's default
    v.pre = "gpt-2";
    CHECK_FALSE(test::load_gguf(test::gguf_of(v))->info().add_bos);
}

TEST_CASE("SentencePiece files: defaults, and the two keys about spaces") {
    const Keys keys = spm_keys();
    const auto plain = test::load_gguf(keys.writer());
    CHECK(plain->info().model == "spm");
    CHECK(plain->info().pre.empty());
    CHECK(plain->info().bos == 1);
    CHECK(plain->info().eos == 2);
    CHECK(plain->info().unk == 0);
    CHECK(plain->info().add_bos);
    CHECK_FALSE(plain->info().add_eos);
    CHECK(plain->encode("a", BITNET_ENCODE_ADD_DEFAULT) == Tokens{1, 261});
    GgufWriter w = keys.writer();
    w.add_bool("tokenizer.ggml.add_space_prefix", false);
    w.add_bool("tokenizer.ggml.remove_extra_whitespaces", true);
    w.add_bool("tokenizer.ggml.add_bos_token", false);
    const auto bare = test::load_gguf(w);
    CHECK(bare->encode("  a   a ", BITNET_ENCODE_ADD_DEFAULT) == Tokens{260, 261});
}

TEST_CASE("files without token types know control tokens by their ids and byte tokens by their text") {
    Keys keys = spm_keys();
    keys.has_types = false;
    const auto tokenizer = test::load_gguf(keys.writer());
    CHECK(tokenizer->attribute(0) == BITNET_TOKEN_UNKNOWN);
    CHECK(tokenizer->attribute(1) == BITNET_TOKEN_CONTROL);
    CHECK(tokenizer->attribute(3) == BITNET_TOKEN_BYTE);
    CHECK(tokenizer->attribute(260) == BITNET_TOKEN_NORMAL);
    CHECK(tokenizer->encode("a\xFF", 0) == Tokens{261, 3 + 0xFF});
    Keys undefined = spm_keys();
    undefined.types[260] = 0;
    CHECK(test::load_gguf(undefined.writer())->attribute(260) == BITNET_TOKEN_NORMAL);
}

TEST_CASE("files without a vocabulary, or of another kind, are refused by name") {
    Keys keys = bpe_keys();
    keys.model.clear();
    CHECK(refused(keys, {"tokenizer.ggml.model"}));
    keys.model = "t5";
    CHECK(refused(keys, {"'t5'", "gpt2", "llama"}));
    keys = bpe_keys();
    keys.has_tokens = false;
    CHECK(refused(keys, {"tokenizer.ggml.tokens"}));
    keys = bpe_keys();
    keys.has_merges = false;
    CHECK(refused(keys, {"tokenizer.ggml.merges"}));
    keys = spm_keys();
    keys.has_scores = false;
    CHECK(refused(keys, {"tokenizer.ggml.scores"}));
    keys = bpe_keys();
    keys.pre = "falcon_e";
    CHECK(refused(keys, {"'falcon_e'", "llama-bpe", "gpt-2", "falcon", "default"}));
    keys.pre = "evil\nname";
    CHECK(refused(keys, {"'evil\\x0aname'"}));
}

TEST_CASE("arrays whose lengths differ from the vocabulary are refused") {
    Keys keys = bpe_keys();
    keys.types.pop_back();
    CHECK(refused(keys, {"tokenizer.ggml.token_type", "259 entries", "260 tokens"}));
    keys = spm_keys();
    keys.scores.push_back(0);
    CHECK(refused(keys, {"tokenizer.ggml.scores", "263 entries", "262 tokens"}));
}

TEST_CASE("values that no vocabulary can have are refused") {
    Keys keys = bpe_keys();
    keys.types[7] = 9;
    CHECK(refused(keys, {"token 7", "type 9"}));
    keys = bpe_keys();
    keys.types[7] = -1;
    CHECK(refused(keys, {"token 7", "type -1"}));
    keys = spm_keys();
    keys.scores[260] = std::nanf("");
    CHECK(refused(keys, {"token 260", "not a number"}));
    keys = spm_keys();
    keys.tokens[50] = "<0x2G>";
    CHECK(refused(keys, {"byte token 50", "'<0x2G>'"}));
    keys = spm_keys();
    keys.types[50] = BITNET_TOKEN_NORMAL;
    CHECK(refused(keys, {"255 byte tokens"}));
    for (const char* key : {"bos", "eos", "eot", "eom", "unknown", "padding"}) {
        GgufWriter w = bpe_keys().writer();
        const std::string name = std::string("tokenizer.ggml.") + key + "_token_id";
        w.add_u32(name, 260);
        CHECK(refused(w, {name, "260"}));
    }
    GgufWriter w = spm_keys().writer();
    const std::vector<uint8_t> charsmap(16, 1);
    w.add_u8_array("tokenizer.ggml.precompiled_charsmap", charsmap);
    CHECK(refused(w, {"precompiled_charsmap"}));
    GgufWriter typed = bpe_keys().writer();
    typed.add_string("tokenizer.ggml.bos_token_id", "1");
    CHECK(fails_with(BITNET_E_GGUF_METADATA, {"bos_token_id"}, [&] { test::load_gguf(typed); }));
}

TEST_CASE("merges that are not two texts, and bytes without a token, are refused") {
    for (const char* merge : {"ab", "", "a ", " ", " a"}) {
        INFO(merge);
        Keys keys = bpe_keys();
        keys.merges.push_back(merge);
        CHECK(refused(keys, {"merge 1", "two texts"}));
    }
    Keys keys = bpe_keys();
    keys.tokens[200] = "[gone]";
    CHECK(refused(keys, {"byte 200"}));
    GgufWriter w = keys.writer();
    w.add_u32("tokenizer.ggml.unknown_token_id", 257);
    CHECK(test::load_gguf(w)->encode("a\xC8", 0) == Tokens{'a', 257});
}

TEST_CASE("duplicate tokens are refused where text could become either, and harmless elsewhere") {
    Keys keys = bpe_keys();
    keys.tokens.push_back("ab");
    keys.types.push_back(BITNET_TOKEN_NORMAL);
    CHECK(refused(keys, {"256 and 260", "'ab'", "duplicate"}));
    keys.types.back() = BITNET_TOKEN_UNUSED;
    const auto tokenizer = test::load_gguf(keys.writer());
    CHECK(tokenizer->find("ab") == 256);
    CHECK(tokenizer->encode("ab", 0) == Tokens{256});
    keys = spm_keys();
    keys.tokens.push_back("a");
    keys.types.push_back(BITNET_TOKEN_NORMAL);
    keys.scores.push_back(-9);
    CHECK(refused(keys, {"260 and 262", "duplicate"}));
    keys.types.back() = BITNET_TOKEN_CONTROL;
    CHECK(test::load_gguf(keys.writer())->encode("ba", 0).back() == 260);
    keys.types.back() = BITNET_TOKEN_NORMAL;
    keys.types[260] = BITNET_TOKEN_UNUSED;  // the one in use counts
    CHECK(test::load_gguf(keys.writer())->encode("ba", 0).back() == 262);
}

TEST_CASE("end tokens are known by id and by text, whatever their type") {
    Keys keys = bpe_keys();
    for (const char* text :
         {"<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|eom_id|>", "<EOT>", "<|other|>"}) {
        keys.tokens.push_back(text);
        keys.types.push_back(keys.tokens.size() % 2 == 0 ? BITNET_TOKEN_CONTROL : BITNET_TOKEN_USER_DEFINED);
    }
    const auto tokenizer = test::load_gguf(keys.writer());
    for (bitnet_token id = 260; id < 266; ++id) CHECK(tokenizer->is_end(id));
    CHECK_FALSE(tokenizer->is_end(266));
    CHECK(tokenizer->info().eot == 258);  // <|eot_id|> comes before the others
}

TEST_CASE("an empty token does no harm") {
    Keys keys = bpe_keys();
    for (const int32_t type : {BITNET_TOKEN_NORMAL, BITNET_TOKEN_CONTROL, BITNET_TOKEN_USER_DEFINED}) {
        keys.tokens.push_back("");
        keys.types.push_back(type);
    }
    const auto tokenizer = test::load_gguf(keys.writer());
    CHECK(tokenizer->encode("ab", BITNET_ENCODE_PARSE_SPECIAL) == Tokens{256});
    CHECK(tokenizer->decode(Tokens{260, 261, 262}, BITNET_DECODE_SPECIAL).empty());
}
