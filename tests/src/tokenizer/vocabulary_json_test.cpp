// tokenizer.json: the settings that matter, and everything else refused by name. That the ids are those of Hugging Face
// is compared by tests/scripts/compare_tokenizers.py.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/src/tokenizer/tokenizer_fixtures.h"

using namespace bitnet;
using nlohmann::json;
using test::fails_with;
using test::Tokens;

namespace {

json byte_level(bool use_regex = true, bool prefix = false) {
    return {{"type", "ByteLevel"}, {"add_prefix_space", prefix}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

// A byte-level document: 256 bytes, "ab" (256), " a" (257); added: <|bos|> 258 special, <tool> 259 not special.
json bpe_document() {
    const Vocabulary v = test::tiny_bpe();
    json vocab = json::object();
    for (size_t id = 0; id < 256; ++id) vocab[v.tokens[id]] = id;
    vocab["ab"] = 256;
    vocab
        ["\xC4\xA0"
         "a"] = 257;
    const json added = {{{"id", 258}, {"content", "<|bos|>"}, {"special", true}, {"normalized", false}},
                        {{"id", 259}, {"content", "<tool>"}, {"special", false}, {"normalized", false}}};
    return {{"version", "1.0"},
            {"added_tokens", added},
            {"normalizer", nullptr},
            {"pre_tokenizer", byte_level()},
            {"post_processor", byte_level()},
            {"decoder", byte_level()},
            {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", {"a b", "\xC4\xA0 a"}}}}};
}

// A SentencePiece-like document: <unk> <s> </s>, byte tokens, then the space mark (259), a (260), mark + a (261),
// <pad>.
json spm_document() {
    const Vocabulary v = test::tiny_spm({{"\xE2\x96\x81", 0},
                                         {"a", 0},
                                         {"\xE2\x96\x81"
                                          "a",
                                          0}});
    json vocab = json::object();
    for (size_t id = 0; id < v.tokens.size(); ++id) vocab[v.tokens[id]] = id;
    const json added = {{{"id", 0}, {"content", "<unk>"}, {"special", true}},
                        {{"id", 1}, {"content", "<s>"}, {"special", true}},
                        {{"id", 2}, {"content", "</s>"}, {"special", true}},
                        {{"id", 262}, {"content", "<pad>"}, {"special", false}, {"normalized", true}}};
    const json prepend = {{"type", "Prepend"}, {"prepend", "\xE2\x96\x81"}};
    const json replace = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\xE2\x96\x81"}};
    return {{"added_tokens", added},
            {"normalizer", {{"type", "Sequence"}, {"normalizers", {prepend, replace}}}},
            {"pre_tokenizer", nullptr},
            {"post_processor", nullptr},
            {"decoder", nullptr},
            {"model",
             {{"type", "BPE"},
              {"vocab", vocab},
              {"merges", json::array({json::array({"\xE2\x96\x81", "a"})})},
              {"unk_token", "<unk>"},
              {"fuse_unk", true},
              {"byte_fallback", true}}}};
}

json template_of(json single) { return {{"type", "TemplateProcessing"}, {"single", std::move(single)}}; }
json special(const char* name) { return {{"SpecialToken", {{"id", name}, {"type_id", 0}}}}; }
const json kText = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};

Tokenizer load(const json& document, const std::string& config = "") {
    return Tokenizer(read_vocabulary_json(document.dump(), config));
}
bool refused(const json& document, std::initializer_list<std::string_view> parts) {
    return fails_with(BITNET_E_TOKENIZER, parts, [&] { load(document); });
}
// The document with one member replaced.
json with(json document, const char* path, json value) {
    document[json::json_pointer(path)] = std::move(value);
    return document;
}

}  // namespace

TEST_CASE("a byte-level document: tokens, merges and added tokens") {
    const Tokenizer tokenizer = load(bpe_document());
    CHECK(tokenizer.info().source == "tokenizer.json");
    CHECK(tokenizer.info().model == "bpe");
    CHECK(tokenizer.info().pre == "gpt-2");
    CHECK(tokenizer.n_vocab() == 260);
    CHECK(tokenizer.encode("ab a", 0) == Tokens{256, 257});
    CHECK(tokenizer.encode("<tool><|bos|>", BITNET_ENCODE_PARSE_SPECIAL) == Tokens{259, 258});
    CHECK(tokenizer.attribute(258) == BITNET_TOKEN_CONTROL);
    CHECK(tokenizer.attribute(259) == BITNET_TOKEN_USER_DEFINED);
    CHECK(tokenizer.decode(Tokens{257, 259, 256}, 0) == " a<tool>ab");
    const json pairs = json::array({json::array({"a", "b"}), json::array({"\xC4\xA0", "a"})});
    CHECK(load(with(bpe_document(), "/model/merges", pairs)).encode("ab a", 0) == Tokens{256, 257});
}

TEST_CASE("the pre-tokenizer is known by its expression") {
    const auto pre_of = [](const json& pre_tokenizers) {
        const json sequence = {{"type", "Sequence"}, {"pretokenizers", pre_tokenizers}};
        return load(with(bpe_document(), "/pre_tokenizer", sequence)).info().pre;
    };
    const auto split = [](const std::string& regex) {
        return json{{"type", "Split"}, {"pattern", {{"Regex", regex}}}, {"behavior", "Isolated"}, {"invert", false}};
    };
    const PretokenizerRow* llama = find_pretokenizer("llama-bpe");
    CHECK(pre_of({split(std::string(llama->regexes[0])), byte_level(false)}) == "llama-bpe");
    CHECK(pre_of({split("[0-9]"), byte_level()}) == "custom");
    CHECK(pre_of({{{"type", "Digits"}, {"individual_digits", true}}, byte_level()}) == "custom");
    const json digits = {{"type", "Sequence"}, {"pretokenizers", {split("[0-9]"), byte_level()}}};
    CHECK(load(with(bpe_document(), "/pre_tokenizer", digits)).encode("12", 0) == Tokens{'1', '2'});
}

TEST_CASE("add_prefix_space puts a space before each text that has none") {
    const Tokenizer tokenizer = load(with(bpe_document(), "/pre_tokenizer", byte_level(true, true)));
    CHECK(tokenizer.encode("a", 0) == Tokens{257});
    CHECK(tokenizer.encode(" a", 0) == Tokens{257});
    CHECK(tokenizer.encode("a<tool>a", 0) == Tokens{257, 259, 257});
    CHECK(tokenizer.encode("", 0).empty());
}

TEST_CASE("the template decides about BOS and EOS, then the configuration, then names") {
    json document = bpe_document();
    CHECK(load(document).info().bos == -1);
    CHECK_FALSE(load(document).info().add_bos);
    document["post_processor"] = template_of({special("<|bos|>"), kText, special("<tool>")});
    CHECK(load(document).info().bos == 258);
    CHECK(load(document).info().eos == 259);
    CHECK(load(document).encode("ab", BITNET_ENCODE_ADD_DEFAULT) == Tokens{258, 256, 259});
    const json nested = {{"type", "Sequence"},
                         {"processors", {byte_level(), template_of({special("<|bos|>"), kText})}}};
    document["post_processor"] = nested;
    CHECK(load(document).encode("ab", BITNET_ENCODE_ADD_DEFAULT) == Tokens{258, 256});
    const std::string config = R"({"bos_token": {"content": "<|bos|>"}, "eos_token": "<tool>", "pad_token": "ab",
                                   "add_bos_token": true, "chat_template": "T"})";
    const Tokenizer configured = load(bpe_document(), config);
    CHECK(configured.info().bos == 258);
    CHECK(configured.info().eos == 259);
    CHECK(configured.info().pad == 256);
    CHECK(configured.info().add_bos);
    CHECK(configured.chat_template() == "T");
    document = bpe_document();
    document["added_tokens"][0]["content"] = "<|begin_of_text|>";
    CHECK(load(document).info().bos == 258);
}

TEST_CASE("a SentencePiece-like document: prefix, byte fallback, normalized added tokens") {
    const Tokenizer tokenizer = load(spm_document());
    CHECK(tokenizer.info().model == "spm");
    CHECK(tokenizer.info().unk == 0);
    CHECK(tokenizer.info().bos == 1);
    CHECK(tokenizer.info().eos == 2);
    CHECK(tokenizer.encode("a a", 0) == Tokens{261, 261});
    CHECK(tokenizer.encode("a\xC3\xA9", 0) == Tokens{261, 3 + 0xC3, 3 + 0xA9});
    CHECK(tokenizer.encode("a <pad>a", 0) == Tokens{261, 262, 260});  // matched with the space before it
    CHECK(tokenizer.encode("<s>a", BITNET_ENCODE_PARSE_SPECIAL) == Tokens{1, 261});
    CHECK(tokenizer.attribute(0) == BITNET_TOKEN_UNKNOWN);
    CHECK(tokenizer.attribute(3) == BITNET_TOKEN_BYTE);
    const auto metaspace = [](const char* scheme, bool split) {
        json document = with(spm_document(), "/normalizer", nullptr);
        document["pre_tokenizer"] = {
            {"type", "Metaspace"}, {"replacement", "\xE2\x96\x81"}, {"prepend_scheme", scheme}, {"split", split}};
        return load(document);
    };
    CHECK(metaspace("first", true).encode("a</s>a", BITNET_ENCODE_PARSE_SPECIAL) == Tokens{261, 2, 260});
    CHECK(metaspace("always", true).encode("a</s>a", BITNET_ENCODE_PARSE_SPECIAL) == Tokens{261, 2, 261});
    CHECK(metaspace("never", false).encode("a a", 0) == Tokens{260, 261});
    CHECK(metaspace("always", true).encode(" a", 0) == Tokens{261});
}

TEST_CASE("ids that no token has become unused tokens, unless the file is mostly such") {
    json document = with(bpe_document(), "/added_tokens/1/id", 262);
    const Tokenizer tokenizer = load(document);
    CHECK(tokenizer.n_vocab() == 263);
    CHECK(tokenizer.piece(260) == "[PAD260]");
    CHECK(tokenizer.attribute(260) == BITNET_TOKEN_UNUSED);
    CHECK(refused(with(bpe_document(), "/added_tokens/1/id", 2000000), {"too many gaps"}));
    CHECK(refused(with(bpe_document(), "/model/vocab/ab", 2000000), {"too many gaps"}));
}

TEST_CASE("steps that are not understood are refused by name") {
    const json document = bpe_document();
    CHECK(refused(with(document, "/normalizer", {{"type", "NFKC"}}), {"normalizer 'NFKC'"}));
    CHECK(refused(with(document, "/normalizer", {{"type", "Sequence"}, {"normalizers", {{{"type", "Lowercase"}}}}}),
                  {"'Lowercase'"}));
    CHECK(refused(with(document, "/pre_tokenizer", {{"type", "Whitespace"}}), {"'Whitespace'"}));
    CHECK(refused(with(document, "/pre_tokenizer", nullptr), {"without ByteLevel"}));
    const auto with_stage = [&](const json& stage) {
        return with(document, "/pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {stage, byte_level()}}});
    };
    CHECK(refused(with_stage({{"type", "BertPreTokenizer"}}), {"'BertPreTokenizer'"}));
    CHECK(refused(with_stage({{"type", "Punctuation"}, {"behavior", "Removed"}}), {"'Removed'"}));
    CHECK(refused(with_stage({{"type", "Split"}, {"pattern", {{"Regex", "\\p{Han}"}}}, {"behavior", "Isolated"}}),
                  {"'Han'"}));
    CHECK(refused(
        with_stage(
            {{"type", "Split"}, {"pattern", {{"Regex", "a"}}}, {"behavior", "MergedWithNext"}, {"invert", true}}),
        {"inverted"}));
    CHECK(refused(with_stage({{"type", "Split"}, {"behavior", "Isolated"}}), {"length"}));
    CHECK(refused(with_stage(byte_level()), {"ByteLevel twice"}));
    CHECK(
        refused(with_stage({{"type", "Sequence"}, {"pretokenizers", json::array()}}), {"Sequence inside a Sequence"}));
    CHECK(refused(with(document, "/post_processor", {{"type", "BertProcessing"}}), {"'BertProcessing'"}));
    CHECK(refused(with(document, "/post_processor", template_of({special("<|bos|>"), special("<|bos|>"), kText})),
                  {"more than one"}));
    CHECK(refused(with(document, "/post_processor", template_of(json::array({special("<|bos|>")}))),
                  {"without the text"}));
    CHECK(refused(with(document, "/post_processor", template_of({special("nope"), kText})), {"'nope'"}));
    CHECK(refused(with(document, "/decoder", {{"type", "WordPiece"}}), {"decoder 'WordPiece'"}));
    CHECK(refused(with(document, "/model/type", "WordPiece"), {"'WordPiece'", "BPE"}));
    CHECK(refused(with(document, "/model/type", "Unigram"), {"'Unigram'"}));
    CHECK(refused(with(document, "/model/dropout", 0.1), {"dropout"}));
    CHECK(refused(with(document, "/model/end_of_word_suffix", "</w>"), {"end_of_word_suffix"}));
    CHECK(refused(with(document, "/model/continuing_subword_prefix", "##"), {"continuing_subword_prefix"}));
    const json spm = spm_document();
    CHECK(refused(with(spm, "/normalizer", {{"type", "NFC"}}), {"normalizer 'NFC'"}));
    CHECK(refused(with(spm, "/model/ignore_merges", true), {"ignore_merges"}));
    CHECK(refused(with(spm, "/normalizer/normalizers/0/prepend", "_"), {"Prepend"}));
    CHECK(refused(with(spm, "/normalizer/normalizers/1/content", "_"), {"Replace"}));
    CHECK(refused(with(spm, "/pre_tokenizer", {{"type", "Metaspace"}}), {"'Metaspace'"}));
    CHECK(refused(
        with(with(spm, "/normalizer", nullptr), "/pre_tokenizer", {{"type", "Metaspace"}, {"replacement", "_"}}),
        {"Metaspace"}));
}

TEST_CASE("vocabularies that contradict themselves are refused") {
    const json document = bpe_document();
    CHECK(refused(with(document, "/model/vocab/ab", 5), {"same id 5"}));
    CHECK(refused(with(document, "/model/vocab/ab", -5), {"'ab'", "not a number"}));
    CHECK(refused(with(document, "/model/vocab/ab", "x"), {"'ab'", "not a number"}));
    CHECK(refused(with(document, "/added_tokens/0/id", 3), {"same id 3"}));
    CHECK(refused(with(document, "/added_tokens/0/content", "ab"), {"'ab'", "another id"}));
    CHECK(refused(with(document, "/added_tokens/0/content", ""), {"no content"}));
    CHECK(refused(with(document, "/added_tokens/0/special", "yes"), {"'special'"}));
    CHECK(refused(with(document, "/added_tokens", 7), {"added_tokens"}));
    CHECK(refused(with(document, "/model/merges", {"a b", "a z9"}), {"merge 1", "'z9'"}));
    CHECK(refused(with(document, "/model/merges", {"a b", "a b"}), {"merge 1", "twice"}));
    CHECK(refused(with(document, "/model/merges", {"ab"}), {"merge 0", "two parts"}));
    CHECK(refused(with(document, "/model/merges", json::array({json::array({"a"})})), {"merge 0", "two parts"}));
    CHECK(refused(with(document, "/model/merges", "none"), {"'merges'"}));
    CHECK(refused(with(document, "/model/unk_token", "nope"), {"'nope'"}));
    json incomplete = document;
    incomplete["model"]["vocab"].erase("z");
    CHECK(refused(incomplete, {"byte 122"}));
    json partly = spm_document();
    partly["model"]["vocab"].erase("<0x10>");
    CHECK(refused(partly, {"255 byte tokens"}));
    CHECK(refused(json::object(), {"'model'"}));
    CHECK(refused(json::array(), {"'model'"}));
}

TEST_CASE("text that is no JSON, or too deep, is refused on one line") {
    bitnet_status status = BITNET_E_TOKENIZER;
    const auto bad = [&](const std::string& text, std::initializer_list<std::string_view> parts) {
        return fails_with(status, parts, [&] { read_vocabulary_json(text, ""); });
    };
    CHECK(bad("{", {"not valid JSON"}));
    CHECK(bad("{\"a\":\n\n\x01}", {"not valid JSON"}));
    CHECK(bad("{\"a\": \"\xFF\"}", {"not valid JSON"}));
    status = BITNET_E_SECURITY_EXHAUSTION;
    CHECK(bad(std::string(1000000, '['), {"nested"}));
    CHECK(bad("{\"a\":" + std::string(100, '{'), {"nested"}));
    CHECK(fails_with(BITNET_E_TOKENIZER, {"tokenizer_config.json"},
                     [] { read_vocabulary_json(bpe_document().dump(), "nonsense"); }));
    const std::string text = bpe_document().dump();
    status = BITNET_E_TOKENIZER;
    for (size_t n = 0; n < text.size(); n += 97) CHECK(bad(text.substr(0, n), {"not valid JSON"}));
}
