// Forgetting, sharing and keeping parts of sequences: whatever is left must behave like a sequence that was never
// longer.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/support/api_fixture.h"

namespace {

constexpr const char* kModel = "b158-i2s";

test::Tokens some_tokens(int n, int start = 0) {
    test::Tokens tokens;
    for (int i = 0; i < n; ++i) tokens.push_back((start + i * 31 + 7) % 267);
    return tokens;
}

test::Tokens join(test::Tokens a, const test::Tokens& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

test::ContextHandle context_of(const test::ModelHandle& model, int32_t n_seq = 4, int32_t n_ctx = 64) {
    return test::make_context(model, [&](bitnet_context_params& p) {
        p.n_seq_max = n_seq;
        p.n_ctx = n_ctx;
    });
}

bitnet_pos end_of(const test::ContextHandle& context, bitnet_seq_id seq = 0) {
    return bitnet_sequence_get_end(context.get(), seq);
}

}  // namespace

TEST_CASE("after removing a tail the sequence goes on as if it had never been longer") {
    const test::ModelHandle model = test::load_model(test::golden_model(kModel));
    for (const bitnet_pos keep : {0, 1, 5, 9, 10, 11}) {
        CAPTURE(keep);
        const test::ContextHandle context = context_of(model);
        const test::Tokens tokens = some_tokens(10);
        test::decode(context, tokens);
        test::must(bitnet_sequence_remove(context.get(), 0, keep, -1));
        const bitnet_pos left = std::min(keep, 10);
        CHECK(end_of(context) == left);
        test::decode(context, {42, 43});
        CHECK(test::same_bits(test::copy_logits(context, model),
                              test::fresh_logits(model, join({tokens.begin(), tokens.begin() + left}, {42, 43}))));
    }
}

TEST_CASE("removing everything empties the sequence, whichever way it is said") {
    const test::ModelHandle model = test::load_model(test::golden_model(kModel));
    const test::ContextHandle context = context_of(model);
    const test::Logits expected = test::fresh_logits(model, {42});
    const struct {
        bitnet_seq_id seq;
        bitnet_pos p0, p1;
    } ways[] = {{0, -1, -1},
                {0, 0, -1},
                {0, 0, 10},
                {0, -5, 1000},
                {-1, -1, -1},
                {0, 0, INT32_MAX},
                {-7, INT32_MIN, INT32_MIN}};
    for (const auto& way : ways) {
        CAPTURE(way.p0);
        CAPTURE(way.p1);
        test::decode(context, some_tokens(10));
        test::must(bitnet_sequence_remove(context.get(), way.seq, way.p0, way.p1));
        CHECK(end_of(context) == 0);
        test::decode(context, {42});
        CHECK(test::same_bits(test::copy_logits(context, model), expected));
        test::must(bitnet_sequence_remove(context.get(), 0, -1, -1));
    }
}

TEST_CASE("empty ranges remove nothing") {
    const test::ModelHandle model = test::load_model(test::golden_model(kModel));
    const test::ContextHandle context = context_of(model);
    const test::Tokens tokens = some_tokens(10);
    test::decode(context, tokens);
    const bitnet_pos ranges[][2] = {{3, 3}, {5, 2}, {10, -1}, {10, 20}, {1000, INT32_MAX}, {INT32_MAX, -1}, {-1, 0}};
    for (const auto& range : ranges) test::must(bitnet_sequence_remove(context.get(), 0, range[0], range[1]));
    CHECK(end_of(context) == 10);
    test::decode(context, {1});
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, join(tokens, {1}))));
}

TEST_CASE("a removed middle leaves the other tokens at their positions, and does so again the same way") {
    const test::ModelHandle model = test::load_model(test::golden_model(kModel));
    test::Logits first;
    for (int round = 0; round < 2; ++round) {
        const test::ContextHandle context = context_of(model);
        if (round == 1) {  // other cells, the same sequence
            test::decode(context, some_tokens(20, 3), 2);
            test::must(bitnet_sequence_remove(context.get(), 2, 5, 15));
        }
        test::decode(context, some_tokens(12));
        test::must(bitnet_sequence_remove(context.get(), 0, 4, 8));
        CHECK(end_of(context) == 12);
        test::decode(context, {9});
        CHECK(end_of(context) == 13);
        const test::Logits logits = test::copy_logits(context, model);
        if (round == 0) first = logits;
        CHECK(test::same_bits(logits, first));
        CHECK(!test::same_bits(logits, test::fresh_logits(model, join(some_tokens(12), {9}))));
        // Without the rest of the tail it is a shorter sequence, nothing more.
        test::must(bitnet_sequence_remove(context.get(), 0, 4, -1));
        test::decode(context, {9});
        CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, join(some_tokens(4), {9}))));
    }
}

TEST_CASE("copies share their past and diverge, each equal to a run of its own") {
    const test::ModelHandle model = test::load_model(test::golden_model(kModel));
    // 3 sequences of 20 + 4 tokens in 40 cells: only sharing makes room.
    const test::ContextHandle context = context_of(model, 3, 40);
    const test::Tokens past = some_tokens(20);
    test::decode(context, past);
    test::must(bitnet_sequence_copy(context.get(), 0, 1, -1, -1));
    test::must(bitnet_sequence_copy(context.get(), 0, 2, 0, 7));
    CHECK(end_of(context, 1) == 20);
    CHECK(end_of(context, 2) == 7);
    const test::Tokens futures[] = {{1, 2, 3, 4}, {9, 8, 7, 6}, {5, 5, 5, 5}};
    const test::Tokens pasts[] = {past, past, {past.begin(), past.begin() + 7}};
    for (size_t i = 0; i < 4; ++i) {
        for (const bitnet_seq_id seq : {2, 0, 1}) {
            const size_t s = static_cast<size_t>(seq);
            test::decode(context, {futures[s][i]}, seq);
            const test::Tokens so_far(futures[s].begin(), futures[s].begin() + static_cast<std::ptrdiff_t>(i) + 1);
            CHECK(
                test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, join(pasts[s], so_far))));
        }
    }
    // The owner may go: the copies stay.
    test::must(bitnet_sequence_remove(context.get(), 0, -1, -1));
    test::decode(context, {77}, 1);
    CHECK(test::same_bits(test::copy_logits(context, model),
                          test::fresh_logits(model, join(join(past, futures[1]), {77}))));
}

TEST_CASE("copying replaces what the target held, and a range copied to itself is what remains") {
    const test::ModelHandle model = test::load_model(test::golden_model(kModel));
    const test::ContextHandle context = context_of(model, 2, 24);
    const test::Tokens a = some_tokens(8), b = some_tokens(9, 100);
    for (int round = 0; round < 10; ++round) {  // cells that got lost would fill the context
        test::must(bitnet_sequence_remove(context.get(), -1, -1, -1));
        test::decode(context, a, 0);
        test::decode(context, b, 1);
        test::must(bitnet_sequence_copy(context.get(), 0, 1, -1, -1));
        CHECK(end_of(context, 1) == 8);
        test::decode(context, {3}, 1);
        CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, join(a, {3}))));
        test::must(bitnet_sequence_copy(context.get(), 1, 1, -1, -1));
        CHECK(end_of(context, 1) == 9);
        test::must(bitnet_sequence_copy(context.get(), 0, 0, -1, 5));
        CHECK(end_of(context, 0) == 5);
        test::decode(context, {3}, 0);
        CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, join(some_tokens(5), {3}))));
        test::must(bitnet_sequence_copy(context.get(), 1, 0, 20, 30));
        CHECK(end_of(context, 0) == 0);
    }
}

TEST_CASE("keep forgets all sequences but one") {
    const test::ModelHandle model = test::load_model(test::golden_model(kModel));
    const test::ContextHandle context = context_of(model, 4, 32);
    for (bitnet_seq_id seq = 0; seq < 4; ++seq) test::decode(context, some_tokens(8, seq), seq);
    test::must(bitnet_sequence_keep(context.get(), 2));
    for (bitnet_seq_id seq = 0; seq < 4; ++seq) CHECK(end_of(context, seq) == (seq == 2 ? 8 : 0));
    test::decode(context, some_tokens(24, 50), 0);
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, some_tokens(24, 50))));
    test::must(bitnet_sequence_remove(context.get(), 0, 8, -1));
    test::decode(context, {1}, 2);
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, join(some_tokens(8, 2), {1}))));
}

TEST_CASE("sequences outside the context are refused by every call and change nothing") {
    const test::ModelHandle model = test::load_model(test::golden_model(kModel));
    const test::ContextHandle context = context_of(model, 2);
    test::decode(context, some_tokens(3));
    const bitnet_token token = 1;
    size_t size = 0;
    uint8_t byte = 0;
    for (const bitnet_seq_id bad : {2, 3, INT32_MAX, -1, INT32_MIN}) {
        CAPTURE(bad);
        CHECK(end_of(context, bad) == -1);
        CHECK(bitnet_sequence_copy(context.get(), 0, bad, -1, -1) == BITNET_E_ARGUMENT);
        CHECK(bitnet_sequence_copy(context.get(), bad, 0, -1, -1) == BITNET_E_ARGUMENT);
        CHECK(bitnet_sequence_keep(context.get(), bad) == BITNET_E_ARGUMENT);
        CHECK(bitnet_sequence_save(context.get(), bad, nullptr, 0, &size) == BITNET_E_ARGUMENT);
        CHECK(bitnet_sequence_load(context.get(), bad, &byte, 1) == BITNET_E_ARGUMENT);
        CHECK(bitnet_context_decode_tokens(context.get(), bad, &token, 1) == BITNET_E_ARGUMENT);
        if (bad >= 0) CHECK(bitnet_sequence_remove(context.get(), bad, -1, -1) == BITNET_E_ARGUMENT);
        test::last_error();
    }
    CHECK(end_of(context) == 3);
    test::decode(context, {9});
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, join(some_tokens(3), {9}))));
}
