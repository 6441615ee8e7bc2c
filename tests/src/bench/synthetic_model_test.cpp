// The generator of synthetic models: valid files, repeatable, with activations that stay sane.
#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "kernels/ternary_dialects.h"
#include "src/base/error.h"
#include "src/bench/synthetic_model.h"
#include "tests/support/api_fixture.h"
#include "tests/support/model_edit.h"
#include "tests/support/temp_dir.h"

namespace {

std::vector<uint8_t> made(const test::TempDir& folder, const bitnet::SyntheticOptions& options) {
    bitnet::write_synthetic_model(folder.file("tiny.gguf"), *bitnet::find_synthetic_shape("tiny"), options);
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
    CHECK(bitnet::find_synthetic_shape("huge") == nullptr);
    for (const char* name : {"2b4t", "large", "3b", "8b", "tiny"}) {
        CAPTURE(std::string(name));
        CHECK(bitnet::synthetic_shape_names().find(name) != std::string::npos);
        const bitnet::SyntheticShape* shape = bitnet::find_synthetic_shape(name);
        REQUIRE(shape != nullptr);
        CHECK(shape->n_embd == shape->n_head * shape->head_dim);
        CHECK(shape->n_head % shape->n_head_kv == 0);
        CHECK(bitnet::synthetic_matrix_type(shape->n_embd) == kern::QuantType::i2_s);
        CHECK(shape->n_ff % 64 == 0);
        CHECK((bitnet::synthetic_matrix_type(shape->n_ff) == kern::QuantType::iq2_bn) == (std::string(name) == "3b"));
    }
}

TEST_CASE("rows that are no whole blocks of I2_S become IQ2_BN, and a head whose blocks do not fit is refused") {
    const test::TempDir folder;
    bitnet::SyntheticShape shape = *bitnet::find_synthetic_shape("tiny");
    shape.n_ff = 576;  // nine blocks of 64
    bitnet::write_synthetic_model(folder.file("odd.gguf"), shape, {kern::QuantType::q8_0, 1, {}});
    const std::vector<uint8_t> bytes = test::read_file(folder.path() / "odd.gguf");
    test::ModelEdit file(bytes);
    const test::EditTensor& tensor = file.tensor("blk.0.ffn_down.weight");
    const kern::DialectShape dialect{kern::QuantType::iq2_bn, 576, shape.n_embd, {}};
    std::vector<uint8_t> codes(static_cast<size_t>(kern::dialect_code_bytes(dialect)));
    float scale = 0.0f;
    kern::dialect_to_i2s(dialect, tensor.data.data(), 3, 4, codes.data(), &scale);
    std::vector<float> row(576);
    kern::i2s_row_to_floats(codes.data(), 1.0f, 576, row.data());
    CHECK(scale == doctest::Approx(1 / std::sqrt(576 * 2.0 / 3)));
    int counts[3] = {};
    for (const float trit : row) {
        REQUIRE((trit == -1.0f || trit == 0.0f || trit == 1.0f));
        ++counts[static_cast<int>(trit) + 1];
    }
    for (const int count : counts) CHECK(count > 576 / 5);
    const test::Logits logits = test::fresh_logits(test::load_model(bytes), {510, 5, 300, 7});
    for (const float logit : logits) REQUIRE(std::isfinite(logit));
    shape.n_embd = 128;
    CHECK_THROWS_AS(bitnet::write_synthetic_model(folder.file("x.gguf"), shape, {kern::QuantType::q6_k, 1, {}}),
                    bitnet::Error);
}

TEST_CASE("writing can be stopped and leaves no file") {
    const test::TempDir folder;
    bitnet::SyntheticOptions options;
    options.on_progress = [](uint64_t done, uint64_t total) { return done < total / 2; };
    CHECK_THROWS_AS(made(folder, options), bitnet::Error);
    CHECK(folder.n_files() == 0);
}
