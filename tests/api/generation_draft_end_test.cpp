// What ends a text amid right guesses ends it where it would without them: a deadline, a wish, a stop sequence over two guessed
// tokens, a grammar; alone and in a batch beside others.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/api/batch_fixture.h"

namespace {

using test::alone;
using test::Made;
using test::Run;
using test::Wish;

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

// Has in its prompt what the model will write, so guesses are right although the text does not repeat itself.
Wish copying(const test::ModelHandle& model) {
    Wish first;
    first.prompt = {1};
    first.n_most = 60;
    first.temperature = 0;
    const test::Tokens text = alone(model, first).tokens;
    REQUIRE(text.size() == 60);
    Wish wish = first;
    wish.n_most = 40;
    wish.n_draft = 8;
    wish.prompt.insert(wish.prompt.end(), text.begin(), text.end());
    wish.prompt.insert(wish.prompt.end(), text.begin(), text.begin() + 10);
    return wish;
}

// The text on sequence 0, alone or with two others beside it, one of which guesses as well.
class Stage {
public:
    Stage(const test::ModelHandle& model, const Wish& wish, bool together) : together_(together) {
        context_ = test::make_context(model, [](bitnet_context_params& p) {
            p.n_ctx = 1024;
            p.n_seq_max = 3;
        });
        runs_.emplace_back(context_, wish, 0);
        if (!together) return;
        for (const int32_t n_draft : {0, 4}) {
            Wish other;
            other.prompt = test::Tokens(20, 400 + n_draft);
            other.n_most = 200;
            other.n_draft = n_draft;
            runs_.emplace_back(context_, other, static_cast<bitnet_seq_id>(runs_.size()));
        }
    }
    // Until the text has one more token, or has ended. False when right guesses alone brought it here.
    bool step() {
        bool computed = false;
        for (const size_t n = text().result().n_tokens; !text().over() && text().result().n_tokens == n;) {
            const uint64_t before = n_passes(context_);
            together_ ? test::next_batch(test::pointers(runs_), 0) : text().next();
            computed = n_passes(context_) != before;
        }
        return computed;
    }
    Run& text() { return runs_.front(); }
    const test::ContextHandle& context() const { return context_; }

private:
    const bool together_;
    test::ContextHandle context_;
    std::vector<Run> runs_;
};

// Of each token, whether a pass came before it.
std::vector<bool> passes_of(const test::ModelHandle& model, const Wish& wish, bool together) {
    Stage stage(model, wish, together);
    std::vector<bool> passes;
    while (!stage.text().over()) passes.push_back(stage.step());
    return passes;
}

// The first token from begin on that right guesses bring, and the one before and the one after it, too.
size_t amid_guesses(const std::vector<bool>& passes, size_t begin) {
    for (size_t i = begin + 1; i + 1 < passes.size(); ++i) {
        if (!passes[i - 1] && !passes[i] && !passes[i + 1]) return i;
    }
    FAIL("no guesses were right three times in a row");
    return 0;
}

Wish without_guesses(Wish wish) {
    wish.n_draft = 0;
    return wish;
}

}  // namespace

TEST_CASE("a deadline that passes amid right guesses ends the text there") {
    const test::ModelHandle model = test::stories();
    const Wish wish = copying(model);
    const Made whole = alone(model, without_guesses(wish));
    for (const bool together : {false, true}) {
        CAPTURE(together);
        const size_t amid = amid_guesses(passes_of(model, wish, together), 5);
        bool seen = false;
        for (uint64_t ms = 500; ms < 100000 && !seen; ms *= 2) {  // a slow machine needs a later one
            Wish timed = wish;
            timed.deadline_us = 1000 * ms;
            Stage stage(model, timed, together);
            for (size_t i = 0; i < amid; ++i) stage.step();
            if (stage.text().over()) continue;
            seen = true;
            std::this_thread::sleep_for(std::chrono::milliseconds(ms));
            const uint64_t before = n_passes(stage.context());
            stage.step();
            if (!together) CHECK(n_passes(stage.context()) == before);
            const Made made = stage.text().made();
            CHECK(made.reason == "deadline");
            CHECK(made.tokens ==
                  test::Tokens(whole.tokens.begin(), whole.tokens.begin() + static_cast<ptrdiff_t>(amid)));
            CHECK(made.steps == amid - 1);
            CHECK(held(stage.context()).size() == wish.prompt.size() + amid - 1);
        }
        CHECK(seen);
    }
}

TEST_CASE("cancelling amid right guesses ends a text alone, and a batch without a trace") {
    const test::ModelHandle model = test::stories();
    const Wish wish = copying(model);
    const Made whole = alone(model, without_guesses(wish));
    for (const bool together : {false, true}) {
        CAPTURE(together);
        const size_t amid = amid_guesses(passes_of(model, wish, together), 5);
        Stage stage(model, wish, together);
        for (size_t i = 0; i < amid; ++i) stage.step();
        bitnet_context_cancel(stage.context().get());
        if (together) {
            CHECK(test::name_of(test::try_next_batch({&stage.text()}, 0)) == "BITNET_E_CANCELLED");
            CHECK(test::last_error().find("cancelled") != std::string::npos);
            CHECK(!stage.step());  // what was right is right still
            while (!stage.text().over()) stage.step();
            CHECK(stage.text().made() == whole);
        } else {
            stage.step();
            CHECK(stage.text().made().reason == "cancelled");
            CHECK(stage.text().made().tokens.size() == amid);
            CHECK(held(stage.context()).size() == wish.prompt.size() + amid - 1);
        }
    }
}

TEST_CASE("a stop sequence over two guessed tokens ends the text as without guesses") {
    const test::ModelHandle model = test::stories();
    const Wish wish = copying(model);
    const Made whole = alone(model, without_guesses(wish));
    for (const bool together : {false, true}) {
        const std::vector<bool> passes = passes_of(model, wish, together);
        for (const size_t begin : {2, 12}) {
            CAPTURE(together);
            CAPTURE(begin);
            const size_t amid = amid_guesses(passes, begin);
            const std::string &first = whole.texts[amid], &second = whole.texts[amid + 1];
            REQUIRE((!first.empty() && !second.empty()));
            Wish stopped = wish;
            stopped.stops = {first.substr(first.size() / 2) + second.substr(0, second.size() / 2 + 1)};
            const Made expected = alone(model, without_guesses(stopped));
            Stage stage(model, stopped, together);
            while (!stage.text().over()) {
                const bool computed = stage.step();
                const size_t n = stage.text().result().n_tokens;
                if (n == amid + 1 || n == amid + 2) CHECK(!computed);
            }
            CHECK(stage.text().made() == expected);
            CHECK(expected.reason == "stop_sequence");
            CHECK(held(stage.context()).size() == wish.prompt.size() + expected.tokens.size() - 1);
            CHECK(stage.text().result().accepted_tokens > 0);
        }
    }
}

TEST_CASE("a grammar draws the same tokens with guesses as without") {
    const test::ModelHandle model = test::stories();
    const test::GrammarHandle forced = test::make_grammar(model, "root ::= (\"the dog \")+");
    const test::GrammarHandle letters = test::make_grammar(model, "root ::= [a-z ]*");
    const Made free = alone(model, without_guesses(copying(model)));
    for (const float temperature : {0.0f, 0.5f}) {
        for (const bitnet_grammar* grammar : {forced.get(), letters.get()}) {
            Wish wish = copying(model);
            wish.grammar = grammar;
            wish.temperature = temperature;
            const Made expected = alone(model, without_guesses(wish));
            CHECK(expected.tokens != free.tokens);
            for (const bool together : {false, true}) {
                CAPTURE(temperature);
                CAPTURE(together);
                CAPTURE(grammar == forced.get());
                Stage stage(model, wish, together);
                size_t n_saved = 0;
                while (!stage.text().over()) n_saved += stage.step() ? 0 : 1;
                CHECK(stage.text().made() == expected);
                CHECK(n_saved > 0);
                CHECK(stage.text().result().accepted_tokens >= n_saved);
            }
        }
    }
}
