// An engine under load: the same text whatever runs beside it, order, deadlines, cancelling, full caches, tenants apart.
#include <atomic>
#include <random>
#include <thread>

#include "tests/server/engine_fixture.h"

using namespace serve;
using namespace std::chrono_literals;
using namespace test;

namespace {

EngineOptions options_of(int32_t n_parallel, int32_t n_ctx = 0) {
    EngineOptions options;
    options.n_parallel = n_parallel;
    options.n_ctx = n_ctx;
    options.n_threads = 2;
    return options;
}

// A story that only its length or somebody else ends.
GenerationSpec endless(const std::string& prompt, int32_t max_tokens) {
    GenerationSpec spec = story(prompt, max_tokens);
    const bitnet_tokenizer* tokenizer = bitnet_model_get_tokenizer(stories_model().get());
    for (bitnet_token token = 0; token < bitnet_tokenizer_get_n_vocab(tokenizer); token++)
        if (bitnet_tokenizer_is_end(tokenizer, token)) spec.logit_bias.push_back({token, -INFINITY});
    return spec;
}

std::string long_prompt(size_t n_words) {
    std::string text = "Once upon a time";
    const char* const words[] = {" there", " was", " a", " little", " dog", " and", " the", " cat", " saw", " it"};
    for (size_t i = 0; i < n_words; i++) text += words[(i * i + i / 7) % std::size(words)];
    return text;
}

bool idle_soon(const Engine& engine) {
    for (int i = 0; i < 2000 && !engine.idle(); i++) std::this_thread::sleep_for(5ms);
    return engine.idle();
}

}  // namespace

TEST_CASE("a text is the same, bit for bit, whatever runs beside it and whatever was cached") {
    const char* const beginnings[] = {"Once upon a time", "Once upon a time there was a little girl named Lily. She",
                                      "Once upon a time there was a little girl named Lily. He", "The dog",
                                      "One day, Tom and Sue went to the park. They saw a big tree. Tom"};
    std::mt19937 random(7);
    std::vector<GenerationSpec> specs;
    for (int i = 0; i < 40; i++) {
        GenerationSpec spec =
            story(beginnings[random() % std::size(beginnings)], 1 + static_cast<int32_t>(random() % 50), random() % 6);
        spec.sampler.temperature = random() % 3 == 0 ? 0.0f : 1.0f;
        spec.priority = static_cast<Priority>(random() % 4);
        spec.tenant = random() % 2 ? "alice" : "bob";
        specs.push_back(spec);
    }
    EngineOptions options = options_of(5, 200);  // a cache too small for five of the longest at once
    options.chunk_tokens = 7;
    options.n_cached = 6;
    const std::shared_ptr<Engine> engine = start_stories(options);
    std::vector<Outcome> outcomes(specs.size());
    std::vector<std::thread> clients;
    for (size_t first = 0; first < 4; first++)
        clients.emplace_back([&, first] {
            for (size_t i = first; i < specs.size(); i += 4) {
                const std::shared_ptr<Job> job = engine->submit(specs[i]);
                if (i % 5 == 0) {  // one that is given up in between
                    engine->submit(specs[i])->cancel();
                }
                outcomes[i] = outcome_of(*job);
            }
        });
    for (std::thread& client : clients) client.join();
    uint64_t n_reused = 0;
    for (size_t i = 0; i < specs.size(); i++) {
        INFO("text ", i);
        CHECK(outcomes[i].error == "");
        CHECK(outcomes[i].text == text_alone(specs[i]));
        n_reused += outcomes[i].usage.reused_tokens;
    }
    CHECK(n_reused > 100);
    CHECK(engine->stats().batched_texts > engine->stats().batches);
}

TEST_CASE("texts run in one pass, and their figures say so") {
    const std::shared_ptr<Engine> engine = start_stories(options_of(4));
    std::vector<std::shared_ptr<Job>> jobs;
    for (uint64_t i = 0; i < 4; i++) jobs.push_back(engine->submit(endless("The dog", 60)));
    for (const std::shared_ptr<Job>& job : jobs) {
        const Outcome outcome = outcome_of(*job);
        CHECK(outcome.finish == BITNET_FINISH_LENGTH);
        CHECK(outcome.usage.generated_tokens == 60);
        CHECK(outcome.usage.batch_size >= 2);
        CHECK(outcome.usage.batch_size <= 4);
        CHECK(outcome.usage.batch_id.starts_with("batch_"));
        CHECK(outcome.usage.seed == 1);
        CHECK(outcome.usage.decode_us > 0);
        CHECK(outcome.usage.total_us >= outcome.usage.queue_us + outcome.usage.decode_us);
    }
    const EngineStats stats = engine->stats();
    CHECK(stats.requests == 4);
    CHECK(stats.failed_requests == 0);
    CHECK(stats.generated_tokens == 240);
    CHECK(stats.batches < 240);
    CHECK(stats.tokens_per_second > 0);
    REQUIRE(idle_soon(*engine));
    std::this_thread::sleep_for(20ms);
    CHECK(engine->stats().stalled == 0ms);
    CHECK(engine->stats().active == 0);
}

TEST_CASE("texts of the same prompt at once compute it once") {
    const std::shared_ptr<Engine> engine = start_stories(options_of(4));
    const GenerationSpec spec = story(long_prompt(150), 5);
    std::vector<std::shared_ptr<Job>> jobs;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        GenerationSpec other = spec;
        other.sampler.seed = seed;
        jobs.push_back(engine->submit(other));
    }
    uint64_t n_reused = 0;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        GenerationSpec other = spec;
        other.sampler.seed = seed;
        const Outcome outcome = outcome_of(*jobs[seed - 1]);
        CHECK(outcome.text == text_alone(other));
        n_reused += outcome.usage.reused_tokens;
    }
    CHECK(n_reused == 3 * (spec.prompt.size() - 1));
    CHECK(engine->stats().prompt_tokens == spec.prompt.size() + 3);
}

TEST_CASE("a second tenant's identical prompt reuses nothing") {
    const std::shared_ptr<Engine> engine = start_stories(options_of(2));
    GenerationSpec spec = story(long_prompt(60), 3);
    const auto reused_by = [&](const std::string& tenant) {
        spec.tenant = tenant;
        return outcome_of(*engine->submit(spec)).usage.reused_tokens;
    };
    CHECK(reused_by("alice") == 0);
    CHECK(reused_by("bob") == 0);
    CHECK(reused_by("") == 0);
    CHECK(reused_by("alice") == spec.prompt.size() - 1);
    CHECK(reused_by("bob") == spec.prompt.size() - 1);
    // Nor while the other one's text is running.
    GenerationSpec running = endless(long_prompt(80), 300);
    running.tenant = "alice";
    const std::shared_ptr<Job> job = engine->submit(running);
    REQUIRE(job->wait(1min));
    spec.prompt = running.prompt;
    CHECK(reused_by("carol") == 0);
    CHECK(reused_by("alice") == spec.prompt.size() - 1);
    job->cancel();
}

TEST_CASE("running texts never meet a full cache: those that would not fit wait, cached ones go") {
    EngineOptions options = options_of(8, 128);
    const std::shared_ptr<Engine> engine = start_stories(options);
    std::vector<std::shared_ptr<Job>> jobs;
    for (int i = 0; i < 12; i++) jobs.push_back(engine->submit(endless("Dog " + std::to_string(i), 50 + i)));
    jobs.push_back(engine->submit(endless("All of it", -1)));
    for (int i = 0; i < 12; i++) {
        const Outcome outcome = outcome_of(*jobs[static_cast<size_t>(i)]);
        CHECK(outcome.finish == BITNET_FINISH_LENGTH);
        CHECK(outcome.tokens.size() == static_cast<size_t>(50 + i));
    }
    const Outcome all = outcome_of(*jobs[12]);
    CHECK(all.finish == BITNET_FINISH_CONTEXT_FULL);
    CHECK(all.usage.prompt_tokens + all.usage.generated_tokens == 128);
    REQUIRE(idle_soon(*engine));
    CHECK(engine->stats().failed_requests == 0);
}

TEST_CASE("more urgent texts begin first, and nothing is lost where one is given up") {
    const std::shared_ptr<Engine> engine = start_stories(options_of(1));
    const std::shared_ptr<Job> first = engine->submit(endless("The dog", 200));
    REQUIRE(first->wait(1min));
    std::mutex mutex;
    std::string order;
    std::vector<std::shared_ptr<Job>> jobs;
    for (const auto& [name, priority] :
         {std::pair("low ", Priority::kLow), std::pair("normal ", Priority::kNormal),
          std::pair("high ", Priority::kHigh), std::pair("critical ", Priority::kCritical)}) {
        GenerationSpec spec = story("The cat", 2);
        spec.priority = priority;
        jobs.push_back(engine->submit(spec));
        jobs.back()->set_on_end([&, name = std::string(name)](const Usage&) {
            const std::lock_guard lock(mutex);
            order += name;
        });
    }
    first->cancel();
    for (const std::shared_ptr<Job>& job : jobs) CHECK(outcome_of(*job).error == "");
    REQUIRE(idle_soon(*engine));
    CHECK(order == "critical high normal low ");
    CHECK(outcome_of(*first).finish == BITNET_FINISH_CANCELLED);
}

TEST_CASE("a deadline ends a text that waits without running it, and one that runs within a step") {
    const std::shared_ptr<Engine> engine = start_stories(options_of(1));
    const std::shared_ptr<Job> running = engine->submit(endless("The dog", 400));
    REQUIRE(running->wait(1min));
    GenerationSpec spec = story("The cat", 5);
    spec.deadline = std::chrono::steady_clock::now() + 1ms;
    const Outcome waited = outcome_of(*engine->submit(spec));
    CHECK(waited.error == "TIMEOUT");
    CHECK(waited.usage.prefill_us == 0);
    CHECK(waited.usage.queue_us >= 1000);
    running->cancel();
    CHECK(outcome_of(*running).finish == BITNET_FINISH_CANCELLED);

    GenerationSpec timed = endless("The dog", 400);
    timed.deadline = std::chrono::steady_clock::now() + 1h;
    const std::shared_ptr<Job> job = engine->submit(timed);
    REQUIRE(job->wait(1min));
    job->cancel();
    REQUIRE(idle_soon(*engine));
    timed.deadline = std::chrono::steady_clock::now() + std::chrono::microseconds(job->usage().prefill_us) + 20ms;
    const Outcome ended = outcome_of(*engine->submit(timed));
    const bool in_time = ended.finish == BITNET_FINISH_DEADLINE || ended.error == "TIMEOUT";
    CHECK(in_time);
    CHECK(ended.tokens.size() < 400);
}

TEST_CASE("a text that is cancelled or let go ends within a step, its room is used again") {
    const std::shared_ptr<Engine> engine = start_stories(options_of(2, 512));
    const std::shared_ptr<Job> job = engine->submit(endless("The dog", 400));
    REQUIRE(job->wait(1min));
    job->cancel();
    const Outcome outcome = outcome_of(*job);
    CHECK(outcome.finish == BITNET_FINISH_CANCELLED);
    CHECK(outcome.usage.generated_tokens < 400);
    for (int i = 0; i < 6; i++) engine->submit(endless("Nobody listens", 400));  // the job is dropped at once
    CHECK(idle_soon(*engine));
    CHECK(engine->stats().generated_tokens < 400 + 6 * 400);
    CHECK(outcome_of(*engine->submit(story("The cat", 3))).error == "");
}

TEST_CASE("a long prompt is computed in chunks: a running stream gets a token in each pass") {
    EngineOptions options = options_of(2, 1024);
    options.chunk_tokens = 16;
    options.chunk_ms = 0;
    const std::shared_ptr<Engine> engine = start_stories(options);
    const std::shared_ptr<Job> stream = engine->submit(endless("The dog", 400));
    REQUIRE(stream->wait(1min));
    const GenerationSpec spec = story(long_prompt(300), 1);
    const uint64_t before = stream->usage().generated_tokens;
    const std::shared_ptr<Job> job = engine->submit(spec);
    REQUIRE(job->wait(1min));
    const uint64_t during = stream->usage().generated_tokens - before;
    CHECK(during >= spec.prompt.size() / 16);
    stream->cancel();
}

TEST_CASE("a full queue refuses with the time after which to come again") {
    EngineOptions options = options_of(1);
    options.max_queue = 2;
    const std::shared_ptr<Engine> engine = start_stories(options);
    std::vector<std::shared_ptr<Job>> jobs;
    jobs.push_back(engine->submit(endless("The dog", 400)));
    REQUIRE(jobs[0]->wait(1min));
    for (int i = 0; i < 2; i++) jobs.push_back(engine->submit(story("The cat", 2)));
    int retry_after = 0;
    try {
        engine->submit(story("The cat", 2));
    } catch (const ApiError& error) {
        CHECK(error.code == ErrorCode::kServerOverloaded);
        retry_after = error.retry_after_s;
    }
    CHECK(retry_after >= 1);
    GenerationSpec other = story("The cat", 2);
    other.tenant = "bob";
    jobs.push_back(engine->submit(other));  // another tenant's first is not held up by these
    jobs[0]->cancel();
    for (const std::shared_ptr<Job>& job : jobs) outcome_of(*job);
    CHECK(engine->stats().failed_requests == 0);
}

TEST_CASE("what cannot run is refused when it is submitted") {
    const std::shared_ptr<Engine> engine = start_stories(options_of(1, 100));
    const auto code = [&](const std::function<void(GenerationSpec&)>& change) {
        GenerationSpec spec = story("The dog", 5);
        change(spec);
        return code_of([&] { engine->submit(std::move(spec)); });
    };
    CHECK(code([](GenerationSpec&) {}) == "");
    CHECK(code([](GenerationSpec& spec) { spec.prompt.clear(); }) == "VALIDATION_FAILED");
    CHECK(code([](GenerationSpec& spec) { spec.prompt.assign(100, 5); }) == "PROMPT_TOO_LONG");
    CHECK(code([](GenerationSpec& spec) { spec.prompt.assign(101, 5), spec.max_tokens = 0; }) == "PROMPT_TOO_LONG");
    CHECK(code([](GenerationSpec& spec) { spec.prompt.assign(100, 5), spec.max_tokens = 0; }) == "");
    CHECK(code([](GenerationSpec& spec) { spec.max_tokens = 100; }) == "TOO_MANY_TOKENS");
    CHECK(code([](GenerationSpec& spec) { spec.max_tokens = INT32_MAX; }) == "TOO_MANY_TOKENS");
    CHECK(code([](GenerationSpec& spec) { spec.max_tokens = -2; }) == "VALIDATION_FAILED");
    CHECK(code([](GenerationSpec& spec) { spec.max_tokens = INT32_MIN; }) == "VALIDATION_FAILED");
    CHECK(code([](GenerationSpec& spec) { spec.prompt.push_back(-1); }) == "VALIDATION_FAILED");
    CHECK(code([](GenerationSpec& spec) { spec.prompt.push_back(1 << 30); }) == "VALIDATION_FAILED");
    CHECK(code([](GenerationSpec& spec) { spec.n_logprobs = 21; }) == "VALIDATION_FAILED");
    CHECK(code([](GenerationSpec& spec) { spec.sampler.temperature = NAN; }) == "VALIDATION_FAILED");
    CHECK(code([](GenerationSpec& spec) { spec.sampler.top_p = 2; }) == "VALIDATION_FAILED");
    CHECK(code([](GenerationSpec& spec) { spec.stop.assign(65, "x"); }) == "VALIDATION_FAILED");
    CHECK(code([](GenerationSpec& spec) { spec.stop = {std::string("a\0b", 3)}; }) == "VALIDATION_FAILED");
    engine->close();
    CHECK(code([](GenerationSpec&) {}) == "SERVICE_UNAVAILABLE");
    CHECK(idle_soon(*engine));
}

TEST_CASE("log-probabilities, stop sequences, biases and a prompt alone come through the engine") {
    const std::shared_ptr<Engine> engine = start_stories(options_of(2));
    GenerationSpec spec = story("Once upon a time", 8);
    spec.sampler.temperature = 0;
    spec.n_logprobs = 3;
    const std::shared_ptr<Job> job = engine->submit(spec);
    for (int i = 0; i < 8; i++) {
        const auto step = job->wait(1min);
        REQUIRE(step);
        REQUIRE(step->top.size() == 3);
        CHECK(step->top[0].token == step->token);  // greedy
        CHECK(step->top[0].logprob == step->logprob);
        CHECK(step->logprob <= 0);
    }
    spec.n_logprobs = 0;
    spec.stop = {"nothing of that kind", " little"};
    std::shared_ptr<Job> stopped = engine->submit(spec);
    std::optional<Step> last;
    std::string text;
    do {
        last = stopped->wait(1min);
        REQUIRE(last);
        text += last->text;
    } while (last->finish == BITNET_FINISH_NONE);
    CHECK(last->finish == BITNET_FINISH_STOP_SEQUENCE);
    CHECK(last->stop_sequence == 1);
    CHECK(text == ", there was a");

    spec.max_tokens = 0;
    const Outcome prompt_only = outcome_of(*engine->submit(spec));
    CHECK(prompt_only.finish == BITNET_FINISH_LENGTH);
    CHECK(prompt_only.text == "");
    CHECK(prompt_only.usage.generated_tokens == 0);
    CHECK(prompt_only.usage.prompt_tokens == spec.prompt.size());
}

TEST_CASE("ending an engine ends its texts, those that wait and those that run") {
    std::shared_ptr<Engine> engine = start_stories(options_of(1));
    const std::shared_ptr<Job> running = engine->submit(endless("The dog", 400));
    const std::shared_ptr<Job> waiting = engine->submit(endless("The cat", 400));
    REQUIRE(running->wait(1min));
    engine.reset();
    CHECK(outcome_of(*running).error == "SERVICE_UNAVAILABLE");
    CHECK(outcome_of(*waiting).error == "SERVICE_UNAVAILABLE");
}

TEST_CASE("guesses ahead change no text, and the figures tell of them") {
    const std::string tale = "Once upon a time there was a little girl named Lily. She had a big red ball. ";
    std::vector<GenerationSpec> specs;
    for (uint64_t i = 0; i < 6; i++) {
        specs.push_back(story(tale + tale + (i % 2 ? "The dog" : "Once upon"), 40, i));
        specs.back().sampler.temperature = i < 3 ? 0.0f : 0.5f;
        specs.back().n_logprobs = i == 1 ? 2 : 0;
    }
    EngineOptions options = options_of(3);
    options.n_draft = 8;
    options.chunk_tokens = 30;
    const std::shared_ptr<Engine> engine = start_stories(options);
    std::vector<std::shared_ptr<Job>> jobs;
    for (const GenerationSpec& spec : specs) jobs.push_back(engine->submit(spec));
    uint64_t n_accepted = 0;
    for (size_t i = 0; i < specs.size(); i++) {
        INFO("text ", i);
        const Outcome outcome = outcome_of(*jobs[i]);
        CHECK(outcome.error == "");
        CHECK(outcome.text == text_alone(specs[i]));
        CHECK(outcome.usage.drafted_tokens >= outcome.usage.accepted_tokens);
        n_accepted += outcome.usage.accepted_tokens;
    }
    CHECK(n_accepted > 10);
    CHECK(engine->stats().failed_requests == 0);
    CHECK(outcome_of(*start_stories(options_of(1))->submit(specs[0])).usage.drafted_tokens == 0);
}

TEST_CASE("an engine without a cache of prefixes computes every prompt") {
    EngineOptions options = options_of(1);
    options.n_cached = 0;
    const std::shared_ptr<Engine> engine = start_stories(options);
    const GenerationSpec spec = story(long_prompt(20), 2);
    for (int i = 0; i < 2; i++) CHECK(outcome_of(*engine->submit(spec)).usage.reused_tokens == 0);
}

TEST_CASE("embeddings are the same alone and together, and disturb no text") {
    const std::shared_ptr<Engine> engine = start_stories(options_of(2));
    const std::shared_ptr<Job> job = engine->submit(endless("The dog", 300));
    std::vector<std::vector<bitnet_token>> texts;
    for (int i = 0; i < 11; i++) texts.push_back(story_tokens(long_prompt(static_cast<size_t>(1 + i * 9))));
    const auto never = [] { return false; };
    for (const bitnet_pooling pooling : {BITNET_POOLING_MEAN, BITNET_POOLING_LAST}) {
        const auto together = engine->embed(texts, pooling, true, never);
        REQUIRE(together.size() == texts.size());
        for (size_t i = 0; i < texts.size(); i++) {
            CHECK(together[i] == engine->embed({texts[i]}, pooling, true, never)[0]);
            double length = 0;
            for (const float value : together[i]) length += static_cast<double>(value) * static_cast<double>(value);
            CHECK(length == doctest::Approx(1).epsilon(1e-5));
        }
        CHECK(together[0] != together[1]);
    }
    CHECK(engine->embed({{7, 8, 9}}, BITNET_POOLING_CLS, true, never) ==
          engine->embed({{7}}, BITNET_POOLING_LAST, true, never));
    CHECK(code_of([&] { engine->embed({{}}, BITNET_POOLING_MEAN, true, never); }) == "VALIDATION_FAILED");
    CHECK(code_of([&] { engine->embed({std::vector<bitnet_token>(100000, 5)}, BITNET_POOLING_MEAN, true, never); }) ==
          "PROMPT_TOO_LONG");
    CHECK(code_of([&] { engine->embed({{-5}}, BITNET_POOLING_MEAN, true, never); }) == "VALIDATION_FAILED");
    CHECK(code_of([&] { engine->embed(texts, BITNET_POOLING_MEAN, true, [] { return true; }); }) ==
          "SERVICE_UNAVAILABLE");
    CHECK(engine->embed({}, BITNET_POOLING_MEAN, true, never).empty());
    std::vector<std::thread> askers;  // at once: one after the other, and each gets its own
    const auto expected = engine->embed(texts, BITNET_POOLING_MEAN, false, never);
    std::atomic<int> n_right = 0;
    for (size_t i = 0; i < 4; i++)
        askers.emplace_back([&, i] {
            n_right += engine->embed({texts[i]}, BITNET_POOLING_MEAN, false, never)[0] == expected[i] ? 1 : 0;
        });
    for (std::thread& asker : askers) asker.join();
    CHECK(n_right == 4);
    CHECK(outcome_of(*job).usage.generated_tokens == 300);
}
