// Generation over the default model: the same text as the loop written by hand, whatever the form of the call; stop
// sequences, limits, deadline, cancelling; what a sequence keeps; and that failing loses nothing.
#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/api/generation_fixture.h"

namespace {

using test::GenerationHandle;
using test::stories;

bitnet_sampler_params greedy() {
    bitnet_sampler_params params = bitnet_sampler_default_params();
    params.temperature = 0;
    return params;
}

bitnet_sampler_params seeded(uint64_t seed) {
    bitnet_sampler_params params = bitnet_sampler_default_params();
    params.has_seed = 1;
    params.seed = seed;
    return params;
}

bitnet_generation_params generation_params(const bitnet_sampler_params& sampler, int32_t max_new_tokens = 100) {
    bitnet_generation_params params = bitnet_generation_default_params();
    params.max_new_tokens = max_new_tokens;
    params.sampler = &sampler;
    return params;
}

struct Text {
    std::string text;
    test::Tokens tokens;
    std::string reason;
    int32_t stop_sequence = -1;
    uint64_t reused = 0;
    bool operator==(const Text&) const = default;
};

bitnet_generation_result result_of(const GenerationHandle& generation) {
    bitnet_generation_result result = {};
    result.struct_size = sizeof result;
    test::must(bitnet_generation_get_result(generation.get(), &result));
    return result;
}

Text text_of(const GenerationHandle& generation) {
    const bitnet_generation_result result = result_of(generation);
    CHECK(std::string(result.text).size() <= result.n_bytes);
    return {std::string(result.text, result.n_bytes), test::Tokens(result.tokens, result.tokens + result.n_tokens),
            bitnet_finish_reason_name(static_cast<bitnet_finish_reason>(result.finish_reason)), result.stop_sequence,
            result.reused_tokens};
}

GenerationHandle create(const test::ContextHandle& context, const std::string& prompt,
                        const bitnet_generation_params& params, bitnet_seq_id id = 0) {
    bitnet_generation* generation = nullptr;
    test::must(bitnet_generation_create(context.get(), id, prompt.data(), prompt.size(), &params, &generation));
    return GenerationHandle(generation);
}

bitnet_generation_step next(const GenerationHandle& generation) {
    bitnet_generation_step step = {};
    step.struct_size = sizeof step;
    test::must(bitnet_generation_next(generation.get(), &step));
    return step;
}

Text generate(const test::ContextHandle& context, const std::string& prompt, const bitnet_generation_params& params,
              bitnet_generation_callback on_step = nullptr, void* user_data = nullptr) {
    bitnet_generation* generation = nullptr;
    test::must(
        bitnet_generate(context.get(), 0, prompt.data(), prompt.size(), &params, on_step, user_data, &generation));
    return text_of(GenerationHandle(generation));
}

test::Tokens encode(const test::ModelHandle& model, const std::string& text) {
    test::Tokens tokens(text.size() + 2);
    size_t n = 0;
    test::must(bitnet_tokenizer_encode(bitnet_model_get_tokenizer(model.get()), text.data(), text.size(),
                                       BITNET_ENCODE_ADD_BOS, tokens.data(), tokens.size(), &n));
    tokens.resize(n);
    return tokens;
}

// The loop of examples/simple.c.
Text by_hand(const test::ModelHandle& model, const std::string& prompt, const bitnet_sampler_params& params,
             int n_most) {
    const bitnet_tokenizer* tokenizer = bitnet_model_get_tokenizer(model.get());
    const test::ContextHandle context = test::make_context(model);
    bitnet_sampler* raw = nullptr;
    test::must(bitnet_sampler_create(&params, &raw));
    const test::SamplerHandle sampler(raw);
    const test::Tokens tokens = encode(model, prompt);
    for (const bitnet_token token : tokens) test::must(bitnet_sampler_accept(raw, token));
    test::decode(context, tokens);
    Text text;
    text.reason = "length";
    for (int i = 0; i < n_most; ++i) {
        bitnet_token token = 0;
        test::must(bitnet_sampler_sample_context(raw, context.get(), -1, &token));
        if (bitnet_tokenizer_is_end(tokenizer, token) != 0) {
            text.reason = "end";
            break;
        }
        text.tokens.push_back(token);
        test::decode(context, {token});
    }
    std::string bytes(text.tokens.size() * 64 + 1, '\0');
    size_t n = 0;
    test::must(
        bitnet_tokenizer_decode(tokenizer, text.tokens.data(), text.tokens.size(), 0, bytes.data(), bytes.size(), &n));
    text.text = bytes.substr(0, n);
    return text;
}

const std::string kPrompt = "Once upon a time";

}  // namespace

TEST_CASE("bitnet_generate, steps and the loop by hand give the same tokens and text") {
    const test::ModelHandle model = stories();
    for (const bitnet_sampler_params& sampler : {greedy(), seeded(1), seeded(2)}) {
        for (const int32_t n : {0, 1, 2, 60, 400}) {
            CAPTURE(n);
            const Text expected = by_hand(model, kPrompt, sampler, n);
            const bitnet_generation_params params = generation_params(sampler, n);
            CHECK(generate(test::make_context(model), kPrompt, params) == expected);

            const test::ContextHandle context = test::make_context(model);
            const GenerationHandle generation = create(context, kPrompt, params);
            Text collected;
            bitnet_generation_step step = {};
            do {
                step = next(generation);
                CHECK(std::string(step.text).size() == step.n_bytes);
                collected.text.append(step.text, step.n_bytes);
                collected.tokens.insert(collected.tokens.end(), step.tokens, step.tokens + step.n_tokens);
            } while (step.finish_reason == BITNET_FINISH_NONE);
            collected.reason = bitnet_finish_reason_name(static_cast<bitnet_finish_reason>(step.finish_reason));
            CHECK(collected == expected);
            CHECK(text_of(generation) == expected);
            const bitnet_generation_step after = next(generation);
            CHECK(after.finish_reason == step.finish_reason);
            CHECK((after.n_bytes == 0 && after.n_tokens == 0));
            CHECK(text_of(generation) == expected);
        }
    }
}

TEST_CASE("the defaults are 100 tokens, special tokens skipped, and those of a sampler") {
    const bitnet_generation_params params = bitnet_generation_default_params();
    CHECK(params.max_new_tokens == 100);
    CHECK(params.skip_special_tokens == 1);
    CHECK(params.parse_special == 0);
    CHECK(params.deadline_us == 0);
    CHECK(params.sampler == nullptr);
    CHECK(params.n_stop_sequences == 0);
    const test::ModelHandle model = stories();
    bitnet_generation* raw = nullptr;
    test::must(bitnet_generate(test::make_context(model).get(), 0, kPrompt.data(), kPrompt.size(), nullptr, nullptr,
                               nullptr, &raw));
    const GenerationHandle generation(raw);  // its context is gone already
    const bitnet_generation_result first = result_of(generation);
    bitnet_sampler_params sampler = seeded(first.seed);
    CHECK(by_hand(model, kPrompt, sampler, 100).tokens == test::Tokens(first.tokens, first.tokens + first.n_tokens));
}

TEST_CASE("every piece of the text, as a stop sequence, ends it there and never shows") {
    const test::ModelHandle model = stories();
    const bitnet_sampler_params sampler = greedy();
    const test::ContextHandle context = test::make_context(model);
    const Text whole = generate(context, kPrompt, generation_params(sampler, 60));
    for (size_t begin = 0; begin + 12 < whole.text.size(); begin += 5) {
        for (const size_t n : {1, 3, 12}) {
            const std::string stop = whole.text.substr(begin, n);
            const char* const stops[] = {"never to be seen", stop.c_str()};
            bitnet_generation_params params = generation_params(sampler, 60);
            params.stop_sequences = stops;
            params.n_stop_sequences = 2;
            struct Shown {
                std::string text;
            } shown;
            const Text text = generate(
                context, kPrompt, params,
                [](const bitnet_generation_step* step, void* data) -> int32_t {
                    static_cast<Shown*>(data)->text += step->text;
                    return 0;
                },
                &shown);
            CAPTURE(stop);
            CHECK(text.text == whole.text.substr(0, whole.text.find(stop)));
            CHECK(text.reason == "stop_sequence");
            CHECK(text.stop_sequence == 1);
            CHECK(shown.text == text.text);
        }
    }
}

TEST_CASE("a callback ends the text and keeps what was there") {
    const test::ModelHandle model = stories();
    const bitnet_sampler_params sampler = greedy();
    const test::ContextHandle context = test::make_context(model);
    const Text whole = generate(context, kPrompt, generation_params(sampler, 60));
    int left = 5;
    const Text text = generate(
        context, kPrompt, generation_params(sampler, 60),
        [](const bitnet_generation_step*, void* data) -> int32_t { return --*static_cast<int*>(data) == 0; }, &left);
    CHECK(text.reason == "cancelled");
    CHECK(text.tokens == test::Tokens(whole.tokens.begin(), whole.tokens.begin() + 5));
}

TEST_CASE("cancelling from another thread is an end, and the context works on") {
    const test::ModelHandle model = stories();
    const bitnet_sampler_params sampler = greedy();
    bitnet_generation_params params = generation_params(sampler, -1);
    const test::ContextHandle context = test::make_context(model);
    std::thread other;
    struct State {
        std::thread* thread;
        bitnet_context* context;
    } state{&other, context.get()};
    const Text text = generate(
        context, kPrompt, params,
        [](const bitnet_generation_step*, void* data) -> int32_t {
            State* s = static_cast<State*>(data);
            if (!s->thread->joinable()) {
                *s->thread = std::thread([c = s->context] { bitnet_context_cancel(c); });
                s->thread->join();
                *s->thread = std::thread([] {});
            }
            return 0;
        },
        &state);
    other.join();
    CHECK(text.reason == "cancelled");
    CHECK(text.tokens.size() == 1);
    params.max_new_tokens = 3;
    CHECK(generate(context, kPrompt, params).tokens.size() == 3);
}

TEST_CASE("a deadline covers the prompt and ends the text") {
    const test::ModelHandle model = stories();
    const bitnet_sampler_params sampler = greedy();
    bitnet_generation_params params = generation_params(sampler, -1);
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) { p.n_ctx = 4096; });
    params.deadline_us = 1;
    const Text none = generate(context, kPrompt, params);
    CHECK(none.reason == "deadline");
    CHECK(none.tokens.empty());
    CHECK(bitnet_sequence_get_end(context.get(), 0) == 0);
    params.deadline_us = UINT64_MAX;
    params.max_new_tokens = 3;
    CHECK(generate(context, kPrompt, params).reason == "length");
}

TEST_CASE("a full context ends the text, a prompt beyond it is refused") {
    const test::ModelHandle model = stories();
    bitnet_sampler_params sampler = greedy();
    const bitnet_logit_bias no_end[] = {{2047, -1000.0f}};
    sampler.logit_bias = no_end;
    sampler.n_logit_bias = 1;
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) { p.n_ctx = 16; });
    const bitnet_generation_params params = generation_params(sampler, -1);
    const Text text = generate(context, kPrompt, params);
    CHECK(text.reason == "context_full");
    CHECK(encode(model, kPrompt).size() + text.tokens.size() == 17);  // the last one needs no cell

    std::string prompt = kPrompt;
    for (int i = 0; i < 5; ++i) prompt += prompt;
    bitnet_generation* generation = nullptr;
    CHECK(test::name_of(bitnet_generation_create(context.get(), 0, prompt.data(), prompt.size(), &params,
                                                 &generation)) == "BITNET_E_KV_FULL");
    CHECK(generation == nullptr);
    CHECK(test::last_error().find("n_ctx") != std::string::npos);
}

TEST_CASE("a prompt that goes on from what the sequence holds is computed from there on, with the same result") {
    const test::ModelHandle model = stories();
    const bitnet_sampler_params sampler = greedy();
    const bitnet_generation_params params = generation_params(sampler, 20);
    const test::ContextHandle context = test::make_context(model);
    const Text first = generate(context, kPrompt, params);
    CHECK(first.reused == 0);
    const test::Tokens prompt = encode(model, kPrompt);
    Text again = generate(context, kPrompt, params);
    CHECK(again.reused == prompt.size() - 1);
    again.reused = 0;
    CHECK(again == first);
    const std::string longer = kPrompt + first.text + " Then";
    const Text from_there = generate(context, longer, params);
    const Text afresh = generate(test::make_context(model), longer, params);
    CHECK(from_there.reused >= prompt.size());
    CHECK(from_there.tokens == afresh.tokens);
    const std::string other = "One day";
    CHECK(generate(context, other, params).tokens == generate(test::make_context(model), other, params).tokens);
}

TEST_CASE("prefill keeps the common beginning and gives the bits of a fresh decode") {
    const test::ModelHandle model = stories();
    const test::Tokens a = encode(model, "Once upon a time there was a little cat.");
    test::Tokens b(a.begin(), a.begin() + 6);
    for (const bitnet_token token : encode(model, " Tom ran home to his mom.")) b.push_back(token);
    for (const int32_t n_batch : {0, 1, 4}) {
        CAPTURE(n_batch);
        const test::ContextHandle context = test::make_context(model, [&](bitnet_context_params& p) {
            p.n_batch = n_batch;
            p.n_ctx = 64;
            p.n_seq_max = 2;
        });
        size_t reused = 99;
        const auto prefill = [&](const test::Tokens& tokens) {
            test::must(bitnet_context_prefill(context.get(), 0, tokens.data(), tokens.size(), &reused));
            CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, tokens)));
            CHECK(bitnet_sequence_get_end(context.get(), 0) == static_cast<bitnet_pos>(tokens.size()));
        };
        prefill(a);
        CHECK(reused == 0);
        prefill(a);
        CHECK(reused == a.size() - 1);
        prefill(b);
        CHECK(reused == 6);
        // A hole: what stands behind it has seen the tokens that are gone.
        test::must(bitnet_sequence_remove(context.get(), 0, 2, 4));
        prefill(b);
        CHECK(reused == 2);
        // The same where the tokens agree and only their positions tell.
        const test::Tokens twice = {b[0], b[1], b[1], b[2], b[3]}, once = {b[0], b[1], b[2], b[3]};
        prefill(twice);
        test::must(bitnet_sequence_remove(context.get(), 0, 1, 2));
        prefill(once);
        CHECK(reused == 1);
        prefill(b);
        // A restored sequence knows its tokens.
        std::vector<char> state(1 << 20);
        size_t n = 0;
        test::must(bitnet_sequence_save(context.get(), 0, state.data(), state.size(), &n));
        test::must(bitnet_sequence_remove(context.get(), 0, -1, -1));
        test::must(bitnet_sequence_load(context.get(), 0, state.data(), n));
        prefill(b);
        CHECK(reused == b.size() - 1);
        // A copy too, and the original is not disturbed by what the copy forgets.
        test::must(bitnet_sequence_copy(context.get(), 0, 1, -1, -1));
        test::must(bitnet_context_prefill(context.get(), 1, a.data(), a.size(), &reused));
        CHECK(reused == 6);
        prefill(b);
        CHECK(reused == b.size() - 1);
    }
}

TEST_CASE("a prefill that fails leaves the sequence as it was") {
    const test::ModelHandle model = stories();
    const test::Tokens a = encode(model, "Once upon a time there was a little cat.");
    struct Stop {
        int polls_left = 1000000;
    } stop;
    const test::ContextHandle context = test::make_context(model, [&](bitnet_context_params& p) {
        p.n_ctx = 32;
        p.n_batch = 4;
        p.n_seq_max = 2;
        p.should_abort = [](void* data) -> int32_t { return --static_cast<Stop*>(data)->polls_left < 0; };
        p.abort_user_data = &stop;
    });
    test::must(bitnet_context_prefill(context.get(), 0, a.data(), a.size(), nullptr));
    const auto end = bitnet_sequence_get_end(context.get(), 0);
    test::Tokens other = encode(model, "Tom and Lily saw a big dog in the park.");
    other.insert(other.begin() + 1, a.begin() + 1, a.begin() + 3);
    REQUIRE(other.size() + a.size() - 3 <= 32);
    const auto fails = [&](const test::Tokens& tokens) {
        return test::name_of(bitnet_context_prefill(context.get(), 0, tokens.data(), tokens.size(), nullptr));
    };
    for (const int polls : {0, 1, 20, 100}) {  // in the first part of the prompt and in later ones
        stop.polls_left = polls;
        CHECK(fails(other) == "BITNET_E_CANCELLED");
        stop.polls_left = 1000000;
        CHECK(bitnet_sequence_get_end(context.get(), 0) == end);
        size_t reused = 0;
        test::must(bitnet_context_prefill(context.get(), 0, a.data(), a.size(), &reused));
        CHECK(reused == a.size() - 1);
        CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, a)));
    }
    CHECK(fails(test::Tokens(40, a[1])) == "BITNET_E_KV_FULL");
    CHECK(fails({a[0], 99999}) == "BITNET_E_TOKEN");
    CHECK(fails({a[0], -1}) == "BITNET_E_TOKEN");
    CHECK(fails({}) == "BITNET_E_ARGUMENT");
    CHECK(bitnet_sequence_get_end(context.get(), 0) == end);
    CHECK(test::name_of(bitnet_context_prefill(context.get(), 2, a.data(), a.size(), nullptr)) == "BITNET_E_ARGUMENT");
    // Old and new do not fit side by side here, but the new ones alone do.
    test::Tokens filler(28, a[1]);
    filler[0] = a[0];
    test::must(bitnet_context_prefill(context.get(), 0, filler.data(), filler.size(), nullptr));
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, filler)));
}

TEST_CASE("two generations take turns on one context and do not notice") {
    const test::ModelHandle model = stories();
    const bitnet_sampler_params one = seeded(5), two = seeded(6);
    const Text expected_one = generate(test::make_context(model), kPrompt, generation_params(one, 30));
    const Text expected_two = generate(test::make_context(model), "Lily saw", generation_params(two, 40));
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) { p.n_seq_max = 2; });
    const GenerationHandle a = create(context, kPrompt, generation_params(one, 30), 0);
    const GenerationHandle b = create(context, "Lily saw", generation_params(two, 40), 1);
    for (int i = 0; i < 50; ++i) {
        next(a);
        next(b);
    }
    CHECK(text_of(a) == expected_one);
    CHECK(text_of(b) == expected_two);
}

TEST_CASE("a sequence that others change is an error, not another text") {
    const test::ModelHandle model = stories();
    const bitnet_sampler_params sampler = greedy();
    const test::ContextHandle context = test::make_context(model);
    const GenerationHandle generation = create(context, kPrompt, generation_params(sampler, 10));
    next(generation);
    next(generation);
    const Text before = text_of(generation);
    test::must(bitnet_sequence_remove(context.get(), 0, 3, -1));
    bitnet_generation_step step = {};
    step.struct_size = sizeof step;
    CHECK(test::name_of(bitnet_generation_next(generation.get(), &step)) == "BITNET_E_STATE");
    CHECK(test::last_error().find("sequence 0") != std::string::npos);
    CHECK(text_of(generation) == before);
}

TEST_CASE("the result tells what ran") {
    const test::ModelHandle model = stories();
    const bitnet_sampler_params sampler = seeded(11);
    const test::ContextHandle context = test::make_context(model);
    const GenerationHandle generation = create(context, kPrompt, generation_params(sampler, 10));
    CHECK(result_of(generation).n_tokens == 0);
    CHECK(std::string(result_of(generation).text).empty());
    for (int i = 0; i < 10; ++i) next(generation);
    const bitnet_generation_result result = result_of(generation);
    CHECK(std::string(result.device) == "cpu");
    CHECK(std::string(result.quantization) == "i2_s");
    CHECK(std::string(result.model_name) == test::info_of(model).name);
    CHECK(result.seed == 11);
    CHECK(result.prompt_tokens == encode(model, kPrompt).size());
    CHECK(result.n_tokens == 10);
    CHECK(result.prefill_us > 0);
    CHECK(result.decode_us > 0);
    CHECK(result.total_us >= result.prefill_us + result.decode_us);
    CHECK(result.decode_tokens_per_second > 0);
    uint64_t sum = 0;
    for (size_t i = 0; i < result.n_tokens; ++i) sum += result.token_times_us[i];
    CHECK(sum <= result.total_us);
}

TEST_CASE("parameters that cannot be are refused with a message and no handle") {
    const test::ModelHandle model = stories();
    const test::ContextHandle context = test::make_context(model);
    const auto status = [&](const bitnet_generation_params* params, const char* prompt = "x", size_t n = 1,
                            bitnet_seq_id id = 0) {
        bitnet_generation* generation = reinterpret_cast<bitnet_generation*>(1);
        const bitnet_status s = bitnet_generation_create(context.get(), id, prompt, n, params, &generation);
        CHECK(generation == nullptr);
        test::last_error();
        return test::name_of(s);
    };
    bitnet_generation_params params = bitnet_generation_default_params();
    params.max_new_tokens = -2;
    CHECK(status(&params) == "BITNET_E_CONFIG");
    params = bitnet_generation_default_params();
    params.struct_size = 0;
    CHECK(status(&params) == "BITNET_E_ARGUMENT");
    params = bitnet_generation_default_params();
    bitnet_sampler_params sampler = bitnet_sampler_default_params();
    sampler.top_p = 2;
    params.sampler = &sampler;
    CHECK(status(&params) == "BITNET_E_CONFIG");
    params = bitnet_generation_default_params();
    params.n_stop_sequences = 1;
    CHECK(status(&params) == "BITNET_E_ARGUMENT");
    const char* const stops[] = {"", nullptr};
    params.stop_sequences = stops;
    CHECK(status(&params) == "BITNET_E_CONFIG");
    params.n_stop_sequences = 2;
    CHECK(status(&params) == "BITNET_E_ARGUMENT");
    params.n_stop_sequences = SIZE_MAX;
    CHECK(status(&params) == "BITNET_E_LIMIT");
    CHECK(status(nullptr, nullptr, 3) == "BITNET_E_ARGUMENT");
    CHECK(status(nullptr, "x", 1, 1) == "BITNET_E_ARGUMENT");
    CHECK(status(nullptr, "x", 1, -1) == "BITNET_E_ARGUMENT");

    bitnet_generation* generation = nullptr;
    const bitnet_token bad[] = {1, 4096};
    CHECK(test::name_of(bitnet_generation_create_from_tokens(context.get(), 0, bad, 2, nullptr, &generation)) ==
          "BITNET_E_TOKEN");
    CHECK(test::name_of(bitnet_generation_create_from_tokens(context.get(), 0, nullptr, 0, nullptr, &generation)) ==
          "BITNET_E_ARGUMENT");
    CHECK(test::name_of(bitnet_generation_create(nullptr, 0, "x", 1, nullptr, &generation)) == "BITNET_E_ARGUMENT");
    CHECK(test::name_of(bitnet_generation_create(context.get(), 0, "x", 1, nullptr, nullptr)) == "BITNET_E_ARGUMENT");
    CHECK(test::name_of(bitnet_generate(context.get(), 0, "x", 1, nullptr, nullptr, nullptr, nullptr)) ==
          "BITNET_E_ARGUMENT");
    bitnet_generation_step step = {};
    step.struct_size = sizeof step;
    CHECK(test::name_of(bitnet_generation_next(nullptr, &step)) == "BITNET_E_ARGUMENT");
    const GenerationHandle good = create(context, "x", bitnet_generation_default_params());
    CHECK(test::name_of(bitnet_generation_next(good.get(), nullptr)) == "BITNET_E_ARGUMENT");
    step.struct_size = 0;
    CHECK(test::name_of(bitnet_generation_next(good.get(), &step)) == "BITNET_E_ARGUMENT");
    CHECK(result_of(good).n_tokens == 0);  // no token was drawn for nothing
    bitnet_generation_free(nullptr);
    CHECK(std::string(bitnet_finish_reason_name(static_cast<bitnet_finish_reason>(77))) == "unknown");
}

TEST_CASE("a prompt without text begins with BOS, special tokens are text unless asked for") {
    const test::ModelHandle model = stories();
    const bitnet_sampler_params sampler = greedy();
    bitnet_generation_params params = generation_params(sampler, 5);
    const test::ContextHandle context = test::make_context(model);
    const GenerationHandle empty = create(context, "", params);
    next(empty);
    CHECK(result_of(empty).prompt_tokens == 1);
    const GenerationHandle plain = create(context, "<|end_of_text|>", params);
    CHECK(result_of(plain).prompt_tokens > 3);
    params.parse_special = 1;
    const GenerationHandle special = create(context, "<|end_of_text|>", params);
    CHECK(result_of(special).prompt_tokens == 2);
}
