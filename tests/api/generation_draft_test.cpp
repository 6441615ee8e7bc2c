// Guesses ahead (n_draft) change nothing but the number of passes: texts, log-probabilities, digests of logits and the sequence
// after each step are those of a generation that guesses nothing, however the guesses come out and whatever comes between.
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

// A prompt that repeats itself, or not.
test::Tokens random_prompt(Random& random, size_t n_vocab) {
    const size_t period = std::vector<size_t>{1, 2, 5, 12, 60}[below(random, 5)];
    test::Tokens prompt;
    for (size_t n = 1 + below(random, 60); prompt.size() < n;) {
        const bool repeats = prompt.size() >= period && below(random, 12) != 0;
        prompt.push_back(repeats ? prompt[prompt.size() - period] : static_cast<bitnet_token>(below(random, n_vocab)));
    }
    return prompt;
}

// What replaying each position of a receipt says.
std::string verdict(const std::string& receipt, const test::ModelHandle& model) {
    bitnet_receipt_params params = bitnet_receipt_default_params();
    params.replay_share = 1;
    bitnet_receipt_report report = {};
    report.struct_size = sizeof report;
    return test::name_of(bitnet_receipt_verify(receipt.data(), receipt.size(), model.get(), &params, &report));
}

uint64_t n_passes(const test::ContextHandle& context) {
    bitnet_metrics metrics = {};
    metrics.struct_size = sizeof metrics;
    test::must(bitnet_context_get_metrics(context.get(), &metrics));
    return metrics.n_decodes;
}

test::Tokens held(const test::ContextHandle& context) {
    test::Tokens tokens(4096);
    size_t n = 0;
    test::must(bitnet_sequence_get_tokens(context.get(), 0, tokens.data(), tokens.size(), &n));
    tokens.resize(n);
    return tokens;
}

struct Outcome {
    Made made;
    std::vector<test::Tokens> sequences;  // after each step
    std::vector<int32_t> free;
    std::vector<test::Logits> logits;
    bool operator==(const Outcome& other) const {
        if (logits.size() != other.logits.size()) return false;
        for (size_t i = 0; i < logits.size(); ++i) {
            if (!test::same_bits(logits[i], other.logits[i])) return false;
        }
        return made == other.made && sequences == other.sequences && free == other.free;
    }
};

Outcome watched(const test::ModelHandle& model, Wish wish, int32_t n_draft, const test::ContextTweak& tweak,
                uint64_t* n_accepted = nullptr) {
    wish.n_draft = n_draft;
    const test::ContextHandle context = test::make_context(model, tweak);
    Outcome outcome;
    Run run(context, wish, 0);
    while (!run.over()) {
        run.next();
        outcome.sequences.push_back(held(context));
        outcome.free.push_back(bitnet_context_get_n_free(context.get()));
        outcome.logits.push_back(test::copy_logits(context, model));
    }
    outcome.made = run.made();
    if (wish.receipt && !outcome.made.tokens.empty()) CHECK(verdict(run.receipt(), model) == "BITNET_OK");
    const bitnet_generation_result result = run.result();
    CHECK(result.accepted_tokens <= result.drafted_tokens);
    CHECK((n_draft > 0 || result.drafted_tokens == 0));
    if (n_accepted != nullptr) *n_accepted += result.accepted_tokens;
    return outcome;
}

}  // namespace

TEST_CASE("guesses change no token, no bit of a logit, and no sequence, whatever the sampler") {
    Random random(20);
    uint64_t n_accepted = 0;
    for (const char* name : {"b158-i2s", "b158-tq2", "b25-i2s-untied"}) {
        const test::ModelHandle model = test::load_model(test::golden_model(name));
        const size_t n_vocab = std::min<size_t>(test::info_of(model).n_vocab, 250);
        for (int round = 0; round < 12; ++round) {
            Wish wish;
            wish.prompt = random_prompt(random, n_vocab);
            wish.n_most = static_cast<int32_t>(below(random, 60));
            wish.seed = random();
            wish.temperature = std::vector<float>{0, 0, 0.3f, 0.9f}[below(random, 4)];
            wish.n_logprobs = below(random, 2) == 0 ? 3 : 0;
            wish.receipt = below(random, 2) == 0;
            const size_t kind = below(random, 4);
            wish.tweak = [kind](bitnet_sampler_params& sampler) {
                if (kind == 1) sampler.repetition_penalty = 1.1f;
                if (kind == 2) sampler.dry_multiplier = 0.5f;
                if (kind == 3) sampler.mirostat = 2;
            };
            // Sometimes the context is too small for the text, or for a pass over all guesses.
            const int32_t n_ctx = static_cast<int32_t>(below(random, 3) == 0 ? wish.prompt.size() + 9 : 256);
            const int32_t n_ubatch = static_cast<int32_t>(std::vector<size_t>{512, 3, 1}[below(random, 3)]);
            const test::ContextTweak tweak = [=](bitnet_context_params& p) {
                p.n_ctx = n_ctx;
                p.n_ubatch = n_ubatch;
            };
            const std::string text = alone(model, wish, tweak).text;
            if (below(random, 3) == 0 && text.size() > 3 && text[text.size() / 2] != '\0')
                wish.stops = {text.substr(text.size() / 2, 1 + below(random, 3))};
            const Outcome plain = watched(model, wish, 0, tweak);
            for (const int32_t n_draft : {1, 4, 16}) {
                CAPTURE(name);
                CAPTURE(round);
                CAPTURE(n_draft);
                CHECK(watched(model, wish, n_draft, tweak, &n_accepted) == plain);
            }
        }
    }
    CHECK(n_accepted > 100);
}

TEST_CASE("a text that repeats itself takes fewer passes") {
    const test::ModelHandle model = test::stories();
    Wish wish;
    wish.prompt = test::Tokens(1, 1);
    wish.n_most = 40;
    wish.temperature = 0;
    uint64_t passes[2] = {};
    Made made[2];
    for (const int32_t n_draft : {0, 8}) {
        wish.n_draft = n_draft;
        const test::ContextHandle context = test::make_context(model);
        Run first(context, wish, 0);
        while (!first.over()) first.next();
        // Once more with its own text as the prompt: the model goes on as it did.
        Wish again = wish;
        const Made text = first.made();
        again.prompt.insert(again.prompt.end(), text.tokens.begin(), text.tokens.end());
        again.prompt.insert(again.prompt.end(), text.tokens.begin(), text.tokens.begin() + 10);
        const uint64_t before = n_passes(context);
        Run second(context, again, 0);
        while (!second.over()) second.next();
        passes[n_draft != 0] = n_passes(context) - before;
        made[n_draft != 0] = second.made();
        CHECK((n_draft == 0 || second.result().accepted_tokens > 0));
    }
    CHECK(made[0] == made[1]);
    CHECK(passes[1] < passes[0]);
}

TEST_CASE("what comes between two steps makes guesses void, and nothing else") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextTweak two = [](bitnet_context_params& p) {
        p.n_ctx = 512;
        p.n_seq_max = 3;
    };
    Random random(3);
    for (int round = 0; round < 8; ++round) {
        Wish wish;
        wish.prompt = test::Tokens(20, static_cast<bitnet_token>(5 + round));
        wish.n_most = 40;
        wish.temperature = round % 2 == 0 ? 0.0f : 0.4f;
        const Made plain = alone(model, wish, two);
        wish.n_draft = 8;
        const test::ContextHandle context = test::make_context(model, two);
        Run run(context, wish, 0);
        while (!run.over()) {
            switch (below(random, 6)) {
                case 0: test::decode(context, {3, 4}, 1); break;
                case 1: bitnet_sequence_remove(context.get(), 1, 0, -1); break;
                case 2: test::must(bitnet_sequence_fork(context.get(), 0, 2)); break;
                case 3: test::next_batch({&run}, 0); continue;
                case 4: test::must(bitnet_sequence_rewind(context.get(), 2, 0)); break;
                default: break;
            }
            run.next();
        }
        CHECK(run.made() == plain);
    }
}

TEST_CASE("cancelling a step that a right guess saves ends the text as ever") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    Wish wish;
    wish.prompt = test::Tokens(20, 7);
    wish.n_most = 100;
    wish.temperature = 0;
    for (int n_steps = 1; n_steps < 30; ++n_steps) {
        Made made[2];
        test::Tokens left[2];
        for (const int32_t n_draft : {0, 8}) {
            wish.n_draft = n_draft;
            const test::ContextHandle context = test::make_context(model);
            Run run(context, wish, 0);
            for (int i = 0; i < n_steps && !run.over(); ++i) run.next();
            bitnet_context_cancel(context.get());
            if (!run.over()) run.next();
            made[n_draft != 0] = run.made();
            left[n_draft != 0] = held(context);
        }
        CAPTURE(n_steps);
        CHECK(made[0] == made[1]);
        CHECK(left[0] == left[1]);
    }
}

TEST_CASE("n_draft has a range") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model);
    for (const int32_t n : {-1, 17, 1 << 30}) {
        bitnet_generation_params params = bitnet_generation_default_params();
        params.n_draft = n;
        bitnet_generation* generation = nullptr;
        const bitnet_token token = 1;
        CHECK(test::name_of(bitnet_generation_create_from_tokens(context.get(), 0, &token, 1, &params, &generation)) ==
              "BITNET_E_CONFIG");
        CHECK(test::last_error().find("n_draft = " + std::to_string(n)) == 0);
    }
}
