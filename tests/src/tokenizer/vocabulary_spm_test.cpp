// SentencePiece tokenizer.model files, made here field by field, right and wrong.
#include <doctest/doctest.h>

#include "tests/src/tokenizer/spm_model_bytes.h"
#include "tests/src/tokenizer/tokenizer_fixtures.h"

using namespace bitnet;
using test::fails_with;
using test::Tokens;
using namespace test::spm_bytes;

namespace {

Tokenizer load(const std::string& model, const std::string& config = "") {
    return Tokenizer(read_vocabulary_spm(model, config));
}
bool refused(const std::string& model, std::initializer_list<std::string_view> parts) {
    return fails_with(BITNET_E_TOKENIZER, parts, [&] { load(model); });
}

}  // namespace

TEST_CASE("a small model is read with SentencePiece's defaults") {
    const Tokenizer tokenizer = load(pieces() + trainer() + normalizer());
    CHECK(tokenizer.info().source == "tokenizer.model");
    CHECK(tokenizer.info().model == "spm");
    CHECK(tokenizer.info().bos == 1);
    CHECK(tokenizer.info().eos == 2);
    CHECK(tokenizer.info().unk == 0);
    CHECK(tokenizer.info().pad == -1);
    CHECK(tokenizer.info().add_bos);
    CHECK_FALSE(tokenizer.info().add_eos);
    CHECK(tokenizer.encode("ab", 0) == Tokens{6, 5});
    CHECK(tokenizer.encode("  a   b ", 0) ==
          Tokens{6, 3, 5});  // extra spaces are removed unless the file says otherwise
    CHECK(tokenizer.encode("axx", 0) == Tokens{6, 0});
}

TEST_CASE("the settings of the normalizer and the trainer are obeyed") {
    const std::string no_prefix = normalizer(number_field(3, 0) + number_field(4, 0));
    CHECK(load(pieces() + trainer() + no_prefix).encode("ab  a", 0) == Tokens{7, 3, 6});
    const std::string names = bytes_field(2, number_field(3, 2) + bytes_field(46, "</s>") + bytes_field(47, "<s>"));
    CHECK(load(pieces() + names + normalizer()).info().bos == 2);
    CHECK(load(pieces() + names + normalizer()).info().eos == 1);
    const std::string config = R"({"add_bos_token": false, "add_eos_token": true, "chat_template": "t"})";
    CHECK_FALSE(load(pieces() + trainer() + normalizer(), config).info().add_bos);
    CHECK(load(pieces() + trainer() + normalizer(), config).info().add_eos);
    CHECK(load(pieces() + trainer() + normalizer(), config).chat_template() == "t");
}

TEST_CASE("user-defined pieces are found in normalized text and do not merge") {
    const std::string model = pieces() +
                              piece(
                                  "\xE2\x96\x81"
                                  "b",
                                  0, 4) +
                              trainer() + normalizer(number_field(4, 0));
    const Tokenizer tokenizer = load(model);
    CHECK(tokenizer.encode("a b", 0) == Tokens{6, 8});
    CHECK(tokenizer.encode("b", 0) == Tokens{8});  // the prefix is part of the match
    CHECK(tokenizer.encode("ab b", 0) == Tokens{6, 5, 8});
    CHECK(tokenizer.decode(Tokens{8}, 0) == " b");
}

TEST_CASE("what this build does not do is refused by name") {
    CHECK(refused(pieces() + trainer(1) + normalizer(), {"unigram"}));
    CHECK(refused(pieces() + normalizer(), {"unigram"}));  // the default of the format
    CHECK(refused(pieces() + trainer(3) + normalizer(), {"word"}));
    CHECK(refused(pieces() + trainer(77) + normalizer(), {"77"}));
    CHECK(refused(pieces() + bytes_field(2, number_field(3, 2) + number_field(24, 1)), {"treat_whitespace_as_suffix"}));
    CHECK(refused(pieces() + trainer() + normalizer(number_field(5, 0)), {"unescaped whitespace"}));
    CHECK(refused(pieces() + trainer() + bytes_field(3, bytes_field(1, "nmt_nfkc") + bytes_field(2, "map")),
                  {"'nmt_nfkc'"}));
    CHECK(refused(pieces() + trainer() + normalizer(bytes_field(6, "a\tb")), {"normalization"}));
}

TEST_CASE("damaged files are refused, wherever they end") {
    const std::string model = pieces() + trainer() + normalizer();
    CHECK(refused("", {"no pieces"}));
    CHECK(refused(trainer() + normalizer(), {"no pieces"}));
    CHECK(refused("this is a text, not a model", {"not a SentencePiece model"}));
    CHECK(refused(std::string(64, '\xFF'), {"not a SentencePiece model"}));
    for (size_t n = 1; n < model.size(); ++n) {
        // Shorter files are damaged or say something else; they must not crash or read past the end.
        test::error_of([&] { load(model.substr(0, n)); });
    }
    CHECK(refused(bytes_field(1, bytes_field(1, "a") + number_field(3, 9)) + trainer(), {"unknown type"}));
    CHECK(refused(bytes_field(1, number_field(1, 5)) + trainer(), {"wrong type"}));
    CHECK(refused(bytes_field(1, bytes_field(2, "1234")) + trainer(), {"score has the wrong type"}));
    CHECK(refused(number_field(1, 5) + trainer(), {"wrong type"}));
    CHECK(refused(pieces() + "\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", {"ends inside a field"}));
    CHECK(refused(pieces() + "\x0B", {"wire type"}));
    CHECK(refused(pieces() + std::string(11, '\x80'), {"longer than 10 bytes"}));
}

TEST_CASE("bit flips in a model give an error or a tokenizer that works") {
    const std::string model = pieces() + trainer() + normalizer();
    for (size_t at = 0; at < model.size(); ++at) {
        for (int bit = 0; bit < 8; ++bit) {
            std::string changed = model;
            changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
            test::error_of([&] {
                const Tokenizer tokenizer = load(changed);
                tokenizer.decode(tokenizer.encode("a bab \xFF x", BITNET_ENCODE_PARSE_SPECIAL), 0);
            });
        }
    }
}
