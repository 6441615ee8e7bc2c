// Branches of one prompt: forked in no time and no memory, rewound, shifted, each equal to a run of its own.
#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "tests/support/api_fixture.h"

namespace {

constexpr const char* kModel = "b158-i2s";

test::Tokens some_tokens(int n, int start = 0) {
    test::Tokens tokens;
    for (int i = 0; i < n; ++i) tokens.push_back((start + i * 29 + 11) % 267);
    return tokens;
}

test::Tokens join(test::Tokens a, const test::Tokens& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

test::ContextHandle context_of(const test::ModelHandle& model, int32_t n_seq, int32_t n_ctx) {
    return test::make_context(model, [&](bitnet_context_params& p) {
        p.n_seq_max = n_seq;
        p.n_ctx = n_ctx;
        p.n_threads = 1;
    });
}

bitnet_memory_info memory_of(const test::ContextHandle& context) {
    bitnet_memory_info info = {};
    info.struct_size = sizeof info;
    test::must(bitnet_context_get_memory(context.get(), &info));
    return info;
}

int32_t n_free(const test::ContextHandle& context) { return bitnet_context_get_n_free(context.get()); }

test::Tokens tokens_of(const test::ContextHandle& context, bitnet_seq_id seq) {
    size_t n = 0;
    if (bitnet_sequence_get_tokens(context.get(), seq, nullptr, 0, &n) == BITNET_OK) return {};
    test::Tokens tokens(n);
    test::must(bitnet_sequence_get_tokens(context.get(), seq, tokens.data(), n, &n));
    return tokens;
}

}  // namespace

TEST_CASE("a thousand branches of one prompt take the prompt's cells and no memory, and each is a run of its own") {
    const test::ModelHandle model = test::load_model(test::golden_model(kModel));
    const test::ContextHandle context = context_of(model, 1001, 1200);
    const test::Tokens prompt = some_tokens(150);
    test::decode(context, prompt);
    const uint64_t before = memory_of(context).kv_bytes;
    CHECK(n_free(context) == 1050);
    for (bitnet_seq_id id = 1; id <= 1000; ++id) test::must(bitnet_sequence_fork(context.get(), 0, id));
    CHECK(n_free(context) == 1050);
    CHECK(memory_of(context).kv_bytes == before);
    // All branches go on in one batch, each with a token of its own.
    test::BatchArrays batch;
    for (bitnet_seq_id id = 1; id <= 1000; ++id) batch.add(id % 260, id, id % 97 == 0);
    const bitnet_batch view = batch.view();
    test::must(bitnet_context_decode(context.get(), &view));
    CHECK(n_free(context) == 50);
    CHECK(memory_of(context).kv_bytes == before);
    for (bitnet_seq_id id = 97; id <= 1000; id += 97) {
        CAPTURE(id);
        const test::Logits expected =
            test::fresh_logits(model, join(prompt, {id % 260}), [](bitnet_context_params& p) { p.n_ctx = 160; });
        CHECK(test::same_bits(test::copy_logits(context, model, id - 1), expected));
    }
    for (bitnet_seq_id id = 1; id <= 1000; ++id) test::must(bitnet_sequence_rewind(context.get(), id, 1));
    CHECK(n_free(context) == 1050);
    test::must(bitnet_sequence_remove(context.get(), 0, -1, -1));
    CHECK(n_free(context) == 1050);  // the branches hold the prompt
    test::must(bitnet_sequence_remove(context.get(), -1, -1, -1));
    CHECK(n_free(context) == 1200);
    CHECK(memory_of(context).kv_bytes == before);
}

TEST_CASE("a sequence that is allowed for but not used takes next to no memory") {
    const test::ModelHandle model = test::load_model(test::golden_model(kModel));
    const auto bytes = [&](int32_t n_seq) {
        const bitnet_memory_info info = memory_of(context_of(model, n_seq, 64));
        return info.kv_bytes + info.scratch_bytes;
    };
    CHECK(bytes(4096) - bytes(64) < 4032 * 64);  // the lists of a step have room for 64 sequences in both
}

TEST_CASE("branches of branches, rewound and forked over each other, keep to themselves") {
    const test::ModelHandle model = test::load_model(test::golden_model(kModel));
    const test::ContextHandle context = context_of(model, 4, 64);
    const test::Tokens trunk = some_tokens(12);
    test::decode(context, trunk);
    test::must(bitnet_sequence_fork(context.get(), 0, 1));
    test::decode(context, {1, 2, 3}, 1);
    test::must(bitnet_sequence_fork(context.get(), 1, 2));
    test::must(bitnet_sequence_rewind(context.get(), 1, 2));
    test::decode(context, {9}, 1);
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, join(trunk, {1, 9}))));
    test::decode(context, {4}, 2);
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, join(trunk, {1, 2, 3, 4}))));
    test::must(bitnet_sequence_fork(context.get(), 0, 2));
    test::decode(context, {5}, 2);
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, join(trunk, {5}))));
    test::must(bitnet_sequence_fork(context.get(), 2, 2));
    CHECK(tokens_of(context, 2) == join(trunk, {5}));
    CHECK(n_free(context) == 64 - 12 - 2 - 1);
    CHECK(test::name_of(bitnet_sequence_rewind(context.get(), 2, 14)) == "BITNET_E_ARGUMENT");
    CHECK(test::name_of(bitnet_sequence_rewind(context.get(), 2, SIZE_MAX)) == "BITNET_E_ARGUMENT");
    CHECK(tokens_of(context, 2) == join(trunk, {5}));
    test::must(bitnet_sequence_rewind(context.get(), 2, 0));
    test::must(bitnet_sequence_rewind(context.get(), 2, 13));
    CHECK(bitnet_sequence_get_end(context.get(), 2) == 0);
    CHECK(bitnet_context_get_n_free(nullptr) == 0);
}

TEST_CASE("what a freed sequence held cannot be seen by the one that gets its cells") {
    const test::ModelHandle model = test::load_model(test::golden_model(kModel));
    const test::ContextHandle context = context_of(model, 2, 20);
    test::decode(context, some_tokens(20, 100), 1);
    test::must(bitnet_sequence_remove(context.get(), 1, -1, -1));
    test::decode(context, some_tokens(3));
    const test::Logits logits = test::copy_logits(context, model);
    CHECK(test::same_bits(logits, test::fresh_logits(model, some_tokens(3))));
    size_t size = 0;
    bitnet_sequence_save(context.get(), 0, nullptr, 0, &size);
    std::vector<uint8_t> used(size), fresh(size);
    test::must(bitnet_sequence_save(context.get(), 0, used.data(), size, &size));
    const test::ContextHandle other = context_of(model, 2, 20);
    test::decode(other, some_tokens(3));
    test::must(bitnet_sequence_save(other.get(), 0, fresh.data(), size, &size));
    CHECK(used == fresh);
}

TEST_CASE("a removed middle of shared sequences leaves the others as they were") {
    const test::ModelHandle model = test::load_model(test::golden_model(kModel));
    const test::ContextHandle context = context_of(model, 3, 64);
    const test::Tokens trunk = some_tokens(20);
    test::decode(context, trunk);
    test::must(bitnet_sequence_fork(context.get(), 0, 1));
    test::decode(context, {7}, 1);
    test::must(bitnet_sequence_remove(context.get(), 1, 5, 10));
    CHECK(bitnet_sequence_get_end(context.get(), 1) == 21);
    CHECK(tokens_of(context, 1) ==
          join(join({trunk.begin(), trunk.begin() + 5}, {trunk.begin() + 10, trunk.end()}), {7}));
    CHECK(n_free(context) == 64 - 21);  // the trunk still holds the middle
    test::decode(context, {8}, 0);
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, join(trunk, {8}))));
    test::must(bitnet_sequence_remove(context.get(), -1, 12, 14));
    CHECK(n_free(context) == 64 - 22 + 2);
}

TEST_CASE("a shift gives what a sequence that never held the range gives, also in a full context") {
    const test::ModelHandle model = test::load_model(test::golden_model(kModel));
    const test::ContextHandle context = context_of(model, 2, 30);
    const test::Tokens tokens = some_tokens(30);
    test::decode(context, tokens);
    REQUIRE(n_free(context) == 0);
    size_t n = 99;
    test::must(bitnet_sequence_shift(context.get(), 0, 4, 14, &n));
    CHECK(n == 16);
    const test::Tokens left = join({tokens.begin(), tokens.begin() + 4}, {tokens.begin() + 14, tokens.end()});
    CHECK(tokens_of(context, 0) == left);
    CHECK(bitnet_sequence_get_end(context.get(), 0) == 20);
    CHECK(n_free(context) == 10);
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, left)));
    test::decode(context, {3, 4});
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, join(left, {3, 4}))));

    test::must(bitnet_sequence_shift(context.get(), 0, 100, -1, &n));  // holds no token
    CHECK(n == 0);
    CHECK(tokens_of(context, 0) == join(left, {3, 4}));
    test::must(bitnet_sequence_shift(context.get(), 0, 20, -1, nullptr));
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, left)));
    test::must(bitnet_sequence_shift(context.get(), 0, -1, -1, &n));
    CHECK(n == 0);
    CHECK(n_free(context) == 30);
    CHECK(test::name_of(bitnet_sequence_shift(context.get(), 2, 0, 1, &n)) == "BITNET_E_ARGUMENT");
    CHECK(test::name_of(bitnet_sequence_shift(nullptr, 0, 0, 1, &n)) == "BITNET_E_ARGUMENT");
}

TEST_CASE("a cancelled shift leaves the sequence as it was where old and new fit side by side") {
    const test::ModelHandle model = test::load_model(test::golden_model(kModel));
    const test::ContextHandle context = context_of(model, 1, 64);
    const test::Tokens tokens = some_tokens(20);
    test::decode(context, tokens);
    bitnet_context_cancel(context.get());
    CHECK(test::name_of(bitnet_sequence_shift(context.get(), 0, 2, 6, nullptr)) == "BITNET_E_CANCELLED");
    CHECK(tokens_of(context, 0) == tokens);
    CHECK(n_free(context) == 44);
    test::decode(context, {1});
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, join(tokens, {1}))));
}

TEST_CASE("a sequence is its tokens: four bytes each bring it back bit for bit") {
    const test::ModelHandle model = test::load_model(test::golden_model(kModel));
    const test::ContextHandle context = context_of(model, 2, 64);
    test::decode(context, some_tokens(17));
    const test::Logits expected = test::copy_logits(context, model);
    const test::Tokens snapshot = tokens_of(context, 0);
    CHECK(snapshot == some_tokens(17));
    test::Tokens small(16, -7);
    size_t n = 0;
    CHECK(test::name_of(bitnet_sequence_get_tokens(context.get(), 0, small.data(), 16, &n)) ==
          "BITNET_E_BUFFER_TOO_SMALL");
    CHECK(n == 17);
    CHECK(small == test::Tokens(16, -7));
    test::must(bitnet_context_prefill(context.get(), 1, snapshot.data(), snapshot.size(), nullptr));
    CHECK(test::same_bits(test::copy_logits(context, model), expected));
}
