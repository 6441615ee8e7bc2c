// The sampler's newer steps and the functions of logits through the public interface: defaults, what is refused, that a
// text is repeated by its seed and replayed by its receipt, and log-probabilities of a real model.
#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "tests/api/generation_fixture.h"

namespace {

using test::GenerationHandle;
using test::stories;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

using Change = std::function<void(bitnet_sampler_params&)>;

bitnet_sampler_params seeded(const Change& change) {
    bitnet_sampler_params params = bitnet_sampler_default_params();
    params.has_seed = 1;
    params.seed = 11;
    change(params);
    return params;
}

const std::vector<bitnet_token> kBreakers = {13, 29};

struct Step {
    const char* name;
    Change change;
};
const Step kSteps[] = {
    {"none", [](bitnet_sampler_params&) {}},
    {"xtc", [](bitnet_sampler_params& p) { p.xtc_probability = 0.5f; }},
    {"dry",
     [](bitnet_sampler_params& p) {
         p.dry_multiplier = 2, p.dry_allowed_length = 1, p.dry_base = 1.5f, p.dry_penalty_last_n = 200;
         p.dry_breakers = kBreakers.data(), p.n_dry_breakers = kBreakers.size();
     }},
    {"dynatemp", [](bitnet_sampler_params& p) { p.dynatemp_range = 0.6f, p.dynatemp_exponent = 1.3f; }},
    {"top-n-sigma", [](bitnet_sampler_params& p) { p.top_n_sigma = 0.7f; }},
    {"mirostat 1", [](bitnet_sampler_params& p) { p.mirostat = 1, p.mirostat_tau = 3; }},
    {"mirostat 2", [](bitnet_sampler_params& p) { p.mirostat = 2, p.mirostat_tau = 3, p.mirostat_eta = 0.3f; }},
};

GenerationHandle begin(const test::ContextHandle& context, const bitnet_sampler_params& sampler, int32_t n,
                       int32_t n_logprobs = 0, int32_t receipt = 0) {
    bitnet_generation_params params = bitnet_generation_default_params();
    params.max_new_tokens = n;
    params.sampler = &sampler;
    params.n_logprobs = n_logprobs;
    params.receipt = receipt;
    bitnet_generation* generation = nullptr;
    test::must(bitnet_generation_create(context.get(), 0, "Once upon a time", 16, &params, &generation));
    return GenerationHandle(generation);
}

bitnet_generation_step next(const GenerationHandle& generation) {
    bitnet_generation_step step = {};
    step.struct_size = sizeof step;
    test::must(bitnet_generation_next(generation.get(), &step));
    return step;
}

test::Tokens run(const GenerationHandle& generation) {
    test::Tokens tokens;
    for (;;) {
        const bitnet_generation_step step = next(generation);
        tokens.insert(tokens.end(), step.tokens, step.tokens + step.n_tokens);
        if (step.finish_reason != BITNET_FINISH_NONE) return tokens;
    }
}

}  // namespace

TEST_CASE("the newer sampling parameters are off by default, for older programs, too") {
    const bitnet_sampler_params params = bitnet_sampler_default_params();
    CHECK(params.xtc_probability == 0);
    CHECK(params.xtc_threshold == 0.1f);
    CHECK(params.dry_multiplier == 0);
    CHECK(params.dry_base == 1.75f);
    CHECK(params.dry_allowed_length == 2);
    CHECK(params.dry_penalty_last_n == 1024);
    CHECK(params.n_dry_breakers == 0);
    CHECK(params.dynatemp_range == 0);
    CHECK(params.dynatemp_exponent == 1);
    CHECK(params.top_n_sigma == 0);
    CHECK(params.mirostat == 0);
    CHECK(params.mirostat_tau == 5);
    CHECK(params.mirostat_eta == 0.1f);
    CHECK(bitnet_generation_default_params().n_logprobs == 0);
    // A program that knows nothing of them: whatever lies behind its struct is not read.
    bitnet_sampler_params older = seeded([](bitnet_sampler_params& p) { p.mirostat = 99, p.xtc_probability = kNan; });
    older.struct_size = offsetof(bitnet_sampler_params, xtc_probability);
    bitnet_sampler* sampler = nullptr;
    test::must(bitnet_sampler_create(&older, &sampler));
    bitnet_sampler_free(sampler);
}

TEST_CASE("a newer sampling parameter out of range is a configuration error that names it") {
    const Step bad[] = {
        {"xtc_probability", [](bitnet_sampler_params& p) { p.xtc_probability = 2; }},
        {"xtc_threshold", [](bitnet_sampler_params& p) { p.xtc_threshold = kNan; }},
        {"dry_multiplier", [](bitnet_sampler_params& p) { p.dry_multiplier = -1; }},
        {"dry_base", [](bitnet_sampler_params& p) { p.dry_base = 0.5f; }},
        {"dry_allowed_length", [](bitnet_sampler_params& p) { p.dry_allowed_length = 0; }},
        {"dry_penalty_last_n", [](bitnet_sampler_params& p) { p.dry_penalty_last_n = 2000000; }},
        {"dynatemp_range", [](bitnet_sampler_params& p) { p.dynatemp_range = kInf; }},
        {"dynatemp_exponent", [](bitnet_sampler_params& p) { p.dynatemp_exponent = 0; }},
        {"top_n_sigma", [](bitnet_sampler_params& p) { p.top_n_sigma = -1; }},
        {"mirostat", [](bitnet_sampler_params& p) { p.mirostat = 3; }},
        {"mirostat_tau", [](bitnet_sampler_params& p) { p.mirostat_tau = -1; }},
        {"mirostat_eta", [](bitnet_sampler_params& p) { p.mirostat_eta = kNan; }},
    };
    for (const Step& row : bad) {
        CAPTURE(row.name);
        const bitnet_sampler_params params = seeded(row.change);
        bitnet_sampler* sampler = nullptr;
        CHECK(bitnet_sampler_create(&params, &sampler) == BITNET_E_CONFIG);
        CHECK(test::last_error().find(std::string("sampler parameter ") + row.name + " is ") == 0);
        CHECK(sampler == nullptr);
    }
    const bitnet_sampler_params no_array = seeded([](bitnet_sampler_params& p) { p.n_dry_breakers = 1; });
    bitnet_sampler* sampler = nullptr;
    CHECK(bitnet_sampler_create(&no_array, &sampler) == BITNET_E_ARGUMENT);
}

TEST_CASE("with each sampling step a seed gives one text, whatever the threads, and its receipt can be replayed") {
    const test::ModelHandle model = stories();
    std::vector<test::Tokens> texts;
    for (const Step& step : kSteps) {
        CAPTURE(step.name);
        const bitnet_sampler_params sampler = seeded(step.change);
        const test::ContextHandle one = test::make_context(model, [](bitnet_context_params& p) { p.n_threads = 1; });
        const test::ContextHandle two = test::make_context(model, [](bitnet_context_params& p) { p.n_threads = 2; });
        const GenerationHandle recorded = begin(one, sampler, 40, 0, 1);
        texts.push_back(run(recorded));
        CHECK(run(begin(two, sampler, 40)) == texts.back());
        for (size_t i = 0; i + 1 < texts.size(); ++i) CHECK(texts[i] != texts.back());

        std::vector<char> text(1 << 16);
        size_t size = 0;
        test::must(bitnet_generation_get_receipt(recorded.get(), text.data(), text.size(), &size));
        // Some positions only: those between must be followed without their logits, where that is possible.
        for (const int64_t n_positions : {1, 5, 40}) {
            bitnet_receipt_params params = bitnet_receipt_default_params();
            params.replay_count = n_positions;
            params.seed = 3;
            bitnet_receipt_report report = {};
            report.struct_size = sizeof report;
            test::must(bitnet_receipt_verify(text.data(), size, model.get(), &params, &report));
            CHECK(report.n_replayed >= static_cast<uint64_t>(n_positions));
        }
    }
}

TEST_CASE("sample_token is a function of logits and parameters alone, and what a fresh sampler draws first") {
    const std::vector<float> logits = {1, 3, 2, 2.5f, kNan, -kInf, 0};
    for (const Step& step : kSteps) {
        CAPTURE(step.name);
        for (uint64_t seed = 0; seed < 50; ++seed) {
            bitnet_sampler_params params = seeded(step.change);
            params.seed = seed;
            bitnet_token first = -1, again = -1, drawn = -1;
            test::must(bitnet_logits_sample(logits.data(), logits.size(), &params, &first));
            test::must(bitnet_logits_sample(logits.data(), logits.size(), &params, &again));
            bitnet_sampler* raw = nullptr;
            test::must(bitnet_sampler_create(&params, &raw));
            const test::SamplerHandle sampler(raw);
            test::must(bitnet_sampler_sample(raw, logits.data(), logits.size(), &drawn));
            CHECK(first == again);
            CHECK(first == drawn);
        }
    }
}

TEST_CASE("argmax and softmax survive NaN, infinities and rows without any hope") {
    const auto best_of = [](const std::vector<float>& logits) {
        bitnet_token token = -1;
        test::must(bitnet_logits_argmax(logits.data(), logits.size(), &token));
        return token;
    };
    const auto softmax_of = [](std::vector<float> logits) {
        test::must(bitnet_logits_softmax(logits.data(), logits.size(), logits.data()));
        return logits;
    };
    CHECK(best_of({1, 5, 5, kNan}) == 1);
    CHECK(best_of({kNan, -kInf}) == 0);
    CHECK(best_of({1, kInf, kInf}) == 1);
    CHECK(softmax_of({2, 2, kNan, -kInf}) == std::vector<float>{0.5f, 0.5f, 0, 0});
    CHECK(softmax_of({kNan, kNan}) == std::vector<float>{1, 0});
    CHECK(softmax_of({0, std::log(3.0f)})[1] == doctest::Approx(0.75));
}

TEST_CASE("functions of logits refuse what they cannot answer and write nothing then") {
    const float logits[2] = {1, 2};
    bitnet_token token = 77;
    float value = 77;
    bitnet_token_logprob top[3] = {{77, 77}, {77, 77}, {77, 77}};
    CHECK(bitnet_logits_argmax(nullptr, 2, &token) == BITNET_E_ARGUMENT);
    CHECK(bitnet_logits_argmax(logits, 0, &token) == BITNET_E_ARGUMENT);
    CHECK(bitnet_logits_argmax(logits, 2, nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_logits_softmax(nullptr, 2, &value) == BITNET_E_ARGUMENT);
    CHECK(bitnet_logits_softmax(logits, 0, &value) == BITNET_E_ARGUMENT);
    CHECK(bitnet_logits_softmax(logits, 2, nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_logits_sample(nullptr, 2, nullptr, &token) == BITNET_E_ARGUMENT);
    CHECK(bitnet_logits_sample(logits, 0, nullptr, &token) == BITNET_E_ARGUMENT);
    CHECK(bitnet_logits_sample(logits, 2, nullptr, nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_logits_get_top_logprobs(nullptr, 2, 0, &value, top, 2) == BITNET_E_ARGUMENT);
    CHECK(bitnet_logits_get_top_logprobs(logits, 0, 0, &value, top, 0) == BITNET_E_ARGUMENT);
    CHECK(bitnet_logits_get_top_logprobs(logits, 2, 0, &value, nullptr, 1) == BITNET_E_ARGUMENT);
    CHECK(bitnet_logits_get_top_logprobs(logits, 2, 0, &value, top, 3) == BITNET_E_ARGUMENT);
    CHECK(bitnet_logits_get_top_logprobs(logits, 2, 2, &value, top, 2) == BITNET_E_TOKEN);
    CHECK(bitnet_logits_get_top_logprobs(logits, 2, -1, &value, top, 2) == BITNET_E_TOKEN);
    CHECK(token == 77);
    CHECK(value == 77);
    CHECK(top[0].token == 77);
    test::must(bitnet_logits_get_top_logprobs(logits, 2, -1, nullptr, top, 2));
    CHECK(top[0].token == 1);
    test::must(bitnet_logits_get_top_logprobs(logits, 2, 0, &value, nullptr, 0));
    CHECK(value == doctest::Approx(-1 - std::log1p(std::exp(-1.0))));
}

TEST_CASE("a generation's log-probabilities are those of the logits each token was drawn from") {
    const test::ModelHandle model = stories();
    const auto n_vocab = static_cast<size_t>(test::info_of(model).n_vocab);
    const test::ContextHandle context = test::make_context(model);
    // Far from the model's own distribution: the log-probabilities must not show it.
    const bitnet_sampler_params sampler = seeded([](bitnet_sampler_params& p) {
        p.temperature = 1.5f, p.repetition_penalty = 1.3f, p.dry_multiplier = 1, p.top_k = 10;
    });
    const GenerationHandle plain = begin(context, sampler, 20);
    const test::Tokens expected = run(plain);
    float value = 77;
    size_t n = 0;
    CHECK(bitnet_generation_get_logprobs(plain.get(), &value, nullptr, 0, &n) == BITNET_E_STATE);
    const GenerationHandle generation = begin(context, sampler, 20, 5);
    CHECK(bitnet_generation_get_logprobs(generation.get(), &value, nullptr, 0, &n) == BITNET_E_STATE);
    test::Tokens tokens(32);
    size_t n_prompt = 0;
    test::must(bitnet_tokenizer_encode(bitnet_model_get_tokenizer(model.get()), "Once upon a time", 16,
                                       BITNET_ENCODE_ADD_BOS, tokens.data(), tokens.size(), &n_prompt));
    tokens.resize(n_prompt);
    for (size_t i = 0; i < expected.size(); ++i) {
        const bitnet_generation_step step = next(generation);
        REQUIRE(step.n_tokens == 1);
        CHECK(step.tokens[0] == expected[i]);
        bitnet_token_logprob top[5], wanted[5];
        CHECK(bitnet_generation_get_logprobs(generation.get(), &value, top, 4, &n) == BITNET_E_BUFFER_TOO_SMALL);
        CHECK(n == 5);
        test::must(bitnet_generation_get_logprobs(generation.get(), &value, top, 5, &n));
        const test::Logits logits = test::fresh_logits(model, tokens);
        float logprob = 0;
        test::must(bitnet_logits_get_top_logprobs(logits.data(), n_vocab, step.tokens[0], &logprob, wanted, 5));
        CHECK(value == logprob);
        for (int j = 0; j < 5; ++j) {
            CHECK(top[j].token == wanted[j].token);
            CHECK(top[j].logprob == wanted[j].logprob);
        }
        CHECK(top[0].token == test::argmax(logits));
        tokens.push_back(step.tokens[0]);
    }
    CHECK(bitnet_generation_get_logprobs(nullptr, &value, nullptr, 0, &n) == BITNET_E_ARGUMENT);
}

TEST_CASE("a generation refuses a number of log-probabilities out of range") {
    const test::ModelHandle model = stories();
    const test::ContextHandle context = test::make_context(model);
    for (const int32_t bad : {-1, 21, 2147483647}) {
        bitnet_generation_params params = bitnet_generation_default_params();
        params.n_logprobs = bad;
        bitnet_generation* generation = nullptr;
        CHECK(bitnet_generation_create(context.get(), 0, "x", 1, &params, &generation) == BITNET_E_CONFIG);
        CHECK(test::last_error().find("n_logprobs = " + std::to_string(bad)) == 0);
    }
}

TEST_CASE("tokens are found by the text they stand for") {
    const test::ModelHandle model = stories();
    const bitnet_tokenizer* tokenizer = bitnet_model_get_tokenizer(model.get());
    for (const std::string wanted : {"\n", ".", "he", "\""}) {
        CAPTURE(wanted);
        size_t n = 0;
        CHECK(bitnet_tokenizer_find_tokens(tokenizer, wanted.data(), wanted.size(), nullptr, 0, &n) ==
              BITNET_E_BUFFER_TOO_SMALL);
        test::Tokens found(n);
        test::must(bitnet_tokenizer_find_tokens(tokenizer, wanted.data(), wanted.size(), found.data(), n, &n));
        test::Tokens expected;
        for (bitnet_token token = 0; token < bitnet_tokenizer_get_n_vocab(tokenizer); ++token) {
            char text[256];
            size_t n_bytes = 0;
            test::must(bitnet_tokenizer_decode(tokenizer, &token, 1, 0, text, sizeof text, &n_bytes));
            if (std::string(text, n_bytes).find(wanted) != std::string::npos) expected.push_back(token);
        }
        CHECK(!found.empty());
        CHECK(found == expected);
    }
    size_t n = 0;
    test::must(bitnet_tokenizer_find_tokens(tokenizer, "no token has this", 17, nullptr, 0, &n));
    CHECK(n == 0);
    CHECK(bitnet_tokenizer_find_tokens(tokenizer, "", 0, nullptr, 0, &n) == BITNET_E_ARGUMENT);
    CHECK(bitnet_tokenizer_find_tokens(tokenizer, nullptr, 3, nullptr, 0, &n) == BITNET_E_ARGUMENT);
    CHECK(bitnet_tokenizer_find_tokens(nullptr, "x", 1, nullptr, 0, &n) == BITNET_E_ARGUMENT);
}
