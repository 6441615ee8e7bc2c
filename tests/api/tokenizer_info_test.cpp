// What a tokenizer tells about itself: its source, its kind, its vocabulary and its special tokens are those of its file.
#include <doctest/doctest.h>

#include <string>

#include "tests/support/api_fixture.h"
#include "tests/support/temp_dir.h"

namespace {

bitnet_tokenizer_info tokenizer_info(const bitnet_tokenizer* tokenizer) {
    REQUIRE(tokenizer != nullptr);
    bitnet_tokenizer_info info = {};
    info.struct_size = sizeof info;
    test::must(bitnet_tokenizer_get_info(tokenizer, &info));
    return info;
}

test::TokenizerHandle load_tokenizer(const std::string& path) {
    bitnet_tokenizer* tokenizer = nullptr;
    test::must(bitnet_tokenizer_load(path.c_str(), &tokenizer));
    return test::TokenizerHandle(tokenizer);
}

std::string piece_of(const bitnet_tokenizer* tokenizer, bitnet_token token) {
    const char* piece = nullptr;
    size_t n_bytes = 0;
    test::must(bitnet_tokenizer_get_piece(tokenizer, token, &piece, &n_bytes));
    return std::string(piece, n_bytes);
}

std::string metadata(const test::ModelHandle& model, const char* key) {
    char text[100];
    test::must(bitnet_model_get_metadata(model.get(), key, text, sizeof text, nullptr));
    return text;
}

}  // namespace

TEST_CASE("the tokenizer inside a model tells the source, kind, size and special tokens of the file") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const bitnet_tokenizer* tokenizer = bitnet_model_get_tokenizer(model.get());
    const bitnet_tokenizer_info info = tokenizer_info(tokenizer);
    CHECK(std::string(info.source) == "gguf");
    CHECK(std::string(info.model) == "bpe");
    CHECK(info.pre == metadata(model, "tokenizer.ggml.pre"));
    CHECK(info.n_vocab == test::info_of(model).n_vocab);
    CHECK(info.n_vocab == bitnet_tokenizer_get_n_vocab(tokenizer));
    CHECK(std::to_string(info.bos) == metadata(model, "tokenizer.ggml.bos_token_id"));
    CHECK(std::to_string(info.eos) == metadata(model, "tokenizer.ggml.eos_token_id"));
    CHECK(std::to_string(info.eot) == metadata(model, "tokenizer.ggml.eot_token_id"));
    CHECK(info.unk == -1);  // the file has none
    CHECK((info.add_bos == 1) == (metadata(model, "tokenizer.ggml.add_bos_token") == "true"));
    CHECK(info.add_eos == 0);
    for (const bitnet_token token : {info.bos, info.eos, info.eot}) {
        CHECK(bitnet_tokenizer_get_attribute(tokenizer, token) == BITNET_TOKEN_CONTROL);
        CHECK(bitnet_tokenizer_is_end(tokenizer, token) == (token == info.bos ? 0 : 1));
    }
}

TEST_CASE("the same tokenizer from a GGUF file and from tokenizer.json tells the same but for its source") {
    const std::string folder = (test::golden_dir().parent_path().parent_path() / "examples/stories").string();
    const test::TokenizerHandle gguf = load_tokenizer(folder + "/stories.gguf");
    const test::TokenizerHandle json = load_tokenizer(folder + "/tokenizer.json");
    const bitnet_tokenizer_info a = tokenizer_info(gguf.get()), b = tokenizer_info(json.get());
    CHECK(std::string(a.source) == "gguf");
    CHECK(std::string(b.source) == "tokenizer.json");
    CHECK(std::string(a.model) == std::string(b.model));
    CHECK(a.n_vocab == b.n_vocab);
    CHECK(piece_of(gguf.get(), a.bos) == piece_of(json.get(), a.bos));
    CHECK(piece_of(gguf.get(), a.eos) == piece_of(json.get(), a.eos));
}
