// A vocabulary written to GGUF keys and read back is the same tokenizer, whatever file it came from.
#include "src/tokenizer/vocabulary_gguf_write.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "src/base/error.h"
#include "src/gguf/byte_source.h"
#include "src/gguf/gguf_keys.h"
#include "src/gguf/gguf_reader.h"
#include "src/tokenizer/tokenizer_files.h"
#include "src/tokenizer/tokenizer_load.h"
#include "src/tokenizer/vocabulary_keys.h"
#include "tests/src/tokenizer/spm_model_bytes.h"
#include "tests/src/tokenizer/tokenizer_fixtures.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_data.h"

using namespace bitnet;
using nlohmann::json;
using test::fails_with;
using test::Tokens;

namespace {

GgufWriter written(const Vocabulary& v) {
    GgufWriter writer;
    writer.add_string("general.architecture", "test");
    add_vocabulary_keys(writer, v);
    return writer;
}

std::shared_ptr<const GgufFile> file_of(const std::vector<uint8_t>& image) {
    return GgufFile::read(std::shared_ptr<const ByteSource>(open_memory_source(image.data(), image.size())));
}

void check_same(const Tokenizer& a, const Tokenizer& b, const std::vector<std::string>& texts) {
    REQUIRE(a.n_vocab() == b.n_vocab());
    for (bitnet_token id = 0; id < a.n_vocab(); ++id) {
        if (a.piece(id) != b.piece(id) || a.attribute(id) != b.attribute(id)) FAIL("token " << id);
    }
    CHECK(a.ends() == b.ends());
    CHECK(a.chat_template() == b.chat_template());
    CHECK(a.info().model == b.info().model);
    const auto ids = [](const TokenizerInfo& i) {
        return std::vector<int32_t>{i.bos, i.eos, i.eot, i.pad, i.unk, i.add_bos, i.add_eos};
    };
    CHECK(ids(a.info()) == ids(b.info()));
    for (const std::string& text : texts) {
        INFO(text);
        for (const uint32_t flags : {0u, uint32_t{BITNET_ENCODE_ADD_DEFAULT | BITNET_ENCODE_PARSE_SPECIAL}}) {
            const Tokens tokens = a.encode(text, flags);
            CHECK(tokens == b.encode(text, flags));
            CHECK(a.decode(tokens, BITNET_DECODE_START) == b.decode(tokens, BITNET_DECODE_START));
        }
    }
}

std::vector<std::string> random_texts(std::string_view alphabet) {
    std::vector<std::string> texts;
    for (uint64_t seed = 1; seed <= 100; ++seed) texts.push_back(test::random_text(seed, 60, seed % 2 ? alphabet : ""));
    return texts;
}

void check_round_trip(const Vocabulary& v, std::vector<std::string> texts) {
    const auto more = random_texts("ab  the.\n\xC3\xA9<s>123");
    texts.insert(texts.end(), more.begin(), more.end());
    check_same(Tokenizer(v), *test::load_gguf(written(v)), texts);
}

void check_data(const char* file, const char* cases) {
    if (!test::have_data(file) || !test::have_data("tokenizer/vocab-gguf")) return;
    std::vector<std::string> texts;
    for (const auto& [text, tokens] : test::vocab_cases(cases)) texts.push_back(text);
    REQUIRE(texts.size() == 47);
    check_round_trip(read_vocabulary_file((test::data_dir() / file).string()), texts);
}

json byte_level(bool use_regex, bool prefix) {
    return {{"type", "ByteLevel"}, {"add_prefix_space", prefix}, {"use_regex", use_regex}};
}
json split(const char* regex, const char* behavior) {
    return {{"type", "Split"}, {"pattern", {{"Regex", regex}}}, {"behavior", behavior}, {"invert", false}};
}

// 256 bytes, "ab", " a"; <|bos|> special, <tool> with all the ways to match.
json bpe_document(json pre_tokenizers) {
    const Vocabulary v = test::tiny_bpe();
    json vocab = json::object();
    for (size_t id = 0; id < 256; ++id) vocab[v.tokens[id]] = id;
    vocab["ab"] = 256;
    vocab
        ["\xC4\xA0"
         "a"] = 257;
    const json added = {{{"id", 258}, {"content", "<|bos|>"}, {"special", true}},
                        {{"id", 259}, {"content", "<tool>"}, {"lstrip", true}, {"rstrip", true}, {"single_word", true}},
                        {{"id", 270}, {"content", "ab<t"}}};
    return {{"added_tokens", added},
            {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", std::move(pre_tokenizers)}}},
            {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", {"a b", "\xC4\xA0 a"}}}}};
}

json spm_document() {
    const Vocabulary v = test::tiny_spm({{"\xE2\x96\x81", 0},
                                         {"a", 0},
                                         {"b", 0},
                                         {"\xE2\x96\x81"
                                          "a",
                                          0},
                                         {"ab", 0}});
    json vocab = json::object();
    for (size_t id = 0; id < v.tokens.size(); ++id) vocab[v.tokens[id]] = id;
    const json added = {{{"id", 0}, {"content", "<unk>"}, {"special", true}},
                        {{"id", 1}, {"content", "<s>"}, {"special", true}},
                        {{"id", 2}, {"content", "</s>"}, {"special", true}},
                        {{"id", 264}, {"content", "a b"}, {"normalized", true}}};
    const json merges = json::array({json::array({"a", "b"}), json::array({"\xE2\x96\x81", "a"})});
    return {{"added_tokens", added},
            {"model",
             {{"type", "BPE"},
              {"vocab", vocab},
              {"merges", merges},
              {"unk_token", "<unk>"},
              {"fuse_unk", true},
              {"byte_fallback", true}}}};
}

const std::vector<std::string> kTexts = {"",
                                         " ",
                                         "ab a",
                                         "  ab<tool> a",
                                         "<|bos|>ab",
                                         "a b",
                                         "x <s>a b</s> ab",
                                         "12ab34",
                                         "a\xC3\xA9 b",
                                         "ab<t",
                                         "\xE2\x96\x81"
                                         "a"};

}  // namespace

TEST_CASE("Llama 3's tokenizer.json as GGUF keys: llama-bpe by its content, the same ids on all texts") {
    check_data("tokenizer/llama3/tokenizer.json", "llama-bpe");
    if (!test::have_data("tokenizer/llama3/tokenizer.json")) return;
    GgufWriter writer;
    add_tokenizer_keys(writer, (test::data_dir() / "tokenizer/llama3").string(), 128256);
    const std::vector<uint8_t> image = writer.to_bytes();
    const auto file = file_of(image);
    CHECK(file->get_string(gguf_key::kTokenizerModel) == "gpt2");
    CHECK(file->get_string(gguf_key::kTokenizerPre) == "llama-bpe");
    CHECK(file->get_array(gguf_key::kMerges, GgufType::string)->size() == 280147);
    CHECK(file->get_uint(gguf_key::kBosId) == 128000);
    CHECK(file->get_bool(gguf_key::kAddBos) ==
          false);  // this file has no template that adds it, whatever its name means
    CHECK(file->find(tokenizer_key::kPreRegexes) == nullptr);
}
TEST_CASE("Llama 2's tokenizer.model as GGUF keys: the same ids on all texts") {
    check_data("tokenizer/llama2/tokenizer.model", "llama-spm");
}
TEST_CASE("vocabularies of GGUF files are written again as they were read") {
    check_data("tokenizer/vocab-gguf/ggml-vocab-gpt-2.gguf", "gpt-2");
    check_data("tokenizer/vocab-gguf/ggml-vocab-llama-spm.gguf", "llama-spm");
    check_data("tokenizer/vocab-gguf/ggml-vocab-phi-3.gguf", "llama-spm");
}

TEST_CASE("a pre-tokenizer that has no name is written as it is, under a name that other programs refuse") {
    for (const json& stages :
         {json::array({split("[0-9]", "Isolated"), byte_level(true, false)}),
          json::array({split("b", "MergedWithNext"), byte_level(false, false)}),
          json::array({byte_level(false, false), split("[a-z]+", "Contiguous")}),
          json::array({byte_level(true, true)}),  // braces around one value are an array or the value, by compiler
          json::array({split("b", "MergedWithPrevious"), byte_level(true, false)})}) {
        const Vocabulary v = read_vocabulary_json(bpe_document(stages).dump(), "");
        check_round_trip(v, kTexts);
        const std::vector<uint8_t> image = written(v).to_bytes();
        CHECK(file_of(image)->get_string(gguf_key::kTokenizerPre) == "custom");
    }
    json ignoring = bpe_document({split("[0-9]", "Isolated"), byte_level(true, false)});
    ignoring["model"]["ignore_merges"] = true;
    check_round_trip(read_vocabulary_json(ignoring.dump(), ""), kTexts);
}

TEST_CASE("Qwen's tokenizer: text is composed before it is cut, and the file says so") {
    json document = bpe_document(
        {split(std::string(find_pretokenizer("qwen2")->regexes[0]).c_str(), "Isolated"), byte_level(false, false)});
    document["normalizer"] = {{"type", "NFC"}};
    const Vocabulary v = read_vocabulary_json(document.dump(), "");
    const Tokenizer tokenizer(v);
    CHECK(tokenizer.encode("e\xCC\x81", 0) == tokenizer.encode("\xC3\xA9", 0));
    CHECK(tokenizer.decode(tokenizer.encode("<|bos|>e\xCC\x81", 0), 0) == "<|bos|>\xC3\xA9");
    check_round_trip(v, {"e\xCC\x81 a", "ab<tool>e\xCC\x81"});
    const std::vector<uint8_t> image = written(v).to_bytes();
    CHECK(file_of(image)->get_string(gguf_key::kTokenizerPre) == "qwen2");
    CHECK(test::load_gguf(written(v))->encode("e\xCC\x81", 0) == tokenizer.encode("\xC3\xA9", 0));
}

TEST_CASE("a pre-tokenizer is named after its expressions and its treatment of merges") {
    const auto name_of = [](bool ignore_merges) {
        const PretokenizerRow* llama = find_pretokenizer("llama-bpe");
        json document =
            bpe_document({split(std::string(llama->regexes[0]).c_str(), "Isolated"), byte_level(false, false)});
        document["model"]["ignore_merges"] = ignore_merges;
        const Vocabulary v = read_vocabulary_json(document.dump(), "");
        check_round_trip(v, kTexts);
        const std::vector<uint8_t> image = written(v).to_bytes();
        return std::string(file_of(image)->get_string(gguf_key::kTokenizerPre).value());
    };
    CHECK(name_of(true) == "llama-bpe");
    CHECK(name_of(false) == "smaug-bpe");  // the same expression, merges obeyed
}

TEST_CASE("SentencePiece-like documents keep their way with spaces, merges and added tokens") {
    const json prepend = {{"type", "Prepend"}, {"prepend", "\xE2\x96\x81"}};
    const json replace = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\xE2\x96\x81"}};
    json document = spm_document();
    document["normalizer"] = {{"type", "Sequence"}, {"normalizers", {prepend, replace}}};
    check_round_trip(read_vocabulary_json(document.dump(), ""), kTexts);
    document["normalizer"] = replace;
    check_round_trip(read_vocabulary_json(document.dump(), ""), kTexts);
    document["model"]["byte_fallback"] = false;
    document["model"]["fuse_unk"] = false;
    check_round_trip(read_vocabulary_json(document.dump(), ""), kTexts);
    document = spm_document();
    for (const char* scheme : {"always", "first", "never"}) {
        for (const bool at_spaces : {true, false}) {
            document["pre_tokenizer"] = {{"type", "Metaspace"}, {"prepend_scheme", scheme}, {"split", at_spaces}};
            check_round_trip(read_vocabulary_json(document.dump(), ""), kTexts);
        }
    }
    // Programs that know scores only find the first merge best.
    const std::vector<uint8_t> image = written(read_vocabulary_json(document.dump(), "")).to_bytes();
    const auto file = file_of(image);
    const GgufValue* scores = file->get_array(gguf_key::kScores, GgufType::f32);
    CHECK(scores->as_float(263).value() > scores->as_float(262).value());
    CHECK(scores->as_float(262).value() > scores->as_float(260).value());
}

TEST_CASE("ids that a SentencePiece vocabulary does not have are not made up by readers") {
    Vocabulary v = test::tiny_spm({{"\xE2\x96\x81", 0}, {"a", -1}});
    v.bos = v.eos = -1;
    const auto tokenizer = test::load_gguf(written(v));
    CHECK(tokenizer->info().bos == -1);
    CHECK(tokenizer->info().eos == -1);
}

TEST_CASE("a vocabulary is filled up to the model's rows with tokens that nothing uses") {
    for (Vocabulary v : {test::tiny_bpe({{"a", "b"}}), test::tiny_spm({{"\xE2\x96\x81", 0}, {"a", -1}})}) {
        const size_t n = v.tokens.size();
        const Tokens before = Tokenizer(v).encode("a [PAD260] b", 0);
        fill_vocabulary(v, n + 3);
        const auto tokenizer = test::load_gguf(written(v));
        REQUIRE(tokenizer->n_vocab() == static_cast<int32_t>(n) + 3);
        CHECK(tokenizer->piece(static_cast<bitnet_token>(n)) == "[PAD" + std::to_string(n) + "]");
        CHECK(tokenizer->attribute(static_cast<bitnet_token>(n)) == BITNET_TOKEN_UNUSED);
        CHECK(tokenizer->encode("a [PAD260] b", 0) == before);
        CHECK(fails_with(BITNET_E_TOKENIZER, {std::to_string(n + 3), std::to_string(n), "do not belong together"},
                         [&] { fill_vocabulary(v, n); }));
        CHECK(fails_with(BITNET_E_TOKENIZER, {"16777216"}, [&] { fill_vocabulary(v, SIZE_MAX); }));
    }
}

TEST_CASE("a folder of a tokenizer.model: added tokens, special ids, end tokens and the chat template") {
    using namespace test::spm_bytes;
    const test::TempDir folder;
    const auto write = [&](const char* name, const std::string& text) {
        folder.write(name, std::vector<uint8_t>(text.begin(), text.end()));
    };
    const std::string path = folder.path().string();
    CHECK(fails_with(BITNET_E_FILE_NOT_FOUND, {path, "tokenizer.model"}, [&] { read_vocabulary_file(path); }));
    write("tokenizer.model", pieces() + trainer() + normalizer());
    write("added_tokens.json", R"({"<pad>": 8, "</line>": 10})");
    write("special_tokens_map.json", R"({"pad_token": {"content": "<pad>"}, "eos_token": "</line>"})");
    write("tokenizer_config.json", R"({"eos_token": "</s>", "add_eos_token": true, "chat_template":
        [{"name": "tool_use", "template": "A"}, {"name": "default", "template": "B"}],
        "added_tokens_decoder": {"10": {"content": "</line>", "special": false, "normalized": false, "lstrip": true}}})");
    write("generation_config.json", R"({"eos_token_id": [2, 10, 900], "bos_token_id": 5})");
    GgufWriter writer;
    add_tokenizer_keys(writer, path, 13);
    const auto tokenizer = test::load_gguf(writer);
    REQUIRE(tokenizer->n_vocab() == 13);
    CHECK(tokenizer->piece(8) == "<pad>");
    CHECK(tokenizer->attribute(8) == BITNET_TOKEN_CONTROL);
    CHECK(tokenizer->piece(9) == "[PAD9]");
    CHECK(tokenizer->attribute(9) == BITNET_TOKEN_UNUSED);
    CHECK(tokenizer->attribute(10) == BITNET_TOKEN_USER_DEFINED);
    CHECK(tokenizer->info().pad == 8);
    CHECK(tokenizer->info().bos == 1);
    CHECK(tokenizer->info().eos == 2);
    CHECK(tokenizer->info().add_eos);
    CHECK(tokenizer->ends() == Tokens{2, 10});
    CHECK(tokenizer->chat_template() == "B");
    CHECK(tokenizer->encode("ab </line>a", 0) == Tokens{6, 5, 10, 6});
    check_same(*load_tokenizer(path), *load_tokenizer(folder.file("tokenizer.model")), kTexts);
    write("chat_template.jinja", "C");
    CHECK(read_vocabulary_file(path).chat_template == "C");

    const auto refused = [&](const char* name, const std::string& text, std::initializer_list<std::string_view> parts) {
        const std::vector<uint8_t> before = test::read_file(folder.path() / name);
        write(name, text);
        const bool ok = fails_with(BITNET_E_TOKENIZER, parts, [&] { read_vocabulary_file(path); });
        folder.write(name, before);
        return ok;
    };
    CHECK(refused("added_tokens.json", R"({"x": 8, "y": 8})", {path, "two tokens have the id 8"}));
    CHECK(refused("added_tokens.json", R"({"x": -1})", {"'x'", "not a number"}));
    CHECK(refused("added_tokens.json", R"({"x": 900000})", {"'x'", "900000", "far behind"}));
    CHECK(refused("added_tokens.json", R"(["x"])", {"added_tokens.json is not an object"}));
    CHECK(refused("added_tokens.json", "{", {"added_tokens.json is not valid JSON"}));
    CHECK(refused("tokenizer_config.json", R"({"added_tokens_decoder": {"x": {"content": "y"}}})", {"'x'"}));
    CHECK(refused("tokenizer_config.json", R"({"added_tokens_decoder": {"9": {}}})", {"'9'", "no content"}));
    CHECK(refused("tokenizer_config.json", R"({"added_tokens_decoder": []})", {"added_tokens_decoder"}));
    CHECK(refused("special_tokens_map.json", "nope", {"special_tokens_map.json is not valid JSON"}));
    CHECK(refused("generation_config.json", "{]", {"generation_config.json is not valid JSON"}));
    std::string many = R"({"eos_token_id": [0)";
    for (int i = 0; i < 64; ++i) many += ",1";
    CHECK(refused("generation_config.json", many + "]}", {"more than 64 end tokens"}));
    GgufWriter small;
    CHECK(
        fails_with(BITNET_E_TOKENIZER, {path, "do not belong together"}, [&] { add_tokenizer_keys(small, path, 9); }));
}

TEST_CASE("keys of our own that make no sense are refused by name") {
    const Vocabulary custom =
        read_vocabulary_json(bpe_document({split("b", "Isolated"), byte_level(true, false)}).dump(), "");
    const std::vector<uint8_t> image = written(custom).to_bytes();
    const auto changed = [&](const char* key, const std::function<void(GgufWriter&)>& add) {
        const auto file = file_of(image);
        GgufWriter writer;
        for (size_t i = 0; i < file->n_keys(); ++i) {
            if (file->key_at(i) != key) writer.add_value(file->key_at(i), file->value_at(i));
        }
        add(writer);
        return writer;
    };
    const auto refused = [&](const char* key, std::initializer_list<std::string_view> parts,
                             const std::function<void(GgufWriter&)>& add) {
        return fails_with(BITNET_E_TOKENIZER, parts, [&] { test::load_gguf(changed(key, add)); });
    };
    using namespace tokenizer_key;
    CHECK(refused(kPreRegexes, {"'custom'", kPreRegexes}, [](GgufWriter&) {}));
    CHECK(refused(kPreRegexes, {kPreRegexes, "65 stages"}, [](GgufWriter& w) {
        w.add_string_array(kPreRegexes, std::span<const std::string>(std::vector<std::string>(65, "a")));
    }));
    CHECK(refused(kPreBehaviors, {kPreBehaviors, "unknown value 4"}, [](GgufWriter& w) {
        w.add_u8_array(kPreBehaviors, std::vector<uint8_t>{0, 4});
    }));
    CHECK(refused(kPreBehaviors, {kPreBehaviors, "3 entries for 2"}, [](GgufWriter& w) {
        w.add_u8_array(kPreBehaviors, std::vector<uint8_t>{0, 0, 0});
    }));
    CHECK(refused(kPreOverBytes, {kPreOverBytes, "goes back"}, [](GgufWriter& w) {
        w.add_bool_array(kPreOverBytes, {true, false});
    }));
    CHECK(refused(kTokenFlags, {kTokenFlags, "unknown value 32"},
                  [&](GgufWriter& w) { w.add_u8_array(kTokenFlags, std::vector<uint8_t>(custom.tokens.size(), 32)); }));
    CHECK(refused(kEndIds, {kEndIds, "token 5000"}, [](GgufWriter& w) {
        w.add_u32_array(kEndIds, std::vector<uint32_t>{1, 5000});
    }));
    const auto spm = [](const char* prefix) {
        GgufWriter writer = written(test::tiny_spm({{"\xE2\x96\x81", 0}, {"a", -1}}));
        writer.add_string(kSpacePrefix, prefix);
        return writer;
    };
    CHECK(fails_with(BITNET_E_TOKENIZER, {kSpacePrefix, "'often'"}, [&] { test::load_gguf(spm("often")); }));
    Vocabulary spaced = test::tiny_bpe({{"a", "b"}});
    spaced.merges[0] = {"a bb", 3};
    CHECK(fails_with(BITNET_E_TOKENIZER, {"merge 0", "space"}, [&] { written(spaced); }));
}
