// "Decoding allocates nothing more": malloc and its kin are counted while tokens are decoded and sampled.
#include <doctest/doctest.h>

#include <vector>

#include "tests/support/adapter_file.h"
#include "tests/support/alloc_trap.h"
#include "tests/support/api_fixture.h"

namespace {

// Calls of the allocator during body.
template <typename Body>
long allocations(Body&& body) {
    return test::count_allocations(body).n_calls;
}

bool can_count() { return test::can_count_allocations(); }

}  // namespace

TEST_CASE("the counter sees allocations of this program and of the library") {
    if (!can_count()) return;
    CHECK(allocations([] { std::vector<int>(100); }) >= 2);
    bitnet_sampler* sampler = nullptr;
    CHECK(allocations([&] { bitnet_sampler_create(nullptr, &sampler); }) >= 1);
    CHECK(allocations([&] { bitnet_sampler_free(sampler); }) >= 1);
    CHECK(allocations([] {}) == 0);
}

TEST_CASE("after the first step decoding and sampling allocate nothing") {
    if (!can_count()) return;
    for (const char* name : {"b158-i2s", "b158-tq1", "llama-q4", "bitnet-i2s-silu"}) {
        const test::ModelHandle model = test::load_model(test::golden_model(name));
        for (const int32_t n_threads : {1, 2}) {
            for (const float temperature : {0.0f, 0.8f}) {
                CAPTURE(std::string(name));
                CAPTURE(n_threads);
                CAPTURE(temperature);
                const test::ContextHandle context =
                    test::make_context(model, [&](bitnet_context_params& p) { p.n_threads = n_threads; });
                bitnet_sampler_params params = bitnet_sampler_default_params();
                params.temperature = temperature;
                params.has_seed = 1;
                bitnet_sampler* sampler = nullptr;
                test::must(bitnet_sampler_create(&params, &sampler));
                const test::SamplerHandle owner(sampler);
                bitnet_token token = 1;
                int failures = 0;
                const auto step = [&] {
                    failures += bitnet_context_decode_tokens(context.get(), 0, &token, 1) != BITNET_OK;
                    failures += bitnet_sampler_sample_context(sampler, context.get(), -1, &token) != BITNET_OK;
                };
                step();
                const long n = allocations([&] {
                    for (int i = 0; i < 50; ++i) step();
                });
                CHECK(n == 0);
                CHECK(failures == 0);
            }
        }
    }
}

TEST_CASE("draws from a screened head allocate nothing, not even the first time") {
    if (!can_count()) return;
    const test::ModelHandle model =
        test::load_model(test::golden_model("b158-i2s"), [](bitnet_model_params& p) { p.screen_head = 2; });
    const bitnet_logit_bias biases[] = {{7, 1.0f}, {9, -2.0f}, {11, 0.5f}};
    const test::Tokens tokens(8, 21);
    const std::vector<int8_t> wanted(8, 1);
    for (const float temperature : {0.0f, 0.8f}) {
        for (const size_t n_biases : {0, 3}) {
            for (const int32_t n_outputs : {1, 8}) {
                CAPTURE(temperature);
                CAPTURE(n_biases);
                CAPTURE(n_outputs);
                bitnet_sampler_params params = bitnet_sampler_default_params();
                params.temperature = temperature;
                params.top_k = 5;
                params.has_seed = 1;
                params.logit_bias = biases;
                params.n_logit_bias = n_biases;
                bitnet_sampler* raw = nullptr;
                test::must(bitnet_sampler_create(&params, &raw));
                const test::SamplerHandle sampler(raw);
                bitnet_batch batch = {};
                batch.struct_size = sizeof batch;
                batch.n_tokens = n_outputs;
                batch.tokens = tokens.data();
                batch.want_output = wanted.data();
                int failures = 0;
                const auto decode = [&](const test::ContextHandle& context) {
                    failures += bitnet_context_decode(context.get(), &batch) != BITNET_OK;
                };
                const auto draw = [&](const test::ContextHandle& context) {
                    for (int32_t i = 0; i < n_outputs; ++i) {
                        bitnet_token token;
                        failures += bitnet_sampler_sample_context(sampler.get(), context.get(), i, &token) != BITNET_OK;
                    }
                };
                // The sampler has its buffers after its first draw, a context room for several outputs after its first decode.
                const test::ContextHandle used = test::make_context(model), fresh = test::make_context(model);
                decode(used);
                draw(used);
                decode(fresh);
                CHECK(allocations([&] {
                          for (int i = 0; i < 3; ++i) {
                              draw(fresh);
                              decode(fresh);
                          }
                      }) == 0);
                CHECK(failures == 0);
            }
        }
    }
}

TEST_CASE("prompts, removals and further sequences allocate nothing once each was used") {
    if (!can_count()) return;
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) {
        p.n_seq_max = 3;
        p.n_ubatch = 4;
        p.embeddings = 1;
        p.trace = 1;
    });
    const test::Tokens tokens = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    int failures = 0;
    const auto round = [&] {
        failures += bitnet_context_decode_tokens(context.get(), 0, tokens.data(), tokens.size()) != BITNET_OK;
        failures += bitnet_sequence_copy(context.get(), 0, 1, -1, 5) != BITNET_OK;
        failures += bitnet_context_decode_tokens(context.get(), 1, tokens.data(), 3) != BITNET_OK;
        failures += bitnet_context_decode_tokens(context.get(), 2, tokens.data(), 7) != BITNET_OK;
        failures += bitnet_sequence_remove(context.get(), 0, 2, 6) != BITNET_OK;
        failures += bitnet_sequence_keep(context.get(), 2) != BITNET_OK;
        failures += bitnet_sequence_remove(context.get(), -1, -1, -1) != BITNET_OK;
    };
    round();
    CHECK(allocations([&] {
              for (int i = 0; i < 10; ++i) round();
          }) == 0);
    CHECK(failures == 0);
}

TEST_CASE("forking, rewinding and going on from forks allocate nothing, not even the first time") {
    if (!can_count()) return;
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) {
        p.n_seq_max = 200;
        p.n_ctx = 256;
    });
    test::decode(context, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
    int failures = 0;
    CHECK(allocations([&] {
              for (bitnet_seq_id id = 1; id < 200; ++id) {
                  const bitnet_token token = id;
                  failures += bitnet_sequence_fork(context.get(), 0, id) != BITNET_OK;
                  failures += bitnet_sequence_rewind(context.get(), id, static_cast<size_t>(id % 10)) != BITNET_OK;
                  failures += bitnet_context_decode_tokens(context.get(), id, &token, 1) != BITNET_OK;
              }
          }) == 0);
    CHECK(failures == 0);
    CHECK(bitnet_context_get_n_free(context.get()) == 256 - 10 - 199);
}

TEST_CASE("stepping through a decode allocates nothing, not even the first time") {
    if (!can_count()) return;
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    for (const int32_t n_threads : {1, 2}) {
        const test::ContextHandle context = test::make_context(model, [&](bitnet_context_params& p) {
            p.n_threads = n_threads;
            p.n_ctx = 256;
        });
        test::Tokens tokens;
        for (bitnet_token i = 0; i < 70; ++i) tokens.push_back(i);
        bitnet_batch batch = {};
        batch.struct_size = sizeof batch;
        batch.n_tokens = 70;
        batch.tokens = tokens.data();
        int failures = 0, steps = 0;
        CHECK(allocations([&] {
                  failures += bitnet_context_decode_begin(context.get(), &batch) != BITNET_OK;
                  for (int32_t done = 0; done == 0 && failures == 0; ++steps) {
                      failures += bitnet_context_step(context.get(), 0, &done) != BITNET_OK;
                  }
                  failures += bitnet_context_decode_begin(context.get(), &batch) != BITNET_OK;
                  bitnet_context_decode_abandon(context.get());
              }) == 0);
        CHECK(failures == 0);
        CHECK(steps > 50);
    }
}

TEST_CASE("with adapters decoding, forking and removing allocate nothing, not even the first time") {
    if (!can_count()) return;
    const std::string path = test::golden_model("b25-i2s-untied");
    const test::ModelHandle model = test::load_model(path);
    const test::AdapterHandle first = test::load_adapter(model, test::full_adapter(path, 4, test::kTypeF16, 1).bytes());
    const test::AdapterHandle second =
        test::load_adapter(model, test::full_adapter(path, 8, test::kTypeF32, 90).bytes());
    for (const int32_t n_threads : {1, 2}) {
        const test::ContextHandle context = test::make_context(model, [&](bitnet_context_params& p) {
            p.n_seq_max = 8;
            p.n_ubatch = 4;
            p.n_threads = n_threads;
            p.max_lora_rank = 12;
        });
        test::must(test::set_adapters(context, 0, {{first.get(), 1.0f}}));
        test::must(test::set_adapters(context, 1, {{first.get(), 1.0f}, {second.get(), 0.5f}}));
        const test::Tokens tokens = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
        int failures = 0;
        CHECK(allocations([&] {
                  for (bitnet_seq_id id = 0; id < 4; ++id) {
                      failures += bitnet_context_decode_tokens(context.get(), id, tokens.data(), 10) != BITNET_OK;
                      failures += bitnet_sequence_fork(context.get(), id, 4 + id) != BITNET_OK;
                      failures += bitnet_context_decode_tokens(context.get(), 4 + id, tokens.data(), 1) != BITNET_OK;
                  }
                  failures += bitnet_sequence_remove(context.get(), -1, -1, -1) != BITNET_OK;
              }) == 0);
        CHECK(failures == 0);
    }
}
