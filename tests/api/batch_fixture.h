// What the tests of batches share: a wish for a text, the text that was made of it with all its bits, alone or in a batch.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/api/generation_fixture.h"
#include "tests/support/adapter_file.h"

namespace test {

struct Wish {
    Tokens prompt;
    int32_t n_most = 100;
    uint64_t seed = 1;
    float temperature = 0.9f;
    std::vector<std::string> stops;
    int32_t n_logprobs = 0;
    bool receipt = false;
    const bitnet_grammar* grammar = nullptr;
    uint64_t deadline_us = 0;
    int32_t n_draft = 0;
    std::function<void(bitnet_sampler_params& sampler)> tweak;
    // Called when a sequence begins with it, e.g. to set adapters.
    std::function<void(const ContextHandle& context, bitnet_seq_id id)> begin;
};

// Everything that must not depend on what ran beside it.
struct Made {
    Tokens tokens;
    std::vector<std::string> texts;  // per step, so that holding back is compared too
    std::string text, reason;
    int32_t stop_sequence = -1;
    std::vector<float> logprobs;
    std::string kernels;  // that the receipt names
    uint64_t steps = 0;
    bool operator==(const Made&) const = default;
};

// A generation and what its steps brought.
class Run {
public:
    Run() = default;
    Run(const ContextHandle& context, const Wish& wish, bitnet_seq_id id);

    bitnet_generation* get() const { return generation_.get(); }
    bool over() const { return over_; }
    const bitnet_generation_step& last() const { return last_; }
    bool guesses() const { return guesses_; }
    void next();
    // may_wait: guesses of those beside it may have been right.
    void take(const bitnet_generation_step& step, bool may_wait = false);
    Made made() const;
    std::string receipt() const;
    bitnet_generation_result result() const;

private:
    GenerationHandle generation_;
    Made made_;
    bitnet_generation_step last_ = {};
    bool over_ = false;
    bool receipt_ = false, guesses_ = false;
    int32_t n_logprobs_ = 0;
};

// One call for all of them; the steps are taken where it succeeds.
bitnet_status try_next_batch(const std::vector<Run*>& runs, size_t max_tokens);
void next_batch(const std::vector<Run*>& runs, size_t max_tokens);
std::vector<Run*> pointers(std::vector<Run>& runs);
// Until all are over.
void run_all(std::vector<Run>& runs, size_t max_tokens = 0);

// The wish in a context of its own, step by step with bitnet_generation_next.
Made alone(const ModelHandle& model, const Wish& wish, const ContextTweak& tweak = {}, const Uses& adapters = {});

struct FreeGrammar {
    void operator()(bitnet_grammar* grammar) const { bitnet_grammar_free(grammar); }
};
using GrammarHandle = std::unique_ptr<bitnet_grammar, FreeGrammar>;
GrammarHandle make_grammar(const ModelHandle& model, const std::string& text);

}  // namespace test
