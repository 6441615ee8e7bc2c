// A text as its engine keeps it, from submit() to its last step.
#pragma once

#include <memory>
#include <string>

#include "server/engine/job.h"

namespace serve {

struct GenerationFree {
    void operator()(bitnet_generation* generation) const { bitnet_generation_free(generation); }
};
using GenerationHandle = std::unique_ptr<bitnet_generation, GenerationFree>;

struct EngineText {
    std::shared_ptr<Job> job;
    GenerationSpec spec;
    SteadyTime submitted = {};
    int32_t max_new = 0;      // spec.max_tokens, or what the context leaves for -1
    bool to_the_end = false;  // it was -1
    Usage usage;

    // Once it runs.
    uint64_t number = 0;          // counts the texts that began
    bitnet_seq_id sequence = -1;  // -1: waits for a running text to compute what both have in common
    uint64_t source = 0;          // the number of that text
    size_t shared = 0;            // how many tokens that is
    size_t reused = 0;            // cells of its sequence that were there when it began
    size_t prompt_left = 0;
    GenerationHandle generation;

    // The cells it needs at most: the last token that is drawn is not computed any more.
    size_t most_cells() const { return spec.prompt.size() + static_cast<size_t>(max_new) - (max_new > 0 ? 1 : 0); }
    // What its tenant is charged for it, in tokens.
    uint64_t cost() const { return spec.prompt.size() + static_cast<uint64_t>(max_new); }
    bool in_prompt() const { return prompt_left > 0; }
    // Nobody waits for it any more.
    bool is_given_up() const { return job->is_cancelled() || job.use_count() == 1; }
};
using TextHandle = std::unique_ptr<EngineText>;

// A generation of the text over a sequence. Throws what the library says of prompt and parameters; computes nothing, so any
// thread may call it to find out.
GenerationHandle make_generation(bitnet_context* context, bitnet_seq_id sequence, int32_t n_draft, EngineText& text);
// What the generation has measured so far.
bitnet_generation_result read_result(const EngineText& text);

}  // namespace serve
