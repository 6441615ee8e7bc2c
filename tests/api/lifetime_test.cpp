// Handles may be freed in any order, and whatever still lives goes on working; many of them work at once on many
// threads.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/api_fixture.h"
#include "tests/support/temp_dir.h"

namespace {

// Greedy continuation, and the text of it through the tokenizer that belongs to the model.
struct Story {
    test::Tokens tokens;
    std::string text;
    bool operator==(const Story&) const = default;
};

Story tell(bitnet_context* context, bitnet_sampler* sampler, const bitnet_tokenizer* tokenizer, int n) {
    Story story;
    bitnet_token token = 5;
    for (int i = 0; i < n; ++i) {
        if (bitnet_context_decode_tokens(context, 0, &token, 1) != BITNET_OK) break;
        if (bitnet_sampler_sample_context(sampler, context, -1, &token) != BITNET_OK) break;
        story.tokens.push_back(token);
        char piece[64];
        size_t size = 0;
        if (bitnet_tokenizer_decode(tokenizer, &token, 1, BITNET_DECODE_SPECIAL, piece, sizeof piece, &size) !=
            BITNET_OK)
            break;
        story.text.append(piece, size);
    }
    return story;
}

bitnet_sampler* greedy_sampler() {
    bitnet_sampler_params params = bitnet_sampler_default_params();
    params.temperature = 0.0f;
    bitnet_sampler* sampler = nullptr;
    test::must(bitnet_sampler_create(&params, &sampler));
    return sampler;
}

Story expected_story(int n) {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model);
    const test::SamplerHandle sampler(greedy_sampler());
    return tell(context.get(), sampler.get(), bitnet_model_get_tokenizer(model.get()), n);
}

}  // namespace

TEST_CASE("freeing nothing is fine") {
    bitnet_model_free(nullptr);
    bitnet_context_free(nullptr);
    bitnet_sampler_free(nullptr);
    bitnet_tokenizer_free(nullptr);
}

TEST_CASE("a model, its contexts and a sampler may be freed in any order") {
    const Story expected = expected_story(3);
    REQUIRE(expected.tokens.size() == 3);
    std::vector<int> order = {0, 1, 2, 3};  // model, first context, second context, sampler
    do {
        bitnet_model* model = test::load_model(test::golden_model("b158-i2s")).release();
        bitnet_context* contexts[2];
        for (bitnet_context*& context : contexts) test::must(bitnet_context_create(model, nullptr, &context));
        bitnet_sampler* sampler = greedy_sampler();
        const bitnet_tokenizer* tokenizer = bitnet_model_get_tokenizer(model);
        REQUIRE(tokenizer != nullptr);
        bool sampler_lives = true, lives[2] = {true, true};
        for (const int what : order) {
            for (int c = 0; c < 2; ++c) {
                if (!lives[c] || !sampler_lives) continue;
                // The tokenizer lives as long as the model, and a context keeps the model alive.
                CHECK(tell(contexts[c], sampler, tokenizer, 3) == expected);
                test::must(bitnet_sequence_remove(contexts[c], -1, -1, -1));
            }
            if (what == 0) bitnet_model_free(model);
            if (what == 1 || what == 2) {
                bitnet_context_free(contexts[what - 1]);
                lives[what - 1] = false;
            }
            if (what == 3) {
                bitnet_sampler_free(sampler);
                sampler_lives = false;
            }
        }
    } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("a generation outlives its context, and says so when it is asked for more") {
    test::ContextHandle context = test::make_context(test::load_model(test::golden_model("b158-i2s")),
                                                     [](bitnet_context_params& p) { p.n_seq_max = 2; });
    const bitnet_token prompt[] = {1, 2, 3};
    bitnet_generation* generations[2] = {};
    for (bitnet_generation*& generation : generations) {
        test::must(bitnet_generation_create_from_tokens(context.get(), &generation == generations ? 0 : 1, prompt, 3,
                                                        nullptr, &generation));
    }
    bitnet_generation_step step = {};
    step.struct_size = sizeof step;
    test::must(bitnet_generation_next(generations[0], &step));
    context.reset();
    CHECK(test::name_of(bitnet_generation_next(generations[0], &step)) == "BITNET_E_STATE");
    CHECK(test::last_error().find("context was freed") != std::string::npos);
    CHECK(test::name_of(bitnet_generation_next_batch(generations, 1, 1, &step)) == "BITNET_E_STATE");
    test::last_error();
    bitnet_generation_free(generations[0]);
    bitnet_generation_free(generations[1]);
}

TEST_CASE("a context alone keeps a model alive that lies in the caller's memory") {
    const std::vector<uint8_t> bytes = test::read_file(test::golden_model("b158-i2s"));
    const Story expected = expected_story(5);
    test::ModelHandle model = test::load_model(bytes);
    const bitnet_tokenizer* tokenizer = bitnet_model_get_tokenizer(model.get());
    test::ContextHandle first = test::make_context(model), second = test::make_context(model);
    model.reset();
    const test::SamplerHandle sampler(greedy_sampler());
    first.reset();
    CHECK(tell(second.get(), sampler.get(), tokenizer, 5) == expected);
}

TEST_CASE("contexts over one model work at the same time on threads of their own") {
    const Story expected = expected_story(30);
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    std::atomic<int> right{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (int round = 0; round < 3; ++round) {
                bitnet_context_params params = bitnet_context_default_params();
                params.n_threads = 1 + t % 2;
                bitnet_context* context = nullptr;
                if (bitnet_context_create(model.get(), &params, &context) != BITNET_OK) continue;
                bitnet_sampler_params greedy = bitnet_sampler_default_params();
                greedy.temperature = 0.0f;
                bitnet_sampler* sampler = nullptr;
                bitnet_sampler_create(&greedy, &sampler);
                right += tell(context, sampler, bitnet_model_get_tokenizer(model.get()), 30) == expected ? 1 : 0;
                bitnet_sampler_free(sampler);
                bitnet_context_free(context);
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(right == 12);
}

TEST_CASE("threads load, use and free models of their own, and each sees its own failures") {
    const Story expected = expected_story(3);
    const char* names[] = {"b158-i2s", "no-such-model", "b158-i2s", "llama-f16"};
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            const std::string path = test::golden_model(names[t]);
            for (int round = 0; round < 8; ++round) {
                bitnet_model* model = nullptr;
                const bitnet_status status = bitnet_model_load(path.c_str(), nullptr, &model);
                if (t == 1) {
                    wrong += status != BITNET_E_FILE_NOT_FOUND ||
                             std::string(bitnet_last_error()).find("no-such-model") == std::string::npos;
                    continue;
                }
                wrong += status != BITNET_OK || std::string(bitnet_last_error()) != "";
                bitnet_context* context = nullptr;
                wrong += bitnet_context_create(model, nullptr, &context) != BITNET_OK;
                const bitnet_tokenizer* tokenizer = bitnet_model_get_tokenizer(model);
                if (round % 2 == 0) bitnet_model_free(model);
                bitnet_sampler_params greedy = bitnet_sampler_default_params();
                greedy.temperature = 0.0f;
                bitnet_sampler* sampler = nullptr;
                bitnet_sampler_create(&greedy, &sampler);
                const Story story = tell(context, sampler, tokenizer, 3);
                if (t != 3) wrong += !(story == expected);
                bitnet_sampler_free(sampler);
                if (round % 2 != 0) bitnet_model_free(model);
                bitnet_context_free(context);
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
}

TEST_CASE("a failure on one thread is not seen on another") {
    bitnet_model* model = nullptr;
    CHECK(bitnet_model_load("/no/such/file", nullptr, &model) == BITNET_E_FILE_NOT_FOUND);
    const std::string here = test::last_error();
    std::string there = "?";
    std::thread([&] { there = bitnet_last_error(); }).join();
    CHECK(there == "");
    CHECK(test::last_error() == here);
    std::thread([] { bitnet_sampler_create(nullptr, nullptr); }).join();
    CHECK(test::last_error() == here);
    test::load_model(test::golden_model("b158-i2s"));
    CHECK(test::last_error() == here);  // success does not clear it
}
