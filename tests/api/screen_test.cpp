// A model whose head has an int8 copy draws the same tokens as one without: greedy, top-k and what follows it, penalties, biases;
// alone and in batches; and whoever wants all logits gets the same bits.
#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "tests/api/generation_fixture.h"
#include "tests/support/mapped_pages.h"
#include "tests/support/temp_dir.h"

namespace {

// The default model with a head of floats.
class Pair {
public:
    explicit Pair(const char* head_type) : path(folder_.file("floats.gguf")) {
        const std::string source = folder_.file("q8.gguf");
        size_t size = 0;
        const void* bytes = default_model_bytes(&size);
        FILE* file = std::fopen(source.c_str(), "wb");
        REQUIRE(file != nullptr);
        REQUIRE(std::fwrite(bytes, 1, size, file) == size);
        REQUIRE(std::fclose(file) == 0);
        bitnet_convert_params params = bitnet_convert_default_params();
        params.head_type = params.embedding_type = head_type;
        test::must(bitnet_file_convert(source.c_str(), path.c_str(), &params, nullptr));
        plain = test::load_model(path, [](bitnet_model_params& p) { p.screen_head = 0; });
        screened = test::load_model(path, [](bitnet_model_params& p) { p.screen_head = 2; });
        unasked = test::load_model(path);
    }

private:
    test::TempDir folder_;

public:
    const std::string path;
    test::ModelHandle plain, screened, unasked;
};

struct Outcome {
    std::string text;
    test::Tokens tokens;
    test::Logits last;
    bool operator==(const Outcome& other) const {
        return text == other.text && tokens == other.tokens && test::same_bits(last, other.last);
    }
};

using Tweak = void (*)(bitnet_sampler_params& sampler, bitnet_generation_params& params);

Outcome outcome(const test::ModelHandle& model, Tweak tweak, uint64_t seed, int32_t n_threads) {
    const test::ContextHandle context =
        test::make_context(model, [=](bitnet_context_params& p) { p.n_threads = n_threads; });
    bitnet_sampler_params sampler = bitnet_sampler_default_params();
    sampler.has_seed = 1;
    sampler.seed = seed;
    bitnet_generation_params params = bitnet_generation_default_params();
    params.sampler = &sampler;
    params.max_new_tokens = 60;
    tweak(sampler, params);
    bitnet_generation* raw = nullptr;
    test::must(bitnet_generation_create(context.get(), 0, "Once upon a time", 16, &params, &raw));
    const test::GenerationHandle generation(raw);
    bitnet_generation_step step = {};
    step.struct_size = sizeof step;
    while (step.finish_reason == BITNET_FINISH_NONE) test::must(bitnet_generation_next(generation.get(), &step));
    bitnet_generation_result result = {};
    result.struct_size = sizeof result;
    test::must(bitnet_generation_get_result(generation.get(), &result));
    // All logits of the last step, although only some were needed for the draw.
    return {std::string(result.text, result.n_bytes), test::Tokens(result.tokens, result.tokens + result.n_tokens),
            test::copy_logits(context, model)};
}

const bitnet_logit_bias kBiases[] = {
    {300, 3.0f}, {301, -std::numeric_limits<float>::infinity()}, {5, -50.0f}, {400000, 1.0f}};

const Tweak kTweaks[] = {
    [](bitnet_sampler_params& s, bitnet_generation_params&) { s.temperature = 0; },
    [](bitnet_sampler_params&, bitnet_generation_params&) {},
    [](bitnet_sampler_params& s, bitnet_generation_params&) { s.top_k = 3, s.temperature = 2.5f, s.min_p = 0.05f; },
    [](bitnet_sampler_params& s, bitnet_generation_params&) {
        s.top_k = 8, s.repetition_penalty = 1.3f, s.frequency_penalty = -0.5f, s.presence_penalty = 0.3f;
    },
    [](bitnet_sampler_params& s, bitnet_generation_params&) {
        s.temperature = 0, s.repetition_penalty = 0.5f, s.penalty_last_n = -1;
    },
    [](bitnet_sampler_params& s, bitnet_generation_params&) {
        s.logit_bias = kBiases, s.n_logit_bias = 4, s.top_k = 5;
    },
    [](bitnet_sampler_params& s, bitnet_generation_params&) {
        s.top_k = 5, s.xtc_probability = 0.5f, s.typical_p = 0.8f, s.dynatemp_range = 0.3f;
    },
    [](bitnet_sampler_params& s, bitnet_generation_params& p) { s.temperature = 0, p.n_draft = 8; },
    [](bitnet_sampler_params& s, bitnet_generation_params& p) { s.top_k = 3, s.temperature = 0.3f, p.n_draft = 16; },
    [](bitnet_sampler_params& s, bitnet_generation_params&) { s.top_k = 0; },  // needs all logits, like these:
    [](bitnet_sampler_params& s, bitnet_generation_params&) { s.top_n_sigma = 1.5f; },
    [](bitnet_sampler_params& s, bitnet_generation_params&) { s.mirostat = 2; },
    [](bitnet_sampler_params& s, bitnet_generation_params&) { s.dry_multiplier = 0.8f, s.top_k = 4; },
    [](bitnet_sampler_params& s, bitnet_generation_params& p) { s.temperature = 0, p.n_logprobs = 5; },
    [](bitnet_sampler_params& s, bitnet_generation_params& p) { s.top_k = 1, p.receipt = 1; },
};

}  // namespace

TEST_CASE("a screened head draws the same tokens with every sampler") {
    for (const char* type : {"f16", "f32", "bf16", "q8_0", "q6_k"}) {
        const Pair models(type);
        for (size_t i = 0; i < std::size(kTweaks); ++i) {
            for (const uint64_t seed : {1, 2}) {
                CAPTURE(type);
                CAPTURE(i);
                CAPTURE(seed);
                const Outcome expected = outcome(models.plain, kTweaks[i], seed, 1);
                CHECK(outcome(models.screened, kTweaks[i], seed, seed == 1 ? 1 : 2) == expected);
            }
        }
    }
}

TEST_CASE("the copy of a head counts as memory, is made of a large head only, and can be asked for or refused") {
    const Pair models("f16");
    const auto bytes = [](const test::ModelHandle& model) {
        bitnet_memory_breakdown breakdown = {};
        breakdown.struct_size = sizeof breakdown;
        test::must(bitnet_model_get_memory_breakdown(model.get(), &breakdown));
        return breakdown.total_bytes;
    };
    const bitnet_model_info info = test::info_of(models.plain);
    const uint64_t n = static_cast<uint64_t>(info.n_vocab);
    CHECK(bytes(models.unasked) == bytes(models.plain));
    CHECK(bytes(models.screened) >= bytes(models.plain) + n * static_cast<uint64_t>(info.n_embd) + 12 * n);
    const bitnet_model_params params = test::model_params([](bitnet_model_params& p) { p.screen_head = 3; });
    size_t size = 0;
    const void* model = default_model_bytes(&size);
    bitnet_model* raw = nullptr;
    CHECK(test::name_of(bitnet_model_load_from_memory(model, size, &params, &raw)) == "BITNET_E_ARGUMENT");
}

TEST_CASE("a decode whose head was left for later: samplers and logits in any order, several outputs, embeddings") {
    const Pair models("f16");
    const test::Tokens tokens = {1, 40, 77, 300, 12};
    const auto context_of = [](const test::ModelHandle& model) {
        return test::make_context(model, [](bitnet_context_params& p) { p.embeddings = 1, p.n_seq_max = 2; });
    };
    const test::ContextHandle plain = context_of(models.plain), screened = context_of(models.screened);
    bitnet_sampler_params params = bitnet_sampler_default_params();
    params.temperature = 0;
    bitnet_sampler* raw = nullptr;
    test::must(bitnet_sampler_create(&params, &raw));
    const test::SamplerHandle greedy(raw);
    const std::vector<int8_t> wanted = {1, 0, 1, 1, 1};
    for (int round = 0; round < 3; ++round) {
        for (const test::ContextHandle* context : {&plain, &screened}) {
            bitnet_batch batch = {};
            batch.struct_size = sizeof batch;
            batch.n_tokens = 5;
            batch.tokens = tokens.data();
            batch.want_output = wanted.data();
            test::must(bitnet_context_decode(context->get(), &batch));
        }
        for (const int32_t index : {4, 0, 3, 0}) {
            bitnet_token a = -1, b = -1;
            test::must(bitnet_sampler_sample_context(greedy.get(), plain.get(), index, &a));
            if (round != 1) test::must(bitnet_sampler_sample_context(greedy.get(), screened.get(), index, &b));
            if (round != 1) CHECK(a == b);
        }
        for (const int32_t index : {2, 0, 4}) {
            CHECK(test::same_bits(test::copy_logits(plain, models.plain, index),
                                  test::copy_logits(screened, models.screened, index)));
            bitnet_token a = -1, b = -1;
            test::must(bitnet_sampler_sample_context(greedy.get(), plain.get(), index, &a));
            test::must(bitnet_sampler_sample_context(greedy.get(), screened.get(), index, &b));
            CHECK(a == b);
        }
        const float* logits = nullptr;
        CHECK(test::name_of(bitnet_context_get_logits(screened.get(), 1, &logits)) == "BITNET_E_NOT_FOUND");
        std::vector<float> a(static_cast<size_t>(test::info_of(models.plain).n_embd)), b = a;
        test::must(bitnet_context_get_embedding(plain.get(), 3, 0, a.data(), a.size()));
        test::must(bitnet_context_get_embedding(screened.get(), 3, 0, b.data(), b.size()));
        CHECK(test::same_bits(a, b));
    }
}

TEST_CASE(
    "a mapped head that has a copy and weights that were packed do not stay in memory, and give the same results") {
    Pair models("f16");
    const bitnet_model_info info = test::info_of(models.plain);
    const uint64_t head = static_cast<uint64_t>(info.n_vocab) * static_cast<uint64_t>(info.n_embd) * 2;
    const uint64_t others = info.n_file_bytes - head;
    const uint64_t table = std::filesystem::file_size(models.path) - info.n_file_bytes;
    const test::Tokens tokens = {1, 40, 77, 300, 12};
    const test::Logits expected = test::fresh_logits(models.plain, tokens);
    models.plain.reset();
    models.screened.reset();
    models.unasked.reset();
    struct Case {
        const char* quantization;
        uint64_t n_stay;
    };
    for (const Case& c : {Case{"i2s", others}, Case{"t5", 0}}) {
        CAPTURE(c.quantization);
        const test::ModelHandle model = test::load_model(models.path, [&](bitnet_model_params& p) {
            p.screen_head = 2;
            p.quantization = c.quantization;
        });
        const uint64_t resident = test::mapped_pages_bytes(models.path);
        CAPTURE(resident);
        // Of the table, and of neighbours that the system maps with pages that are touched, there is some more.
        CHECK(resident < table + c.n_stay + head / 4);
        if (resident == 0) MESSAGE("skipped: this system does not tell which pages of a file are in memory");
        CHECK(test::same_bits(test::fresh_logits(model, tokens), expected));
    }
}
