// The ends of a context: one cell, exactly full, one token too many, nothing at all. After a refusal everything is as
// it was.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/support/api_fixture.h"

namespace {

test::Tokens tokens_from(int first, int n) {
    test::Tokens tokens;
    for (int i = 0; i < n; ++i) tokens.push_back((first + i * 7) % 267);
    return tokens;
}

std::vector<uint8_t> saved(const test::ContextHandle& context, bitnet_seq_id seq) {
    size_t size = 0;
    CHECK(bitnet_sequence_save(context.get(), seq, nullptr, 0, &size) == BITNET_E_BUFFER_TOO_SMALL);
    std::vector<uint8_t> bytes(size);
    test::must(bitnet_sequence_save(context.get(), seq, bytes.data(), bytes.size(), &size));
    CHECK(size == bytes.size());
    return bytes;
}

}  // namespace

TEST_CASE("a context of one cell runs one token") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) { p.n_ctx = 1; });
    CHECK(bitnet_context_get_n_ctx(context.get()) == 1);
    test::decode(context, {264});
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, {264})));
    const bitnet_token next = 5;
    CHECK(test::name_of(bitnet_context_decode_tokens(context.get(), 0, &next, 1)) == "BITNET_E_KV_FULL");
    CHECK(bitnet_sequence_get_end(context.get(), 0) == 1);
    test::must(bitnet_sequence_remove(context.get(), 0, -1, -1));
    test::decode(context, {5});
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, {5})));
}

TEST_CASE("a full context refuses more with its state unchanged, and goes on right after tokens were removed") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) {
        p.n_ctx = 16;
        p.n_seq_max = 2;
        p.n_ubatch = 4;
    });
    const test::Tokens tokens = tokens_from(1, 12);
    test::decode(context, tokens);
    test::decode(context, {9, 8, 7, 6}, 1);
    const std::vector<uint8_t> before0 = saved(context, 0), before1 = saved(context, 1);
    for (int n = 1; n <= 3; ++n) {
        const test::Tokens more(static_cast<size_t>(n), 3);
        for (const bitnet_seq_id seq : {0, 1}) {
            CHECK(test::name_of(bitnet_context_decode_tokens(context.get(), seq, more.data(), more.size())) ==
                  "BITNET_E_KV_FULL");
            test::last_error();
        }
    }
    bitnet_error_info info = {};
    info.struct_size = sizeof info;
    test::must(bitnet_last_error_get_info(&info));
    CHECK(info.status == BITNET_E_KV_FULL);
    CHECK(info.expected == 3);
    CHECK(info.actual == 0);
    CHECK(bitnet_sequence_get_end(context.get(), 0) == 12);
    CHECK(bitnet_sequence_get_end(context.get(), 1) == 4);
    CHECK(saved(context, 0) == before0);
    CHECK(saved(context, 1) == before1);

    // Two tokens of room, three wanted, two fit: the freed cells lie in the middle of the other sequence's life.
    test::must(bitnet_sequence_remove(context.get(), 1, 2, -1));
    const test::Tokens three(3, 11), two(2, 11);
    CHECK(test::name_of(bitnet_context_decode_tokens(context.get(), 0, three.data(), 3)) == "BITNET_E_KV_FULL");
    test::must(bitnet_context_decode_tokens(context.get(), 0, two.data(), 2));
    test::Tokens all = tokens;
    all.insert(all.end(), two.begin(), two.end());
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, all)));
    test::must(bitnet_sequence_remove(context.get(), 0, -1, -1));
    test::decode(context, {1}, 1);
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, {9, 8, 1})));
}

TEST_CASE("a context filled to the last cell at once, by micro-batches, or by several sequences") {
    const test::ModelHandle model = test::load_model(test::golden_model("llama-f16"));
    const test::Tokens tokens = tokens_from(3, 33);
    const test::Logits expected = test::fresh_logits(model, tokens);
    for (const int32_t n_ubatch : {1, 8, 33, 512}) {
        const test::ContextHandle context = test::make_context(model, [&](bitnet_context_params& p) {
            p.n_ctx = 33;
            p.n_ubatch = n_ubatch;
        });
        for (int round = 0; round < 3; ++round) {
            test::decode(context, tokens);
            CHECK(test::same_bits(test::copy_logits(context, model), expected));
            test::must(bitnet_sequence_remove(context.get(), -1, -1, -1));
            CHECK(bitnet_sequence_get_end(context.get(), 0) == 0);
        }
    }
}

TEST_CASE("an empty batch succeeds and does nothing") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model);
    bitnet_batch batch = {};
    batch.struct_size = sizeof batch;
    test::must(bitnet_context_decode(context.get(), &batch));
    test::must(bitnet_context_decode_tokens(context.get(), 0, nullptr, 0));
    CHECK(bitnet_sequence_get_end(context.get(), 0) == 0);
    test::decode(context, {1, 2});
    const test::Logits before = test::copy_logits(context, model);
    test::must(bitnet_context_decode(context.get(), &batch));
    CHECK(bitnet_sequence_get_end(context.get(), 0) == 2);
    CHECK(test::same_bits(test::copy_logits(context, model), before));
}

TEST_CASE("n_batch limits one call, and a failed call leaves no logits behind") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) { p.n_batch = 4; });
    test::decode(context, {1, 2, 3, 4});
    const test::Tokens five(5, 1);
    CHECK(test::name_of(bitnet_context_decode_tokens(context.get(), 0, five.data(), five.size())) ==
          "BITNET_E_ARGUMENT");
    CHECK(test::last_error().find("5") != std::string::npos);
    const float* logits = nullptr;
    CHECK(test::name_of(bitnet_context_get_logits(context.get(), -1, &logits)) == "BITNET_E_NOT_FOUND");
    CHECK(bitnet_sequence_get_end(context.get(), 0) == 4);
    test::decode(context, {5});
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, {1, 2, 3, 4, 5})));
}
