// Decodes in pieces: the same bits for any budget, sequences as before when one is given up, and nothing else may touch
// the context in between.
#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include "tests/support/api_fixture.h"

namespace {

test::Tokens some_tokens(int n) {
    test::Tokens tokens;
    for (int i = 0; i < n; ++i) tokens.push_back((i * 17 + 1) % 260);
    return tokens;
}

bitnet_batch batch_of(const test::Tokens& tokens) {
    bitnet_batch batch = {};
    batch.struct_size = sizeof batch;
    batch.n_tokens = static_cast<int32_t>(tokens.size());
    batch.tokens = tokens.data();
    return batch;
}

// Begins a decode and steps to its end; how many steps that took.
int step_through(const test::ContextHandle& context, const bitnet_batch& batch, uint64_t budget_us) {
    test::must(bitnet_context_decode_begin(context.get(), &batch));
    int n = 0;
    for (int32_t done = 0; done == 0; ++n) test::must(bitnet_context_step(context.get(), budget_us, &done));
    return n;
}

std::string stepped(const test::ContextHandle& context, uint64_t budget_us = 0) {
    int32_t done = 7;
    const bitnet_status status = bitnet_context_step(context.get(), budget_us, &done);
    CHECK((status == BITNET_OK || done == 0));
    return test::name_of(status);
}

constexpr uint64_t kForever = UINT64_MAX;

}  // namespace

TEST_CASE("steps of any budget give the bits of a decode, with more steps for smaller budgets") {
    for (const char* name : {"b158-i2s", "b158-tq1", "llama-mix", "bitnet-i2s-silu"}) {
        const test::ModelHandle model = test::load_model(test::golden_model(name));
        const test::Tokens tokens = some_tokens(70);
        const test::Logits expected = test::fresh_logits(model, tokens);
        test::Tokens more = tokens;
        more.push_back(3);
        const test::Logits expected_more = test::fresh_logits(model, more);
        for (const int32_t n_threads : {1, 2}) {
            for (const uint64_t budget_us : {uint64_t{0}, uint64_t{50}, uint64_t{1000}, kForever}) {
                CAPTURE(std::string(name));
                CAPTURE(n_threads);
                CAPTURE(budget_us);
                const test::ContextHandle context =
                    test::make_context(model, [&](bitnet_context_params& p) { p.n_threads = n_threads; });
                const int n = step_through(context, batch_of(tokens), budget_us);
                CHECK((budget_us == 0 ? n > 50 : n >= 1));
                if (budget_us == kForever) CHECK(n == 1);
                CHECK(test::same_bits(test::copy_logits(context, model), expected));
                step_through(context, batch_of({3}), budget_us);
                CHECK(test::same_bits(test::copy_logits(context, model), expected_more));
                CHECK(bitnet_sequence_get_end(context.get(), 0) == 71);
            }
        }
    }
}

TEST_CASE("steps stop inside matrices and attention, and give all outputs of several sequences") {
    if (!test::have_data(test::kStories3m)) return;
    const test::ModelHandle model = test::load_model((test::data_dir() / test::kStories3m).string());
    const auto tweak = [](bitnet_context_params& p) {
        p.n_seq_max = 2;
        p.n_threads = 1;
        p.trace = 1;
        p.embeddings = 1;
    };
    const test::ContextHandle plain = test::make_context(model, tweak), context = test::make_context(model, tweak);
    test::BatchArrays arrays;
    for (const bitnet_token token : some_tokens(45)) arrays.add(token, token % 2, token % 3 == 0);
    const bitnet_batch batch = arrays.view();
    test::must(bitnet_context_decode(plain.get(), &batch));
    test::must(bitnet_context_decode_begin(context.get(), &batch));
    // What the caller gave is not looked at again.
    test::BatchArrays copy = arrays;
    for (bitnet_token& token : arrays.tokens) token = -1;
    int n = 0;
    for (int32_t done = 0; done == 0; ++n) test::must(bitnet_context_step(context.get(), 0, &done));
    size_t n_bytes = 0;
    std::string trace(1 << 20, ' ');
    test::must(bitnet_context_get_trace(context.get(), trace.data(), trace.size(), &n_bytes));
    trace.resize(n_bytes);
    int n_nodes = 0;
    for (size_t at = trace.find("\"op\""); at != std::string::npos; at = trace.find("\"op\"", at + 1)) ++n_nodes;
    CHECK(n_nodes > 20);
    CHECK(n > 3 * n_nodes);  // two micro-batches of n_nodes each would be 2 * n_nodes
    const size_t n_embd = static_cast<size_t>(test::info_of(model).n_embd);
    for (int32_t i = 0; i < batch.n_tokens; ++i) {
        if (copy.want_output[static_cast<size_t>(i)] == 0) continue;
        CAPTURE(i);
        CHECK(test::same_bits(test::copy_logits(context, model, i), test::copy_logits(plain, model, i)));
        test::Logits a(n_embd), b(n_embd);
        test::must(bitnet_context_get_embedding(context.get(), i, 0, a.data(), n_embd));
        test::must(bitnet_context_get_embedding(plain.get(), i, 0, b.data(), n_embd));
        CHECK(test::same_bits(a, b));
    }
    bitnet_metrics metrics = {};
    metrics.struct_size = sizeof metrics;
    test::must(bitnet_context_get_metrics(context.get(), &metrics));
    CHECK(metrics.prefill_tokens == 45);
    CHECK(metrics.n_decodes == 1);
}

TEST_CASE("a decode that is given up after any number of steps never happened") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) {
        p.n_ctx = 50;
        p.n_threads = 1;
    });
    test::decode(context, {5, 6, 7});
    const test::Tokens tokens = some_tokens(40);
    const int total = step_through(context, batch_of(tokens), 0);
    test::must(bitnet_sequence_remove(context.get(), 0, 3, -1));
    const test::Logits expected = test::fresh_logits(model, {5, 6, 7, 8});
    const bitnet_batch batch = batch_of(tokens);
    for (int k = 0; k < total; k += 3) {
        CAPTURE(k);
        test::must(bitnet_context_decode_begin(context.get(), &batch));
        for (int i = 0; i < k; ++i) REQUIRE(stepped(context) == "BITNET_OK");
        if (k % 2 == 0) {
            bitnet_context_decode_abandon(context.get());
            CHECK(stepped(context) == "BITNET_E_STATE");
        } else {
            bitnet_context_cancel(context.get());
            CHECK(stepped(context, kForever) == "BITNET_E_CANCELLED");
            CHECK(stepped(context) == "BITNET_E_STATE");
        }
        CHECK(bitnet_sequence_get_end(context.get(), 0) == 3);
        CHECK(bitnet_context_get_n_free(context.get()) == 47);
        const float* logits = nullptr;
        CHECK(bitnet_context_get_logits(context.get(), -1, &logits) == BITNET_E_NOT_FOUND);
        test::decode(context, {8});
        CHECK(test::same_bits(test::copy_logits(context, model), expected));
        test::must(bitnet_sequence_remove(context.get(), 0, 3, -1));
    }
    bitnet_context_decode_abandon(context.get());  // nothing there: nothing happens
    bitnet_context_decode_abandon(nullptr);
    CHECK(bitnet_sequence_get_end(context.get(), 0) == 3);
}

TEST_CASE("between the steps of a decode other calls are refused, and change nothing") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) {
        p.n_seq_max = 2;
        p.embeddings = 1;
        p.trace = 1;
    });
    bitnet_context* c = context.get();
    test::decode(context, {5, 6, 7});
    bitnet_generation* generation = nullptr;
    const bitnet_token prompt[] = {1, 2};
    test::must(bitnet_generation_create_from_tokens(c, 1, prompt, 2, nullptr, &generation));
    std::vector<uint8_t> state(1 << 20);
    size_t n = 0, n_state = 0;
    test::must(bitnet_sequence_save(c, 0, state.data(), state.size(), &n_state));
    const test::Tokens tokens = {8, 9, 10};
    const bitnet_batch batch = batch_of(tokens);
    test::must(bitnet_context_decode_begin(c, &batch));
    for (int round = 0; round < 2; ++round) {
        CAPTURE(round);
        const float* logits = nullptr;
        std::vector<float> row(100000);
        bitnet_forward_input input = {};
        input.struct_size = sizeof input;
        input.n_tokens = 2;
        input.tokens = prompt;
        bitnet_generation_step step = {};
        step.struct_size = sizeof step;
        const bitnet_status all[] = {
            bitnet_context_decode(c, &batch),
            bitnet_context_decode_begin(c, &batch),
            bitnet_context_decode_tokens(c, 1, prompt, 2),
            bitnet_context_decode_tokens(c, 1, prompt, 0),
            bitnet_context_prefill(c, 0, prompt, 2, nullptr),
            bitnet_context_forward(c, &input, row.data(), row.size(), nullptr),
            bitnet_context_next_token_logits(c, 1, prompt, 2, 1.0f, row.data(), row.size(), nullptr),
            bitnet_generation_next(generation, &step),
            bitnet_context_get_logits(c, -1, &logits),
            bitnet_context_get_embedding(c, -1, 0, row.data(), row.size()),
            bitnet_context_get_sequence_embedding(c, 0, BITNET_POOLING_MEAN, 0, row.data(), row.size()),
            bitnet_context_get_trace(c, nullptr, 0, &n),
            bitnet_sequence_remove(c, 0, 0, -1),
            bitnet_sequence_remove(c, -1, 0, -1),
            bitnet_sequence_rewind(c, 0, 1),
            bitnet_sequence_copy(c, 0, 1, 0, -1),
            bitnet_sequence_fork(c, 0, 1),
            bitnet_sequence_keep(c, 1),
            bitnet_sequence_shift(c, 0, 0, 1, nullptr),
            bitnet_sequence_get_tokens(c, 0, nullptr, 0, &n),
            bitnet_sequence_save(c, 0, state.data(), state.size(), &n),
            bitnet_sequence_load(c, 1, state.data(), n_state),
            bitnet_context_save_session_to_memory(c, state.data() + n_state, state.size() - n_state, &n),
            bitnet_context_load_session_from_memory(c, state.data(), n_state),
        };
        for (size_t i = 0; i < sizeof all / sizeof *all; ++i) {
            CAPTURE(i);
            CHECK(test::name_of(all[i]) == "BITNET_E_STATE");
        }
        CHECK(test::last_error().find("bitnet_context_decode_abandon") != std::string::npos);
        CHECK(bitnet_sequence_get_end(c, 0) == 6);
        if (round == 0) CHECK(stepped(context) == "BITNET_OK");
    }
    int32_t done = 0;
    test::must(bitnet_context_step(c, kForever, &done));
    CHECK(done == 1);
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, {5, 6, 7, 8, 9, 10})));
    bitnet_generation_step step = {};
    step.struct_size = sizeof step;
    test::must(bitnet_generation_next(generation, &step));  // what was refused can be done now
    CHECK(step.n_tokens == 1);
    bitnet_generation_free(generation);
}

TEST_CASE("a decode that cannot begin leaves nothing open, and an empty one is done at once") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) { p.n_ctx = 8; });
    CHECK(stepped(context) == "BITNET_E_STATE");
    test::decode(context, {1, 2});
    bitnet_batch batch = batch_of({1, 2, 3, 4, 5, 6, 7});
    const test::Tokens many = some_tokens(7), bad = {3, -1};
    batch.tokens = many.data();
    CHECK(bitnet_context_decode_begin(context.get(), &batch) == BITNET_E_KV_FULL);
    CHECK(stepped(context) == "BITNET_E_STATE");
    batch = batch_of(bad);
    CHECK(bitnet_context_decode_begin(context.get(), &batch) == BITNET_E_TOKEN);
    CHECK(stepped(context) == "BITNET_E_STATE");
    CHECK(bitnet_context_decode_begin(context.get(), nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_context_decode_begin(nullptr, &batch) == BITNET_E_ARGUMENT);
    CHECK(bitnet_context_step(nullptr, 0, nullptr) == BITNET_E_ARGUMENT);
    test::decode(context, {3});
    const bitnet_batch empty = batch_of({});
    test::must(bitnet_context_decode_begin(context.get(), &empty));
    bitnet_context_decode_abandon(context.get());
    CHECK(bitnet_sequence_get_end(context.get(), 0) == 3);
    test::must(bitnet_context_decode_begin(context.get(), &empty));
    CHECK(bitnet_context_step(context.get(), 0, nullptr) == BITNET_E_ARGUMENT);
    int32_t done = 0;
    test::must(bitnet_context_step(context.get(), 0, &done));
    CHECK(done == 1);
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, {1, 2, 3})));
    test::must(bitnet_context_decode_begin(context.get(), &empty));  // freed while one is open
}

TEST_CASE("the abort callback is asked in each step and gives the decode up") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    long polls = 0;
    const test::ContextHandle context = test::make_context(model, [&](bitnet_context_params& p) {
        p.should_abort = [](void* user_data) { return ++*static_cast<long*>(user_data) == 5 ? 1 : 0; };
        p.abort_user_data = &polls;
        p.timeout_us = 1;  // counts in decodes only
    });
    const test::Tokens tokens = some_tokens(5);
    const bitnet_batch batch = batch_of(tokens);
    test::must(bitnet_context_decode_begin(context.get(), &batch));
    for (int i = 0; i < 4; ++i) CHECK(stepped(context) == "BITNET_OK");
    CHECK(stepped(context) == "BITNET_E_CANCELLED");
    CHECK(bitnet_sequence_get_end(context.get(), 0) == 0);
    step_through(context, batch, 100);
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, tokens)));
}
