// What the tests of engines share: an engine over the default model, texts to the end, and what the library says alone.
#pragma once

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "examples/stories/default_model.h"
#include "server/engine/engine.h"

namespace test {

inline serve::ModelHandle load_stories() {
    size_t size = 0;
    const void* bytes = default_model_bytes(&size);
    bitnet_model* model = nullptr;
    serve::check(bitnet_model_load_from_memory(bytes, size, nullptr, &model));
    return serve::ModelHandle(model, bitnet_model_free);
}

// One for all tests: a model never changes.
inline const serve::ModelHandle& stories_model() {
    static const serve::ModelHandle model = load_stories();
    return model;
}

inline std::shared_ptr<serve::Engine> start_stories(const serve::EngineOptions& options) {
    bitnet_model_info info;
    info.struct_size = sizeof info;
    serve::check(bitnet_model_get_info(stories_model().get(), &info));
    serve::ModelFacts facts;
    facts.id = "stories";
    facts.n_ctx_train = info.n_ctx_train;
    facts.n_vocab = info.n_vocab;
    facts.n_embd = info.n_embd;
    return serve::start_engine(stories_model(), facts, options);
}

inline std::vector<bitnet_token> story_tokens(const std::string& text) {
    return serve::encode_text(bitnet_model_get_tokenizer(stories_model().get()), text, BITNET_ENCODE_ADD_DEFAULT);
}

// A text of a seed of its own.
inline serve::GenerationSpec story(const std::string& prompt, int32_t max_tokens, uint64_t seed = 1) {
    serve::GenerationSpec spec;
    spec.prompt = story_tokens(prompt);
    spec.max_tokens = max_tokens;
    spec.sampler.temperature = 1;
    spec.sampler.has_seed = 1;
    spec.sampler.seed = seed;
    return spec;
}

struct Outcome {
    std::string text;
    std::vector<bitnet_token> tokens;
    bitnet_finish_reason finish = BITNET_FINISH_NONE;
    std::string error;  // the code's name where it failed
    serve::Usage usage;
};

// Waits for a job's end; a minute without a step fails the test.
inline Outcome outcome_of(serve::Job& job) {
    Outcome outcome;
    try {
        while (outcome.finish == BITNET_FINISH_NONE) {
            const auto step = job.wait(std::chrono::minutes(1));
            REQUIRE(step);
            outcome.text += step->text;
            if (step->token >= 0) outcome.tokens.push_back(step->token);
            outcome.finish = step->finish;
        }
    } catch (const serve::ApiError& error) {
        outcome.error = serve::error_info(error.code).name;
    }
    outcome.usage = job.usage();
    return outcome;
}

// The same text by the library alone, in a context of its own.
inline std::string text_alone(const serve::GenerationSpec& spec) {
    bitnet_context_params context_params = bitnet_context_default_params();
    bitnet_context* context = nullptr;
    serve::check(bitnet_context_create(stories_model().get(), &context_params, &context));
    const std::shared_ptr<bitnet_context> keep(context, bitnet_context_free);
    bitnet_generation_params params = bitnet_generation_default_params();
    params.max_new_tokens = spec.max_tokens;
    params.sampler = &spec.sampler;
    bitnet_generation* generation = nullptr;
    serve::check(
        bitnet_generation_create_from_tokens(context, 0, spec.prompt.data(), spec.prompt.size(), &params, &generation));
    const std::shared_ptr<bitnet_generation> keep_too(generation, bitnet_generation_free);
    std::string text;
    bitnet_generation_step step;
    do {
        step.struct_size = sizeof step;
        serve::check(bitnet_generation_next(generation, &step));
        text.append(step.text, step.n_bytes);
    } while (step.finish_reason == BITNET_FINISH_NONE);
    return text;
}

// The code that a call ends with, "" for none.
template <typename Call>
std::string code_of(Call call) {
    try {
        call();
        return "";
    } catch (const serve::ApiError& error) {
        return serve::error_info(error.code).name;
    }
}

}  // namespace test
