// The figures of a generation agree with each other: times of tokens with their sum, the times of the parts with the whole,
// rates with counts and times. Times themselves cannot be predicted; that they are none, or do not add up, can be seen.
#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/api/generation_fixture.h"

namespace {

using test::GenerationHandle;

GenerationHandle create(const test::ContextHandle& context, const std::string& prompt, int32_t max_new_tokens) {
    bitnet_generation_params params = bitnet_generation_default_params();
    params.max_new_tokens = max_new_tokens;
    bitnet_generation* generation = nullptr;
    test::must(bitnet_generation_create(context.get(), 0, prompt.data(), prompt.size(), &params, &generation));
    return GenerationHandle(generation);
}

bitnet_generation_step next(const GenerationHandle& generation) {
    bitnet_generation_step step = {};
    step.struct_size = sizeof step;
    test::must(bitnet_generation_next(generation.get(), &step));
    return step;
}

bitnet_generation_result result_of(const GenerationHandle& generation) {
    bitnet_generation_result result = {};
    result.struct_size = sizeof result;
    test::must(bitnet_generation_get_result(generation.get(), &result));
    return result;
}

// A rate is exactly its count over its time.
double rate(uint64_t n, uint64_t us) { return us != 0 ? static_cast<double>(n) * 1e6 / static_cast<double>(us) : 0.0; }

}  // namespace

TEST_CASE("each step tells the time of its token, the sum so far and the rate, and the result has them all") {
    const test::ModelHandle model = test::load_model(test::golden_model("llama-f16"));
    const test::ContextHandle context = test::make_context(model);
    const GenerationHandle generation = create(context, "the time of a token", 12);
    std::vector<uint64_t> times;
    uint64_t sum = 0;
    for (bitnet_generation_step step = next(generation);; step = next(generation)) {
        if (step.n_tokens == 1) {
            times.push_back(step.token_us);
            sum += step.token_us;
            CHECK(step.cumulative_us == sum);
            CHECK(step.tokens_per_second == doctest::Approx(rate(times.size(), sum)));
        }
        if (step.finish_reason != BITNET_FINISH_NONE) break;
    }
    REQUIRE(!times.empty());
    CHECK(times[0] > 0);  // the prompt is in it
    const bitnet_generation_result result = result_of(generation);
    CHECK(std::vector<uint64_t>(result.token_times_us, result.token_times_us + result.n_tokens) == times);
    CHECK(sum <= result.total_us);
}

TEST_CASE("times of tokenizing, prompt and text lie within the whole, and rates are counts over times") {
    const test::ModelHandle model = test::load_model(test::golden_model("llama-f16"));
    const test::ContextHandle context = test::make_context(model);
    std::string prompt;
    for (int i = 0; i < 3; ++i) prompt += "more text ";
    for (int round = 0; round < 2; ++round) {  // the second one finds the prompt there
        CAPTURE(round);
        const GenerationHandle generation = create(context, prompt, 5);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the caller's own time counts for the whole alone
        while (next(generation).finish_reason == BITNET_FINISH_NONE) {
        }
        const bitnet_generation_result result = result_of(generation);
        CHECK(result.prompt_tokens > 12);
        CHECK(result.reused_tokens == (round == 0 ? 0 : result.prompt_tokens - 1));
        CHECK(result.decode_steps <= result.n_tokens);
        CHECK(result.prefill_us > 0);
        CHECK(result.tokenize_us + result.prefill_us + result.decode_us + 20000 <= result.total_us);
        CHECK(result.prefill_tokens_per_second ==
              doctest::Approx(rate(result.prompt_tokens - result.reused_tokens, result.prefill_us)));
        CHECK(result.decode_tokens_per_second == doctest::Approx(rate(result.decode_steps, result.decode_us)));
        CHECK(result.total_tokens_per_second == doctest::Approx(rate(result.n_tokens, result.total_us)));
    }
}
