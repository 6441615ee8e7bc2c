// Several generations in one call: each comes out as it does alone, whatever runs beside it, however its prompt is cut and
// whoever is stepped when.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "tests/api/batch_fixture.h"
#include "tests/support/adapter_file.h"

namespace {

using test::alone;
using test::Made;
using test::Run;
using test::Wish;

using Random = std::mt19937;

size_t below(Random& random, size_t n) { return random() % n; }

// Wishes for texts of all kinds over a vocabulary.
std::vector<Wish> random_wishes(Random& random, const test::ModelHandle& model, size_t n) {
    const size_t n_vocab = test::info_of(model).n_vocab;
    std::vector<Wish> wishes(n);
    for (Wish& wish : wishes) {
        for (size_t i = 1 + below(random, below(random, 3) == 0 ? 60 : 8); i > 0; --i) {
            wish.prompt.push_back(static_cast<bitnet_token>(below(random, std::min<size_t>(n_vocab, 250))));
        }
        wish.n_most = static_cast<int32_t>(below(random, 25));
        wish.seed = random();
        wish.temperature = below(random, 3) == 0 ? 0.0f : 0.9f;
        wish.n_logprobs = below(random, 2) == 0 ? 3 : 0;
        wish.receipt = below(random, 3) == 0;
        // A stop sequence from the middle of the text that it would have been.
        if (below(random, 3) != 0) continue;
        const std::string text = alone(model, wish).text;
        if (text.size() > 3 && text[text.size() / 2] != '\0')
            wish.stops = {"none of it", text.substr(text.size() / 2, 1 + below(random, 3))};
    }
    return wishes;
}

// Runs the wishes on n_seq sequences of one context, each going to the next wish when one is done, in calls of random lists
// and sizes, some of one generation alone.
std::vector<Made> together(Random& random, const test::ModelHandle& model, const std::vector<Wish>& wishes,
                           int32_t n_seq, const test::ContextTweak& tweak = {}) {
    const test::ContextHandle context = test::make_context(model, [&](bitnet_context_params& p) {
        p.n_ctx = 1024;
        p.n_seq_max = n_seq;
        p.n_batch = static_cast<int32_t>(std::vector<size_t>{0, 2, 5, 64}[below(random, 4)]);
        p.n_ubatch = static_cast<int32_t>(std::vector<size_t>{512, 3, 16}[below(random, 3)]);
        if (tweak) tweak(p);
    });
    std::vector<Run> runs(wishes.size());
    std::vector<size_t> on_sequence(static_cast<size_t>(n_seq), SIZE_MAX);
    size_t n_begun = 0, n_done = 0;
    while (n_done < wishes.size()) {
        std::vector<Run*> list;
        for (size_t id = 0; id < on_sequence.size(); ++id) {
            size_t& index = on_sequence[id];
            if ((index == SIZE_MAX || runs[index].over()) && n_begun < wishes.size()) {
                index = n_begun++;
                if (wishes[index].begin) wishes[index].begin(context, static_cast<bitnet_seq_id>(id));
                runs[index] = Run(context, wishes[index], static_cast<bitnet_seq_id>(id));
            }
            // One that has ended stays in some of the lists.
            if (index != SIZE_MAX && below(random, 4) != 0) list.push_back(&runs[index]);
        }
        std::shuffle(list.begin(), list.end(), random);
        if (!list.empty() && below(random, 8) == 0) {
            list.front()->next();
        } else {
            test::next_batch(list, std::vector<size_t>{0, 1, 3, 7, 1000}[below(random, 5)]);
        }
        n_done = static_cast<size_t>(std::count_if(runs.begin(), runs.end(), [](const Run& r) { return r.over(); }));
    }
    std::vector<Made> made;
    for (Run& run : runs) made.push_back(run.made());
    return made;
}

void check_same(const std::vector<Made>& made, const std::vector<Made>& expected) {
    REQUIRE(made.size() == expected.size());
    for (size_t i = 0; i < made.size(); ++i) {
        CAPTURE(i);
        CHECK(made[i].tokens == expected[i].tokens);
        CHECK(made[i].texts == expected[i].texts);
        CHECK(made[i].reason == expected[i].reason);
        CHECK(made[i].logprobs == expected[i].logprobs);
        CHECK(made[i].kernels == expected[i].kernels);
        CHECK(made[i] == expected[i]);
    }
}

}  // namespace

TEST_CASE("many generations together, in any lists and sizes, are bit for bit what each is alone") {
    for (const char* name : {"b158-i2s", "llama-q4"}) {
        const test::ModelHandle model = test::load_model(test::golden_model(name));
        for (unsigned seed = 0; seed < 6; ++seed) {
            CAPTURE(name);
            CAPTURE(seed);
            Random random(seed);
            const std::vector<Wish> wishes = random_wishes(random, model, 14);
            std::vector<Made> expected;
            for (const Wish& wish : wishes) expected.push_back(alone(model, wish));
            check_same(together(random, model, wishes, 1 + static_cast<int32_t>(below(random, 7))), expected);
        }
    }
}

TEST_CASE("grammars beside free texts in a batch give what each gives alone") {
    const test::ModelHandle model = test::stories();
    const test::GrammarHandle yes = test::make_grammar(model, "root ::= \"yes\" | \"no\" [a-z]+");
    const test::GrammarHandle digits = test::make_grammar(model, "root ::= [0-9]* \" \" [A-F]");
    Random random(3);
    std::vector<Wish> wishes = random_wishes(random, model, 9);
    for (size_t i = 0; i < wishes.size(); ++i) {
        if (i % 3 == 0) continue;
        wishes[i].grammar = i % 3 == 1 ? yes.get() : digits.get();
        wishes[i].receipt = false;
        wishes[i].stops.clear();
    }
    std::vector<Made> expected;
    for (const Wish& wish : wishes) expected.push_back(alone(model, wish));
    check_same(together(random, model, wishes, 4), expected);
}

TEST_CASE("sequences with different adapters in a batch give what each gives alone") {
    const std::string path = test::golden_model("b25-i2s-untied");
    const test::ModelHandle model = test::load_model(path);
    const test::AdapterHandle first = test::load_adapter(model, test::full_adapter(path, 4, test::kTypeF16, 1).bytes());
    const test::AdapterHandle second =
        test::load_adapter(model, test::full_adapter(path, 8, test::kTypeF32, 90).bytes());
    const std::vector<test::Uses> kinds = {{}, {{first.get(), 1.0f}}, {{first.get(), 0.5f}, {second.get(), 2.0f}}};
    const auto tweak = [](bitnet_context_params& p) { p.max_lora_rank = 12; };
    Random random(8);
    std::vector<Wish> wishes = random_wishes(random, model, 12);
    std::vector<Made> expected;
    for (size_t i = 0; i < wishes.size(); ++i) {
        wishes[i].receipt = false;
        wishes[i].begin = [&uses = kinds[i % 3]](const test::ContextHandle& context, bitnet_seq_id id) {
            test::must(bitnet_sequence_remove(context.get(), id, -1, -1));
            test::must(test::set_adapters(context, id, uses));
        };
        expected.push_back(alone(model, wishes[i], tweak));
    }
    CHECK(expected[0].tokens != alone(model, wishes[0], tweak, kinds[2]).tokens);  // adapters do matter
    check_same(together(random, model, wishes, 5, tweak), expected);
}

TEST_CASE("a receipt written in a batch is confirmed at every position") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model, [](auto& p) { p.n_seq_max = 3; });
    std::vector<Wish> wishes(3);
    for (size_t i = 0; i < 3; ++i) {
        wishes[i].prompt = {1, 5, 9, 2};
        wishes[i].n_most = 10;
        wishes[i].seed = i;
        wishes[i].receipt = i != 1;
    }
    std::vector<Run> runs;
    for (size_t i = 0; i < 3; ++i) runs.emplace_back(context, wishes[i], static_cast<bitnet_seq_id>(i));
    test::run_all(runs, 3);
    for (const size_t i : {0, 2}) {
        const std::string receipt = runs[i].receipt();
        bitnet_receipt_params params = bitnet_receipt_default_params();
        params.replay_share = 1;
        bitnet_receipt_report report = {};
        report.struct_size = sizeof report;
        test::must(bitnet_receipt_verify(receipt.data(), receipt.size(), model.get(), &params, &report));
        CHECK(report.n_replayed == 10);
    }
}
