// Guesses of several generations in one pass: each text comes out as alone without guesses, whatever runs and guesses beside it
// and whatever stops it; nobody's token waits or fails for a guess; and the passes are fewer.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "tests/api/batch_fixture.h"

namespace {

using test::alone;
using test::Made;
using test::Run;
using test::Wish;

using Random = std::mt19937;

size_t below(Random& random, size_t n) { return random() % n; }

test::ModelHandle golden() { return test::load_model(test::golden_model("b158-i2s")); }

test::ContextHandle context_of(const test::ModelHandle& model, int32_t n_seq, const test::ContextTweak& tweak = {}) {
    return test::make_context(model, [&](bitnet_context_params& p) {
        p.n_ctx = 1024;
        p.n_seq_max = n_seq;
        if (tweak) tweak(p);
    });
}

bitnet_metrics metrics_of(const test::ContextHandle& context) {
    bitnet_metrics metrics = {};
    metrics.struct_size = sizeof metrics;
    test::must(bitnet_context_get_metrics(context.get(), &metrics));
    return metrics;
}

uint64_t n_errors(const test::ContextHandle& context) {
    bitnet_performance_metrics performance = {};
    performance.struct_size = sizeof performance;
    test::must(bitnet_context_get_performance(context.get(), &performance));
    return performance.error_count;
}

uint64_t n_passes(const test::ContextHandle& context) { return metrics_of(context).n_decodes; }

test::Tokens held(const test::ContextHandle& context, bitnet_seq_id id) {
    test::Tokens tokens(4096);
    size_t n = 0;
    test::must(bitnet_sequence_get_tokens(context.get(), id, tokens.data(), tokens.size(), &n));
    tokens.resize(n);
    return tokens;
}

// What a text without guesses leaves in its sequence: all but the token drawn last.
test::Tokens expected_held(const Wish& wish, const Run& run) {
    test::Tokens tokens = wish.prompt;
    const bitnet_generation_result result = run.result();
    if (result.n_tokens > 0) tokens.insert(tokens.end(), result.tokens, result.tokens + result.n_tokens - 1);
    return tokens;
}

// A text that soon repeats itself: the model goes on with what it sees often.
Wish repeating(uint64_t seed, int32_t n_most, int32_t n_draft, float temperature = 0) {
    Wish wish;
    for (size_t i = 0; i < 24; ++i) wish.prompt.push_back(static_cast<bitnet_token>(5 + seed * 3 + i % 3));
    wish.n_most = n_most;
    wish.seed = seed;
    wish.temperature = temperature;
    wish.n_draft = n_draft;
    return wish;
}

Wish without_guesses(Wish wish) {
    wish.n_draft = 0;
    return wish;
}

std::vector<Run> begin(const test::ContextHandle& context, const std::vector<Wish>& wishes) {
    std::vector<Run> runs;
    for (size_t i = 0; i < wishes.size(); ++i) runs.emplace_back(context, wishes[i], static_cast<bitnet_seq_id>(i));
    return runs;
}

std::vector<Wish> random_wishes(Random& random, const test::ModelHandle& model, size_t n) {
    const size_t n_vocab = std::min<size_t>(test::info_of(model).n_vocab, 250);
    std::vector<Wish> wishes(n);
    for (Wish& wish : wishes) {
        const size_t period = std::vector<size_t>{1, 2, 5, 60}[below(random, 4)];
        for (size_t k = 1 + below(random, 40); wish.prompt.size() < k;) {
            const bool again = wish.prompt.size() >= period && below(random, 12) != 0;
            wish.prompt.push_back(again ? wish.prompt[wish.prompt.size() - period]
                                        : static_cast<bitnet_token>(below(random, n_vocab)));
        }
        wish.n_most = static_cast<int32_t>(below(random, 60));
        wish.seed = random();
        wish.temperature = std::vector<float>{0, 0, 0.3f, 0.9f}[below(random, 4)];
        wish.n_logprobs = below(random, 3) == 0 ? 3 : 0;
        wish.receipt = below(random, 3) == 0;
        wish.n_draft = std::vector<int32_t>{0, 1, 4, 16}[below(random, 4)];
        const size_t kind = below(random, 4);
        wish.tweak = [kind](bitnet_sampler_params& sampler) {
            if (kind == 1) sampler.repetition_penalty = 1.1f;
            if (kind == 2) sampler.dry_multiplier = 0.5f;
            if (kind == 3) sampler.mirostat = 2;
        };
        if (below(random, 3) != 0) continue;
        const std::string text = alone(model, without_guesses(wish)).text;
        if (text.size() > 3 && text[text.size() / 2] != '\0')
            wish.stops = {text.substr(text.size() / 2, 1 + below(random, 3))};
    }
    return wishes;
}

void check_same(const std::vector<Run>& runs, const std::vector<Made>& expected) {
    for (size_t i = 0; i < runs.size(); ++i) {
        CAPTURE(i);
        const Made made = runs[i].made();
        CHECK(made.tokens == expected[i].tokens);
        CHECK(made.texts == expected[i].texts);
        CHECK(made.reason == expected[i].reason);
        CHECK(made.logprobs == expected[i].logprobs);
        CHECK(made == expected[i]);
        CHECK(runs[i].result().accepted_tokens <= runs[i].result().drafted_tokens);
        CHECK((runs[i].guesses() || runs[i].result().drafted_tokens == 0));
    }
}

std::vector<Made> each_alone(const test::ModelHandle& model, const std::vector<Wish>& wishes,
                             const test::ContextTweak& tweak = {}) {
    std::vector<Made> made;
    for (const Wish& wish : wishes) made.push_back(alone(model, without_guesses(wish), tweak));
    return made;
}

bool all_over(const std::vector<Run>& runs) {
    return std::all_of(runs.begin(), runs.end(), [](const Run& run) { return run.over(); });
}

}  // namespace

TEST_CASE("guesses in batches of any lists and sizes change no bit of any text and no sequence") {
    uint64_t n_accepted = 0;
    for (const char* name : {"b158-i2s", "llama-q4"}) {
        const test::ModelHandle model = test::load_model(test::golden_model(name));
        for (unsigned seed = 0; seed < 10; ++seed) {
            CAPTURE(name);
            CAPTURE(seed);
            Random random(seed);
            const std::vector<Wish> wishes = random_wishes(random, model, 5);
            const std::vector<Made> expected = each_alone(model, wishes);
            const test::ContextHandle context = context_of(model, 5, [&](bitnet_context_params& p) {
                p.n_batch = static_cast<int32_t>(std::vector<size_t>{0, 2, 12, 64}[below(random, 4)]);
                p.n_ubatch = static_cast<int32_t>(std::vector<size_t>{512, 3, 16}[below(random, 3)]);
            });
            std::vector<Run> runs = begin(context, wishes);
            while (!all_over(runs)) {
                std::vector<Run*> list;
                for (Run& run : runs) {
                    if (below(random, 20) != 0) list.push_back(&run);
                }
                std::shuffle(list.begin(), list.end(), random);
                if (!list.empty() && below(random, 12) == 0) {
                    list.front()->next();
                } else {
                    test::next_batch(list, std::vector<size_t>{0, 0, 3, 20, 1000}[below(random, 5)]);
                }
                for (size_t i = 0; i < runs.size(); ++i) {
                    if (runs[i].over() || runs[i].result().n_tokens == 0) continue;
                    CHECK(held(context, static_cast<bitnet_seq_id>(i)) == expected_held(wishes[i], runs[i]));
                }
            }
            check_same(runs, expected);
            for (const Run& run : runs) n_accepted += run.result().accepted_tokens;
        }
    }
    CHECK(n_accepted > 80);
}

TEST_CASE("three texts that repeat themselves take fewer passes together, greedy and seeded, and stay the same") {
    const test::ModelHandle model = golden();
    for (const float temperature : {0.0f, 0.4f}) {
        CAPTURE(temperature);
        std::vector<Wish> wishes;
        for (uint64_t i = 0; i < 3; ++i) wishes.push_back(repeating(i, 60, 8, temperature));
        const std::vector<Made> expected = each_alone(model, wishes);
        const test::ContextHandle context = context_of(model, 3);
        std::vector<Run> runs = begin(context, wishes);
        uint64_t n_followed = 0;
        for (int32_t n_calls = 0; !all_over(runs); ++n_calls) {
            REQUIRE(n_calls < 1000);
            const uint64_t before = n_passes(context), n_before = metrics_of(context).decode_tokens;
            test::next_batch(test::pointers(runs), 0);
            uint64_t n_brought = 0;
            for (const Run& run : runs) n_brought += run.last().n_tokens;
            CHECK(n_brought > 0);
            if (n_calls > 0) CHECK(metrics_of(context).decode_tokens - n_before == n_brought);
            if (n_passes(context) == before) n_followed += n_brought;
        }
        check_same(runs, expected);
        uint64_t n_drafted = 0, n_accepted = 0;
        for (const Run& run : runs) {
            n_drafted += run.result().drafted_tokens;
            n_accepted += run.result().accepted_tokens;
            CHECK(run.result().accepted_tokens > 0);
        }
        CHECK(n_followed > 0);
        CHECK(n_followed <= n_accepted);  // a guess that is a text's last token needs no step
        CHECK(n_accepted <= n_followed + 3);
        CHECK(n_accepted <= n_drafted);
        CHECK(n_passes(context) < 60);
        for (size_t i = 0; i < 3; ++i) {
            CHECK(held(context, static_cast<bitnet_seq_id>(i)) == expected_held(wishes[i], runs[i]));
        }
    }
}

TEST_CASE("a generation guesses in a batch of one what it guesses alone") {
    const test::ModelHandle model = golden();
    for (uint64_t seed = 0; seed < 6; ++seed) {
        CAPTURE(seed);
        const Wish wish = repeating(seed, 50, 1 + 3 * static_cast<int32_t>(seed), seed % 2 == 0 ? 0.0f : 0.5f);
        uint64_t counts[2][3] = {};
        Made made[2];
        for (const bool together : {false, true}) {
            const test::ContextHandle context = context_of(model, 2);
            Run run(context, wish, 1);
            while (!run.over()) together ? test::next_batch({&run}, 0) : run.next();
            counts[together][0] = n_passes(context);
            counts[together][1] = run.result().drafted_tokens;
            counts[together][2] = run.result().accepted_tokens;
            made[together] = run.made();
        }
        CHECK(made[0] == made[1]);
        CHECK(made[0] == alone(model, without_guesses(wish)));
        for (int i = 0; i < 3; ++i) CHECK(counts[0][i] == counts[1][i]);
        CHECK(counts[1][2] > 0);
    }
}

TEST_CASE("nothing is guessed behind the last token of a text") {
    const test::ModelHandle model = golden();
    uint64_t n_drafted = 0;
    for (const bool together : {false, true}) {
        for (uint64_t n_most = 1; n_most < 40; ++n_most) {
            CAPTURE(together);
            CAPTURE(n_most);
            const test::ContextHandle context = context_of(model, 1);
            Run run(context, repeating(1, static_cast<int32_t>(n_most), 16), 0);
            while (!run.over()) {
                const bitnet_generation_result before = run.result();
                together ? test::next_batch({&run}, 0) : run.next();
                const uint64_t n_guessed = run.result().drafted_tokens - before.drafted_tokens;
                // The step's own token is drawn in any case, and nothing is computed behind the last one.
                CHECK((n_guessed == 0 || n_guessed + before.n_tokens + 1 <= n_most));
                n_drafted += n_guessed;
            }
        }
    }
    CHECK(n_drafted > 100);
}

TEST_CASE("guesses take what texts and prompts leave of max_tokens and of a micro-batch, and no more") {
    const test::ModelHandle model = golden();
    const auto rows_of_last_pass = [](const test::ContextHandle& context) {
        size_t n = 0;
        CHECK(test::name_of(bitnet_context_get_trace(context.get(), nullptr, 0, &n)) == "BITNET_E_BUFFER_TOO_SMALL");
        std::string json(n + 1, '\0');
        test::must(bitnet_context_get_trace(context.get(), json.data(), json.size(), &n));
        size_t most = 0;
        for (size_t at = 0; (at = json.find("\"rows\":", at)) != json.npos; ++at) {
            most = std::max<size_t>(most, std::stoul(json.substr(at + 7, 9)));
        }
        return most;
    };
    for (const int32_t n_ubatch : {512, 11, 4}) {
        for (const size_t max_tokens : {2, 6, 9, 30}) {
            CAPTURE(n_ubatch);
            CAPTURE(max_tokens);
            int n_told = 0;
            const test::ContextHandle context = context_of(model, 3, [&](bitnet_context_params& p) {
                p.n_ubatch = n_ubatch;
                p.trace = 1;
                p.on_progress = [](float, void* n) { return ++*static_cast<int*>(n), 0; };
                p.progress_user_data = &n_told;
            });
            std::vector<Wish> wishes = {repeating(1, 50, 16), repeating(2, 50, 16), repeating(3, 3, 0)};
            wishes[2].prompt.resize(100, 9);
            std::vector<Run> runs = begin(context, wishes);
            test::next_batch({&runs[0], &runs[1]}, 0);
            n_told = 0;
            uint64_t left = 100;
            size_t most = 0;
            while (!all_over(runs)) {
                const size_t n_drawing = static_cast<size_t>(!runs[0].over()) + static_cast<size_t>(!runs[1].over());
                const uint64_t before = n_passes(context);
                test::next_batch(test::pointers(runs), max_tokens);
                if (n_passes(context) == before) continue;
                most = std::max(most, rows_of_last_pass(context));
                CHECK(rows_of_last_pass(context) <= std::max<size_t>(max_tokens, n_drawing));
                if (max_tokens <= static_cast<size_t>(n_ubatch) || left == 0) CHECK(n_told == 0);  // one micro-batch
                n_told = 0;
                // The prompt is as fast as it would be without guesses.
                if (left > 0) {
                    left -= std::min<uint64_t>(left, max_tokens - std::min(max_tokens, n_drawing));
                    CHECK(runs[2].last().prompt_tokens_left == left);
                }
                if (max_tokens == 2 && runs[0].over() && runs[1].over() && left > 0) break;  // no room beside them
            }
            CHECK(most > (max_tokens == 2 ? 1 : 2));
            test::run_all(runs);
            check_same(runs, each_alone(model, wishes));
        }
    }
}

TEST_CASE("a cache that only just holds the texts gives them all, and one that does not ends the same texts") {
    const test::ModelHandle model = golden();
    std::vector<Wish> wishes = {repeating(1, 30, 8), repeating(2, 40, 16), repeating(3, 20, 0)};
    const std::vector<Made> expected = each_alone(model, wishes);
    int32_t n_cells = 0;
    for (size_t i = 0; i < 3; ++i) {
        REQUIRE(expected[i].reason == "length");
        n_cells += static_cast<int32_t>(wishes[i].prompt.size()) + wishes[i].n_most - 1;
    }
    const test::ContextHandle context = context_of(model, 3, [&](auto& p) { p.n_ctx = n_cells; });
    std::vector<Run> runs = begin(context, wishes);
    test::run_all(runs);
    check_same(runs, expected);
    CHECK(bitnet_context_get_n_free(context.get()) == 0);
    CHECK(n_errors(context) == 0);  // no decode was tried that had no room
    CHECK(runs[1].result().accepted_tokens > 0);

    for (const int32_t n_missing : {1, 2, 7, 30}) {
        CAPTURE(n_missing);
        const test::ContextHandle small = context_of(model, 3, [&](auto& p) { p.n_ctx = n_cells - n_missing; });
        std::vector<Run> ended = begin(small, wishes);
        test::run_all(ended);
        size_t n_full = 0;
        int32_t n_held = 0;
        for (size_t i = 0; i < 3; ++i) {
            const Made made = ended[i].made();
            n_full += made.reason == "context_full";
            CHECK(made.text == expected[i].text.substr(0, made.text.size()));
            CHECK(std::equal(made.tokens.begin(), made.tokens.end(), expected[i].tokens.begin()));
            CHECK((made.reason == "context_full" || made.tokens == expected[i].tokens));
            n_held += bitnet_sequence_get_end(small.get(), static_cast<bitnet_seq_id>(i));
        }
        CHECK(n_full > 0);
        CHECK(n_errors(small) == 0);
        CHECK(n_held == n_cells - n_missing);  // nobody ended while there was a cell
        CHECK(bitnet_context_get_n_free(small.get()) == 0);
    }
}

TEST_CASE("a call that is cancelled, in a pass or where guesses save it, ends nothing and loses nothing") {
    const test::ModelHandle model = golden();
    const std::vector<Wish> wishes = {repeating(1, 40, 8), repeating(2, 40, 8, 0.4f), repeating(3, 40, 0)};
    const std::vector<Made> expected = each_alone(model, wishes);
    const test::ContextHandle context = context_of(model, 3);
    std::vector<Run> runs = begin(context, wishes);
    int n_saved = 0;
    while (!all_over(runs)) {
        bitnet_context_cancel(context.get());
        CHECK(test::name_of(test::try_next_batch(test::pointers(runs), 0)) == "BITNET_E_CANCELLED");
        for (size_t i = 0; i < 3; ++i) {
            CHECK((runs[i].over() || runs[i].result().finish_reason == BITNET_FINISH_NONE));
            CHECK(runs[i].result().n_tokens == runs[i].made().tokens.size());
        }
        const uint64_t n_before = n_passes(context);
        test::next_batch(test::pointers(runs), 0);
        n_saved += n_passes(context) == n_before;
    }
    CHECK(n_saved > 3);  // a call that was stopped before it touched anything leaves right guesses right
    check_same(runs, expected);
}

TEST_CASE("memory for no more outputs than without guesses gives the texts without them") {
    const test::ModelHandle model = golden();
    const std::vector<Wish> wishes = {repeating(1, 30, 16), repeating(2, 30, 16), repeating(3, 30, 16)};
    const std::vector<Made> expected = each_alone(model, wishes);
    bitnet_context_params params = bitnet_context_default_params();
    params.n_ctx = 1024;
    params.n_seq_max = 3;
    bitnet_memory_estimate estimate = {};
    estimate.struct_size = sizeof estimate;
    test::must(bitnet_model_estimate_memory(model.get(), &params, &estimate));
    const uint64_t row = test::info_of(model).n_vocab * sizeof(float);
    for (const uint64_t n_outputs : {3, 4, 12}) {
        CAPTURE(n_outputs);
        const test::ContextHandle context = context_of(model, 3, [&](bitnet_context_params& p) {
            p.max_bytes = estimate.kv_bytes + estimate.scratch_bytes + (n_outputs - 1) * row;
        });
        std::vector<Run> runs = begin(context, wishes);
        test::run_all(runs);
        check_same(runs, expected);
        uint64_t n_drafted = 0;
        for (const Run& run : runs) n_drafted += run.result().drafted_tokens;
        CHECK((n_drafted > 0) == (n_outputs > 3));
        Run single(context, wishes[0], 0);
        while (!single.over()) single.next();
        CHECK(single.made() == expected[0]);
    }
}
