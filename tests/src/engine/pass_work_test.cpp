// The work of a decode, counted again from the shape of a synthetic model.
#include <doctest/doctest.h>

#include "src/bench/synthetic_model.h"
#include "tests/support/api_fixture.h"
#include "tests/support/model_edit.h"
#include "tests/support/temp_dir.h"

namespace {

bitnet_pass_work work_of(const bitnet_context* context, int32_t n_seq, int32_t n_tokens, int32_t n_past) {
    bitnet_pass_shape shape = {};
    shape.struct_size = sizeof shape;
    shape.n_seq = n_seq;
    shape.n_tokens = n_tokens;
    shape.n_past = n_past;
    bitnet_pass_work work = {};
    work.struct_size = sizeof work;
    test::must(bitnet_context_get_pass_work(context, &shape, &work));
    return work;
}

}  // namespace

TEST_CASE("a decode's bytes and operations are those of its matrices, norms, cells and scores") {
    const test::TempDir folder;
    const bitnet::SyntheticShape& s = *bitnet::find_synthetic_shape("tiny");
    bitnet::write_synthetic_model(folder.file("tiny.gguf"), s, {kern::QuantType::q8_0, 1, {}});
    const test::ModelHandle model = test::load_model(folder.file("tiny.gguf"), [](auto& p) { p.kernel = "scalar"; });
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) {
        p.n_ctx = 64;
        p.n_ubatch = 8;
    });
    const int64_t n_q = s.n_head * s.head_dim, n_kv = s.n_head_kv * s.head_dim;
    const int64_t matrices = s.n_embd * (n_q + 2 * n_kv) + n_q * s.n_embd + 3 * s.n_embd * s.n_ff;
    const int64_t norms = 2 * s.n_embd + n_q + s.n_ff;
    const auto layers = static_cast<uint64_t>(s.n_layer * (matrices / 4 + norms * 4));
    const auto head = static_cast<uint64_t>(s.n_vocab * s.n_embd / 32 * 34);
    const uint64_t cell = static_cast<uint64_t>(s.n_layer * n_kv) * 2 * 2;
    const auto products = [&](int64_t n) { return static_cast<uint64_t>(2 * s.n_layer * matrices * n); };
    const auto scores = [&](int64_t cells) { return static_cast<uint64_t>(4 * s.n_layer * n_q * cells); };
    const auto head_ops = static_cast<uint64_t>(2 * s.n_vocab * s.n_embd);

    const bitnet_pass_work one = work_of(context.get(), 1, 1, 10);
    CHECK(one.n_micro_batches == 1);
    CHECK(one.layer_bytes == layers);
    CHECK(one.head_bytes == head);
    CHECK(one.kv_bytes == cell * (11 + 1));
    CHECK(one.total_bytes == layers + head + one.kv_bytes);
    CHECK(one.int8_ops == products(1));
    CHECK(one.float_ops == head_ops + scores(11));

    // Weights are read once for all sequences, cells are each one's own.
    const bitnet_pass_work four = work_of(context.get(), 4, 1, 10);
    CHECK(four.kv_bytes == 4 * one.kv_bytes);
    CHECK(four.total_bytes == layers + head + four.kv_bytes);
    CHECK(four.int8_ops == 4 * one.int8_ops);
    CHECK(four.float_ops == 4 * one.float_ops);

    // 20 tokens in micro-batches of 8, 8 and 4, the head only in the last one.
    const bitnet_pass_work prompt = work_of(context.get(), 1, 20, 0);
    CHECK(prompt.n_micro_batches == 3);
    CHECK(prompt.kv_bytes == cell * (8 + 16 + 20 + 20));
    CHECK(prompt.total_bytes == 3 * layers + head + prompt.kv_bytes);
    CHECK(prompt.int8_ops == products(20));
    CHECK(prompt.float_ops == head_ops + scores(20 * 21 / 2));

    // Two sequences of 6: the first micro-batch ends within the second sequence, and both have an end.
    const bitnet_pass_work two = work_of(context.get(), 2, 6, 0);
    CHECK(two.n_micro_batches == 2);
    CHECK(two.kv_bytes == cell * (6 + 2 + 6 + 12));
    CHECK(two.total_bytes == 2 * layers + 2 * head + two.kv_bytes);

    bitnet_pass_shape bad = {};
    bad.struct_size = sizeof bad;
    bitnet_pass_work work = {};
    work.struct_size = sizeof work;
    CHECK(bitnet_context_get_pass_work(context.get(), &bad, &work) == BITNET_E_ARGUMENT);
    bad.n_seq = bad.n_tokens = 1 << 13;
    CHECK(bitnet_context_get_pass_work(context.get(), &bad, &work) == BITNET_E_ARGUMENT);
    CHECK(bitnet_context_get_pass_work(nullptr, &bad, &work) == BITNET_E_ARGUMENT);
}
