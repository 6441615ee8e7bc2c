// Memory that runs out at any point of a step, alone or in a batch, loses no token and changes none. This test program's
// operator new fails on demand; all forms that free with one delete are replaced together, or AddressSanitizer would rightly
// complain.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "tests/support/api_fixture.h"

namespace {

std::atomic<long> n_until_failure{-1};  // allocations; below 0: none fails
std::atomic<std::size_t> failed_bytes{0};  // of the one that failed last

bool fails_now(std::size_t size) noexcept {
    if (n_until_failure.load() < 0 || n_until_failure.fetch_sub(1) != 0) return false;
    failed_bytes = size;
    return true;
}

void* take(std::size_t size) noexcept { return fails_now(size) ? nullptr : std::malloc(size != 0 ? size : 1); }

void* take(std::size_t size, std::align_val_t alignment) noexcept {
    const std::size_t unit = static_cast<std::size_t>(alignment);
    return fails_now(size) ? nullptr : std::aligned_alloc(unit, (size + unit - 1) / unit * unit);
}

void* or_throw(void* memory) {
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

}  // namespace

void* operator new(std::size_t size) { return or_throw(take(size)); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return take(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void* operator new(std::size_t size, std::align_val_t alignment) { return or_throw(take(size, alignment)); }
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return take(size, alignment);
}
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace {

constexpr int kTexts = 3;

struct Texts {
    test::ContextHandle context;
    bitnet_generation* generations[kTexts] = {};

    // repeats: their texts go on as their prompts do, so that guesses are right.
    Texts(const test::ModelHandle& model, const bitnet_grammar* grammar, bool repeats, int32_t n_draft)
        : n_step_tokens_(repeats ? 16 : 5) {
        context = test::make_context(model, [=](bitnet_context_params& p) {
            p.n_ctx = 128;
            p.n_seq_max = kTexts;
            p.n_batch = repeats ? 16 : 4;
            p.n_threads = 1;
        });
        for (int i = 0; i < kTexts; ++i) {
            bitnet_sampler_params sampler = bitnet_sampler_default_params();
            sampler.has_seed = 1;
            sampler.seed = static_cast<uint64_t>(i);
            repeats ? sampler.temperature = 0 : sampler.repetition_penalty = 1.1f;
            const char* const stops[] = {"never that"};
            bitnet_generation_params params = bitnet_generation_default_params();
            params.sampler = &sampler;
            params.max_new_tokens = 9;
            params.stop_sequences = stops;
            params.n_stop_sequences = 1;
            params.n_logprobs = 2;
            params.receipt = i == 1;
            params.grammar = i == 2 ? grammar : nullptr;
            params.n_draft = n_draft;
            test::Tokens prompt;
            for (int k = 0; k < 3 + 2 * i; ++k) prompt.push_back(20 + 7 * (repeats ? 0 : k) + i);
            test::must(bitnet_generation_create_from_tokens(context.get(), i, prompt.data(), prompt.size(), &params,
                                                            &generations[i]));
        }
    }
    ~Texts() {
        for (bitnet_generation* generation : generations) bitnet_generation_free(generation);
    }
    Texts(const Texts&) = delete;
    Texts& operator=(const Texts&) = delete;

    bool step(bool together, std::vector<bitnet_status>& statuses) {
        bitnet_generation_step steps[kTexts];
        bool over = true;
        if (together) {
            steps[0].struct_size = sizeof steps[0];
            statuses.push_back(bitnet_generation_next_batch(generations, kTexts, n_step_tokens_, steps));
            if (statuses.back() != BITNET_OK) return false;
        }
        for (int i = 0; i < kTexts; ++i) {
            if (!together) {
                steps[i].struct_size = sizeof steps[i];
                statuses.push_back(bitnet_generation_next(generations[i], &steps[i]));
            } else {
                statuses.push_back(static_cast<bitnet_status>(steps[i].status));
            }
            over = over && statuses.back() == BITNET_OK && steps[i].finish_reason != BITNET_FINISH_NONE;
        }
        return over;
    }

    std::vector<std::string> made() const {
        std::vector<std::string> made;
        for (bitnet_generation* generation : generations) {
            bitnet_generation_result result = {};
            result.struct_size = sizeof result;
            test::must(bitnet_generation_get_result(generation, &result));
            std::string all = std::string(result.text, result.n_bytes) + "|" + std::to_string(result.finish_reason);
            for (size_t i = 0; i < result.n_tokens; ++i) all += " " + std::to_string(result.tokens[i]);
            made.push_back(all);
        }
        return made;
    }

    uint64_t n_accepted() const {
        uint64_t n = 0;
        for (bitnet_generation* generation : generations) {
            bitnet_generation_result result = {};
            result.struct_size = sizeof result;
            test::must(bitnet_generation_get_result(generation, &result));
            n += result.accepted_tokens;
        }
        return n;
    }

private:
    const size_t n_step_tokens_;
};

// The texts with memory that runs out at every allocation of some steps in turn.
void check_texts(const test::ModelHandle& model, const bitnet_grammar* grammar, bool repeats, int32_t n_draft) {
    std::vector<bitnet_status> statuses;
    statuses.reserve(10000);
    std::vector<std::string> expected;
    {
        Texts texts(model, grammar, repeats, 0);
        while (!texts.step(false, statuses)) {
        }
        expected = texts.made();
    }
    const size_t row = test::info_of(model).n_vocab * sizeof(float);
    for (const bool together : {true, false}) {
        int n_failures = 0, n_helped = 0;
        uint64_t n_accepted = 0;
        for (const int failing_step : {0, 1, 2, 3, 5}) {
            bool failed = true;
            for (long n = 0; failed; ++n) {
                CAPTURE(together);
                CAPTURE(failing_step);
                CAPTURE(n);
                Texts texts(model, grammar, repeats, n_draft);
                statuses.clear();
                failed_bytes = 0;
                bool over = false;
                for (int i = 0; !over; ++i) {
                    n_until_failure = i == failing_step ? n : -1;
                    over = texts.step(together, statuses);
                    if (i == failing_step) failed = n_until_failure < 0;
                    n_until_failure = -1;
                }
                for (const bitnet_status status : statuses) {
                    CHECK((status == BITNET_OK || status == BITNET_E_OUT_OF_MEMORY));
                    n_failures += status != BITNET_OK;
                }
                CHECK(texts.made() == expected);
                // Logits of more tokens than there are texts: guesses, which are given up.
                if (failed_bytes > kTexts * row && failing_step > 0) {
                    CHECK(
                        std::all_of(statuses.begin(), statuses.end(), [](bitnet_status s) { return s == BITNET_OK; }));
                    ++n_helped;
                }
                n_accepted += texts.n_accepted();
                if (n >= 2000) break;  // no step allocates so much
            }
        }
        CHECK(n_failures > 20);
        CHECK((n_accepted > 0) == (n_draft > 0));
        CHECK((n_helped > 0) == (n_draft > 0));
    }
}

}  // namespace

TEST_CASE("memory that runs out anywhere in a step, alone or in a batch, loses no token and changes none") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const std::string text = "root ::= ([a-z] [0-9])*";
    bitnet_grammar* grammar = nullptr;
    test::must(bitnet_grammar_create_from_gbnf(bitnet_model_get_tokenizer(model.get()), text.data(), text.size(),
                                               nullptr, &grammar));
    check_texts(model, grammar, false, 0);
    check_texts(model, grammar, true, 0);
    check_texts(model, grammar, true, 4);
    bitnet_grammar_free(grammar);
}
