// A model with a matrix in IQ2_S runs, and is converted, as the floats that the type stands for.
#include <doctest/doctest.h>

#include "tests/support/api_fixture.h"
#include "tests/support/model_edit.h"

TEST_CASE("a model with an IQ2_S embedding and head answers as its floats do, bit for bit") {
    const test::TempDir dir;
    test::ModelEdit edit = test::ModelEdit::open(test::golden_model("b158-tq2"));
    test::EditTensor& embedding = edit.tensor("token_embd.weight");
    REQUIRE(embedding.ne[0] % 256 == 0);
    embedding.type = 22;
    embedding.data.assign(embedding.n_elements() / 256 * 82, 0);
    uint32_t state = 7;
    for (size_t i = 0; i < embedding.data.size(); ++i) {
        state = state * 1664525u + 1013904223u;
        embedding.data[i] = static_cast<uint8_t>(state >> 24);
        if (i % 82 == 1)
            embedding.data[i] = static_cast<uint8_t>(0x20 | (embedding.data[i] & 0x83));  // the half's exponent
    }
    const std::string path = dir.write("iq2s.gguf", edit.bytes()), floats = dir.file("floats.gguf");
    bitnet_convert_params params = bitnet_convert_default_params();
    params.embedding_type = "f32";
    test::must(bitnet_file_convert(path.c_str(), floats.c_str(), &params, nullptr));
    CHECK(test::ModelEdit::open(floats).tensor("token_embd.weight").type == 0);
    for (const std::string& level : test::runnable_levels()) {
        CAPTURE(level);
        const auto at_level = [&](bitnet_model_params& p) { p.kernel = level.c_str(); };
        const test::Tokens tokens = {10, 20, 30, 40, 50};
        const test::Logits expected = test::fresh_logits(test::load_model(floats, at_level), tokens);
        CHECK(test::same_bits(test::fresh_logits(test::load_model(path, at_level), tokens), expected));
    }
}
