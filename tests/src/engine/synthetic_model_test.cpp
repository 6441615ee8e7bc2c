// The generator of synthetic models: valid files, repeatable, with activations that stay sane.
#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "src/base/error.h"
#include "tests/support/api_fixture.h"
#include "tests/support/model_edit.h"
#include "tests/support/synthetic_model.h"
#include "tests/support/temp_dir.h"

namespace {

std::vector<uint8_t> made(const test::TempDir& folder, const test::SyntheticOptions& options) {
    test::write_synthetic_model(folder.file("tiny.gguf"), *test::find_synthetic_shape("tiny"), options);
    return test::read_file(folder.path() / "tiny.gguf");
}

}  // namespace

TEST_CASE("a synthetic model loads, tokenizes every byte and gives finite logits of a few units") {
    const test::TempDir folder;
    for (const kern::QuantType head : {kern::QuantType::f16, kern::QuantType::q8_0, kern::QuantType::q6_k}) {
        const std::vector<uint8_t> bytes = made(folder, {head, 3, {}});
        const test::ModelHandle model = test::load_model(bytes);
        CHECK(std::string(test::info_of(model).quantization) == "i2_s");
        const bitnet_tokenizer* tokenizer = bitnet_model_get_tokenizer(model.get());
        REQUIRE(tokenizer != nullptr);
        CHECK(bitnet_tokenizer_get_n_vocab(tokenizer) == 512);
        std::string text;
        for (int c = 1; c < 256; ++c) text += static_cast<char>(c);
        test::Tokens tokens(1000);
        size_t n = 0, n_bytes = 0;
        test::must(bitnet_tokenizer_encode(tokenizer, text.data(), text.size(), BITNET_ENCODE_ADD_BOS, tokens.data(),
                                           tokens.size(), &n));
        tokens.resize(n);
        CHECK(tokens[0] == 510);
        std::string back(1000, ' ');
        test::must(bitnet_tokenizer_decode(tokenizer, tokens.data(), n, 0, back.data(), back.size(), &n_bytes));
        back.resize(n_bytes);
        CHECK(back == text);

        const test::Logits logits = test::fresh_logits(model, {510, 5, 300, 7});
        double square = 0.0;
        for (const float logit : logits) square += static_cast<double>(logit) * static_cast<double>(logit);
        const double deviation = std::sqrt(square / static_cast<double>(logits.size()));
        CHECK(deviation > 0.5);
        CHECK(deviation < 20.0);
    }
}

TEST_CASE("the same seed gives the same file, another seed another, and a third of the codes are zeros") {
    const test::TempDir folder;
    const std::vector<uint8_t> first = made(folder, {kern::QuantType::f16, 1, {}});
    CHECK(made(folder, {kern::QuantType::f16, 1, {}}) == first);
    const std::vector<uint8_t> other = made(folder, {kern::QuantType::f16, 2, {}});
    CHECK(other.size() == first.size());
    CHECK(other != first);
    test::ModelEdit file(first);
    const test::EditTensor& tensor = file.tensor("blk.1.ffn_up.weight");
    int counts[4] = {};
    for (size_t i = 0; i < tensor.n_elements() / 4; ++i) {
        for (int f = 0; f < 8; f += 2) ++counts[tensor.data[i] >> f & 3];
    }
    CHECK(counts[3] == 0);
    for (int code = 0; code < 3; ++code)
        CHECK(std::abs(counts[code] / static_cast<double>(tensor.n_elements()) - 1.0 / 3) < 0.01);
}

TEST_CASE("shapes are found by name, and each fits together") {
    CHECK(test::find_synthetic_shape("huge") == nullptr);
    for (const char* name : {"2b4t", "large", "8b", "tiny"}) {
        CAPTURE(std::string(name));
        CHECK(test::synthetic_shape_names().find(name) != std::string::npos);
        const test::SyntheticShape* shape = test::find_synthetic_shape(name);
        REQUIRE(shape != nullptr);
        CHECK(shape->n_embd == shape->n_head * shape->head_dim);
        CHECK(shape->n_head % shape->n_head_kv == 0);
        CHECK(shape->n_embd % 256 == 0);
        CHECK(shape->n_ff % 128 == 0);
    }
}

TEST_CASE("writing can be stopped and leaves no file") {
    const test::TempDir folder;
    test::SyntheticOptions options;
    options.on_progress = [](uint64_t done, uint64_t total) { return done < total / 2; };
    CHECK_THROWS_AS(made(folder, options), bitnet::Error);
    CHECK(folder.n_files() == 0);
}
