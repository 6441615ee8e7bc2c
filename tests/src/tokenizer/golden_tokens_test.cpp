// Token ids that other programs published, for the real vocabularies.
#include <doctest/doctest.h>

#include <cstdio>
#include <map>

#include <nlohmann/json.hpp>

#include "tests/src/tokenizer/tokenizer_fixtures.h"
#include "tests/support/test_data.h"

using namespace bitnet;
using test::Tokens;

namespace {

constexpr char kLlama3[] = "tokenizer/llama3/tokenizer.json";
constexpr char kLlama2[] = "tokenizer/llama2/tokenizer.model";

void check_cases(const char* vocabulary, const char* cases) {
    if (!test::have_data(vocabulary)) return;
    const Tokenizer& tokenizer = test::tokenizer_of(vocabulary);
    const auto expected = test::vocab_cases(cases);
    REQUIRE(expected.size() == 47);
    for (const auto& [text_of_case, tokens] : expected) {
        const auto& text = text_of_case;  // C++20 captures bindings, clang 14 does not yet
        INFO(text);
        CHECK(tokenizer.encode(text, 0) == tokens);
        CHECK(tokenizer.decode(tokens, BITNET_DECODE_START) == text);
    }
}

std::string hex_of(std::string_view bytes) {
    std::string hex;
    for (const char byte : bytes) {
        char digits[3];
        std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned>(static_cast<unsigned char>(byte)));
        hex += digits;
    }
    return hex;
}

// The Llama 3 vocabulary as a GGUF file has it, without tokenizer.ggml.pre.
std::shared_ptr<const Tokenizer> llama3_gguf(const char* architecture) {
    static const Vocabulary vocabulary = read_vocabulary_json(test::data_file(kLlama3), "");
    Vocabulary v = vocabulary;
    v.architecture = architecture;
    v.pre.clear();
    v.bos = 128000;
    v.eos = 128001;
    return test::load_gguf(test::gguf_of(v));
}

}  // namespace

// The reference program ran on the official GGUF, which lacks tokenizer.ggml.pre, and fell back to "default" with a
// warning. Its ids are therefore those of that pre-tokenizer; the model's own (Llama 3's) differ where "-bit" and a
// full stop with the line end after it are one piece each.
TEST_CASE("BitNet 2B-4T: the seven texts tokenised by the reference program") {
    const char* file = "golden/bitnet2b4t-standard_tokens.json";
    if (!test::have_data(file) || !test::have_data(kLlama3)) return;
    const Tokenizer& tokenizer = test::tokenizer_of(kLlama3);
    const auto fallback = llama3_gguf("other");
    REQUIRE(fallback->info().pre == "default");
    const std::map<std::string, Tokens> differing = {
        {"en_numbers_symbols", {128000, 5755, 220, 16, 13, 2970, 5829, 220, 17, 15615, 14661, 11, 1314, 30}},
        {"zh_multiline", {103983, 23039, 5232, 108891, 82805, 9174, 106135, 23039, 5232, 114638, 50027, 1811}}};
    const nlohmann::json golden = nlohmann::json::parse(test::data_file(file));
    REQUIRE(golden["test_cases"].size() == 7);
    size_t n_differing = 0;
    for (const auto& c : golden["test_cases"]) {
        const std::string text = c["text"];
        INFO(text);
        const Tokens published = c["token_ids"].get<Tokens>();
        const uint32_t flags = c["add_bos"].get<bool>() ? BITNET_ENCODE_ADD_BOS : 0;
        CHECK(fallback->encode(text, flags) == published);
        CHECK(tokenizer.decode(published, 0) == text);
        for (const auto& token : c["tokens"]) {
            const bitnet_token id = token["id"];
            CHECK(hex_of(tokenizer.decode({&id, 1}, 0)) == token["utf8_hex"].get<std::string>());
        }
        const auto own = differing.find(c["name"].get<std::string>());
        n_differing += own != differing.end();
        CHECK(tokenizer.encode(text, flags) == (own == differing.end() ? published : own->second));
    }
    CHECK(n_differing == differing.size());
}

TEST_CASE("BitNet 2B-4T: the examples with special tokens") {
    const char* file = "golden/bitnet2b4t-facts.json";
    if (!test::have_data(file) || !test::have_data(kLlama3)) return;
    const Tokenizer& tokenizer = test::tokenizer_of(kLlama3);
    const nlohmann::json facts = nlohmann::json::parse(test::data_file(file));
    REQUIRE(facts["tokenizer_examples"].size() >= 6);
    for (const auto& example : facts["tokenizer_examples"]) {
        const std::string text = example[0];
        INFO(text);
        CHECK(tokenizer.encode(text, BITNET_ENCODE_ADD_BOS | BITNET_ENCODE_PARSE_SPECIAL) == example[1].get<Tokens>());
    }
}

TEST_CASE("llama-bpe: every case of the Llama 3 vocabulary") { check_cases(kLlama3, "llama-bpe"); }
TEST_CASE("llama-spm: every case, from GGUF") {
    check_cases("tokenizer/vocab-gguf/ggml-vocab-llama-spm.gguf", "llama-spm");
}
TEST_CASE("llama-spm: every case, from tokenizer.model") { check_cases(kLlama2, "llama-spm"); }
TEST_CASE("gpt-2: every case, from GGUF") { check_cases("tokenizer/vocab-gguf/ggml-vocab-gpt-2.gguf", "gpt-2"); }
TEST_CASE("phi-3: the Llama 2 vocabulary with more added tokens gives the same ids") {
    check_cases("tokenizer/vocab-gguf/ggml-vocab-phi-3.gguf", "llama-spm");
}

TEST_CASE("tokenizer.model and its GGUF conversion are the same vocabulary") {
    const char* gguf = "tokenizer/vocab-gguf/ggml-vocab-llama-spm.gguf";
    if (!test::have_data(gguf) || !test::have_data(kLlama2)) return;
    const Tokenizer& a = test::tokenizer_of(gguf);
    const Tokenizer& b = test::tokenizer_of(kLlama2);
    REQUIRE(a.n_vocab() == 32000);
    REQUIRE(b.n_vocab() == 32000);
    for (bitnet_token id = 0; id < a.n_vocab(); ++id) {
        if (a.piece(id) != b.piece(id) || a.attribute(id) != b.attribute(id)) FAIL("token " << id);
    }
    CHECK(a.info().bos == b.info().bos);
    CHECK(a.info().eos == b.info().eos);
    CHECK(a.info().unk == b.info().unk);
    CHECK(a.info().add_bos == b.info().add_bos);
    for (uint64_t seed = 1; seed <= 200; ++seed) {
        const std::string text = test::random_text(seed, 80, seed % 2 == 0 ? "" : "abc  the.\n\xC3\xA9");
        CHECK(a.encode(text, 0) == b.encode(text, 0));
    }
}

TEST_CASE("the Llama 3 vocabulary gives the same ids from a BitNet GGUF without tokenizer.ggml.pre") {
    if (!test::have_data(kLlama3)) return;
    const auto tokenizer = llama3_gguf("bitnet-b1.58");
    CHECK(tokenizer->info().pre == "llama-bpe");
    CHECK(tokenizer->info().source == "gguf");
    CHECK(tokenizer->info().add_bos);
    CHECK(tokenizer->n_vocab() == 128256);
    CHECK(tokenizer->is_end(128001));
    CHECK(tokenizer->is_end(128009));
    CHECK_FALSE(tokenizer->is_end(128000));
    CHECK(tokenizer->info().eot == 128009);
    for (const auto& [text, tokens] : test::vocab_cases("llama-bpe")) CHECK(tokenizer->encode(text, 0) == tokens);
    CHECK(llama3_gguf("bitnet-25")->info().pre == "llama-bpe");
}

TEST_CASE("stories3m: the vocabulary of the trained model round-trips its stories") {
    const char* model = "models/stories3m-i2_s.gguf";
    if (!test::have_data(model) || !test::have_data("tinystories/valid.txt")) return;
    const Tokenizer& tokenizer = test::tokenizer_of(model);
    CHECK(tokenizer.info().model == "spm");
    CHECK(tokenizer.n_vocab() == 512);
    const std::string text = test::data_file("tinystories/valid.txt").substr(0, 20000);
    const Tokens tokens = tokenizer.encode(text, BITNET_ENCODE_ADD_BOS);
    CHECK(tokens[0] == 1);
    CHECK(tokens.size() < text.size() * 2 / 3);
    CHECK(tokenizer.decode(tokens, BITNET_DECODE_START) == text);
}

TEST_CASE("a vocabulary of another kind is refused by name") {
    const char* bert = "tokenizer/vocab-gguf/ggml-vocab-bert-bge.gguf";
    if (!test::have_data(bert)) return;
    CHECK(test::fails_with(BITNET_E_TOKENIZER, {"bert-bge.gguf", "'bert'", "gpt2"}, [&] { test::tokenizer_of(bert); }));
}
