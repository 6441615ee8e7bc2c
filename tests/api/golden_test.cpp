// The golden models through the public interface: logits as an independent program computes them, and the same bits
// from every level of kernels, any number of threads, any micro-batch and any way of feeding the prompt.
#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "tests/support/golden_case.h"

namespace {

struct Run {
    std::string level;
    int32_t n_threads = 1;
    int32_t n_ubatch = 512;
    bool one_by_one = false;
};

std::vector<test::Logits> all_logits(const test::ModelHandle& model, const test::Tokens& prompt, const Run& run) {
    const test::ContextHandle context = test::make_context(model, [&](bitnet_context_params& p) {
        p.n_threads = run.n_threads;
        p.n_ubatch = run.n_ubatch;
    });
    std::vector<test::Logits> all;
    if (run.one_by_one) {
        for (const bitnet_token token : prompt) {
            test::decode(context, {token});
            all.push_back(test::copy_logits(context, model, 0));
        }
        return all;
    }
    test::BatchArrays arrays;
    for (const bitnet_token token : prompt) arrays.add(token, 0, true);
    const bitnet_batch batch = arrays.view();
    test::must(bitnet_context_decode(context.get(), &batch));
    for (int32_t i = 0; i < batch.n_tokens; ++i) all.push_back(test::copy_logits(context, model, i));
    return all;
}

bool equal_bits(const std::vector<test::Logits>& a, const std::vector<test::Logits>& b) {
    bool equal = a.size() == b.size();
    for (size_t i = 0; equal && i < a.size(); ++i) equal = test::same_bits(a[i], b[i]);
    return equal;
}

}  // namespace

TEST_CASE("every golden model gives the oracle's logits within 1e-4") {
    std::map<std::string, std::vector<test::Logits>> results;
    const std::vector<test::GoldenCase> cases = test::golden_cases();
    for (const test::GoldenCase& c : cases) {
        CAPTURE(c.name);
        const test::ModelHandle model = test::load_model(c.path);
        REQUIRE(static_cast<size_t>(test::info_of(model).n_vocab) == c.n_vocab);
        const std::vector<test::Logits> logits = all_logits(model, c.prompt, {});
        double worst = 0.0;
        for (size_t i = 0; i < logits.size(); ++i) {
            for (size_t v = 0; v < c.n_vocab; ++v) {
                const double difference =
                    std::fabs(static_cast<double>(logits[i][v]) - static_cast<double>(c.expected[i][v]));
                worst = difference <= worst ? worst : difference;  // a NaN becomes the worst
            }
        }
        CHECK(worst <= 1e-4);
        results[c.name] = logits;
    }
    int twins = 0;
    for (const test::GoldenCase& c : cases) {
        if (c.same_logits_as.empty()) continue;
        CAPTURE(c.name);
        ++twins;
        CHECK(equal_bits(results.at(c.name), results.at(c.same_logits_as)));
    }
    CHECK(twins == 1);
}

TEST_CASE("a model of zeros gives zeros exactly, not NaN and not minus zero") {
    for (const test::GoldenCase& c : test::golden_cases()) {
        if (c.name != "b158-zero-all") continue;
        for (const test::Logits& logits : all_logits(test::load_model(c.path), c.prompt, {})) {
            CHECK(test::same_bits(logits, test::Logits(c.n_vocab, 0.0f)));
        }
    }
}

TEST_CASE("levels, threads, micro-batches and ways of feeding never change a bit") {
    const std::vector<std::string> levels = test::runnable_levels();
    CHECK(levels.size() >= 1);
    for (const test::GoldenCase& c : test::golden_cases()) {
        CAPTURE(c.name);
        const std::vector<test::Logits> expected = all_logits(test::load_model(c.path), c.prompt, {});
        for (const std::string& level : levels) {
            const test::ModelHandle model =
                test::load_model(c.path, [&](bitnet_model_params& p) { p.kernel = level.c_str(); });
            int different = 0;
            for (const int32_t n_threads : {1, 2}) {
                for (const int32_t n_ubatch : {1, 3, 512}) {
                    for (const bool one_by_one : {false, true}) {
                        different += !equal_bits(all_logits(model, c.prompt, {level, n_threads, n_ubatch, one_by_one}),
                                                 expected);
                    }
                }
            }
            CAPTURE(level);
            CHECK(different == 0);
        }
    }
}
