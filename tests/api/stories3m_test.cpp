// A really trained model: the words it continues a prompt with are known from an independent program, and prompts of
// awkward lengths, batches of sequences and full contexts must not disturb it.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/api_fixture.h"

namespace {

// Tokens that look like a text: the reference's own continuation of "Once upon a time", over and over.
test::Tokens story_tokens(size_t n) {
    static const test::Tokens kStory = {1,   403, 407, 261, 378, 432, 383, 286, 261,
                                        376, 298, 315, 421, 395, 317, 426, 338};
    test::Tokens tokens;
    for (size_t i = 0; i < n; ++i) tokens.push_back(kStory[i % kStory.size()]);
    return tokens;
}

test::ModelHandle stories(const test::ModelTweak& tweak = {}) {
    return test::load_model((test::data_dir() / test::kStories3m).string(), tweak);
}

nlohmann::json expected_json() {
    std::ifstream in(test::golden_dir() / "expected_stories3m.json");
    return nlohmann::json::parse(in);
}

}  // namespace

TEST_CASE("stories3m continues 'Once upon a time' with exactly the reference's 64 tokens") {
    if (!test::have_data(test::kStories3m)) return;
    const test::ModelHandle model = stories();
    const nlohmann::json expected = expected_json();
    int found = 0;
    for (const nlohmann::json& prompt : expected.at("prompts")) {
        if (prompt.at("text") != "Once upon a time") continue;
        ++found;
        const test::ContextHandle context = test::make_context(model);
        test::decode(context, prompt.at("ids").get<test::Tokens>());
        test::Tokens greedy;
        for (int i = 0; i < 64; ++i) {
            greedy.push_back(test::argmax(test::copy_logits(context, model)));
            test::decode(context, {greedy.back()});
        }
        CHECK(greedy == prompt.at("greedy").get<test::Tokens>());
    }
    CHECK(found == 1);
}

TEST_CASE("stories3m agrees with the reference at every step but the near ties") {
    if (!test::have_data(test::kStories3m)) return;
    const test::ModelHandle model = stories();
    const nlohmann::json expected = expected_json();
    const double noise = expected.at("logit_noise");
    int steps = 0;
    for (const nlohmann::json& prompt : expected.at("prompts")) {
        const test::ContextHandle context = test::make_context(model);
        test::decode(context, prompt.at("ids").get<test::Tokens>());
        for (const nlohmann::json& row : prompt.at("top5")) {
            const double logit = static_cast<double>(test::copy_logits(context, model).at(row.at("id").get<size_t>()));
            CHECK(std::abs(logit - row.at("logit").get<double>()) < noise);
        }
        const std::vector<int> uncertain = prompt.at("uncertain_steps");
        int step = 0;
        for (const bitnet_token token : prompt.at("greedy").get<test::Tokens>()) {
            CAPTURE(step);
            const test::Logits logits = test::copy_logits(context, model);
            if (std::count(uncertain.begin(), uncertain.end(), step) == 0) {
                CHECK(test::argmax(logits) == token);
            } else {
                CHECK(static_cast<double>(logits[static_cast<size_t>(test::argmax(logits))] -
                                          logits[static_cast<size_t>(token)]) < noise);
            }
            test::decode(context, {token});
            ++step;
            ++steps;
        }
    }
    CHECK(steps == 192);
}

TEST_CASE("prompts of awkward lengths give the same bits at once, in micro-batches and one by one") {
    if (!test::have_data(test::kStories3m)) return;
    const test::ModelHandle model = stories();
    for (const size_t n : {1, 2, 3, 5, 16, 17, 31, 32, 33, 129}) {
        CAPTURE(n);
        const test::Tokens tokens = story_tokens(n);
        const test::Logits whole = test::fresh_logits(model, tokens);
        for (const int32_t n_ubatch : {1, 2, 7, 16, 32, 100}) {
            CAPTURE(n_ubatch);
            CHECK(test::same_bits(
                test::fresh_logits(model, tokens, [&](bitnet_context_params& p) { p.n_ubatch = n_ubatch; }), whole));
        }
        const test::ContextHandle context = test::make_context(model);
        for (const bitnet_token token : tokens) test::decode(context, {token});
        CHECK(test::same_bits(test::copy_logits(context, model), whole));
        CHECK(bitnet_sequence_get_end(context.get(), 0) == static_cast<bitnet_pos>(n));
    }
}

TEST_CASE("one to nine sequences in one batch, their tokens interleaved, equal each alone") {
    if (!test::have_data(test::kStories3m)) return;
    const test::ModelHandle model = stories();
    for (int n_seq = 1; n_seq <= 9; ++n_seq) {
        CAPTURE(n_seq);
        const test::ContextHandle context = test::make_context(model, [&](bitnet_context_params& p) {
            p.n_seq_max = n_seq;
            p.n_ubatch = 5;
        });
        // Sequence s is s + 2 tokens long and begins at another place of the story.
        std::vector<test::Tokens> prompts;
        for (int s = 0; s < n_seq; ++s) {
            const test::Tokens tokens = story_tokens(20);
            prompts.emplace_back(tokens.begin() + s, tokens.begin() + 2 * s + 2);
        }
        test::BatchArrays arrays;
        std::vector<int32_t> last(static_cast<size_t>(n_seq));
        for (size_t i = 0; i < 11; ++i) {
            for (int s = n_seq - 1; s >= 0; --s) {
                if (i >= prompts[static_cast<size_t>(s)].size()) continue;
                last[static_cast<size_t>(s)] = static_cast<int32_t>(arrays.tokens.size());
                arrays.add(prompts[static_cast<size_t>(s)][i], s, i % 2 == 0);
            }
        }
        for (const int32_t index : last) arrays.want_output[static_cast<size_t>(index)] = 1;
        const bitnet_batch batch = arrays.view();
        test::must(bitnet_context_decode(context.get(), &batch));
        for (int s = 0; s < n_seq; ++s) {
            CAPTURE(s);
            const test::Logits alone = test::fresh_logits(model, prompts[static_cast<size_t>(s)]);
            CHECK(test::same_bits(test::copy_logits(context, model, last[static_cast<size_t>(s)]), alone));
        }
        // And one step more for all of them together.
        test::BatchArrays step;
        for (int s = 0; s < n_seq; ++s) step.add(261, s, true);
        const bitnet_batch next = step.view();
        test::must(bitnet_context_decode(context.get(), &next));
        for (int s = 0; s < n_seq; ++s) {
            test::Tokens tokens = prompts[static_cast<size_t>(s)];
            tokens.push_back(261);
            CHECK(test::same_bits(test::copy_logits(context, model, s), test::fresh_logits(model, tokens)));
        }
    }
}

TEST_CASE("the default outputs are the last token of each sequence and no other") {
    if (!test::have_data(test::kStories3m)) return;
    const test::ModelHandle model = stories();
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) { p.n_seq_max = 2; });
    test::BatchArrays arrays;
    for (const bitnet_seq_id seq : {0, 1, 0, 0, 1, 0}) arrays.add(300, seq, false);
    arrays.want_output.clear();
    const bitnet_batch batch = arrays.view();
    test::must(bitnet_context_decode(context.get(), &batch));
    const float* logits = nullptr;
    for (const int32_t index : {0, 1, 2, 3, -3, -6, 6, -7, 100, INT32_MAX, INT32_MIN}) {
        CAPTURE(index);
        CHECK(test::name_of(bitnet_context_get_logits(context.get(), index, &logits)) == "BITNET_E_NOT_FOUND");
        test::last_error();
    }
    CHECK(test::same_bits(test::copy_logits(context, model, 5), test::fresh_logits(model, {300, 300, 300, 300})));
    CHECK(test::same_bits(test::copy_logits(context, model, -1), test::copy_logits(context, model, 5)));
    CHECK(test::same_bits(test::copy_logits(context, model, -2), test::fresh_logits(model, {300, 300})));
}

TEST_CASE("a batch that wants no output computes and keeps the sequence") {
    if (!test::have_data(test::kStories3m)) return;
    const test::ModelHandle model = stories();
    const test::Tokens tokens = story_tokens(10);
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) { p.n_ubatch = 3; });
    test::BatchArrays arrays;
    for (size_t i = 0; i < 9; ++i) arrays.add(tokens[i], 0, false);
    const bitnet_batch batch = arrays.view();
    test::must(bitnet_context_decode(context.get(), &batch));
    const float* logits = nullptr;
    CHECK(test::name_of(bitnet_context_get_logits(context.get(), -1, &logits)) == "BITNET_E_NOT_FOUND");
    test::decode(context, {tokens[9]});
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, tokens)));
}
