// Several generations of one context advance together: what each needs computed goes into common decodes, so the weights are
// read once for all of them. What comes out for one depends on none of the others. One thread at a time; between calls
// only room is kept. Guesses of all ride in one decode; where some were right, a call brings those tokens and computes nothing,
// while the others wait for the next one: that decode serves all again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bitnet.h"
#include "src/base/stopwatch.h"
#include "src/context/context.h"
#include "src/context/kernel_log.h"
#include "src/generation/generation.h"
#include "src/tokenizer/tokenizer.h"

namespace bitnet {

class GenerationBatch {
public:
    // Begins a new list of generations.
    void clear(const Context& context);
    // Throws BITNET_E_ARGUMENT where another one of the list has the same sequence.
    void add(Generation& generation);
    // One step of each, as bitnet_generation_next_batch: afterwards Generation::last_step() has what it brought. Throws
    // what stops the decode for all; the steps are then nothing to show, and the call may be repeated.
    void step(Context& context, const Tokenizer& tokenizer, size_t max_tokens);

private:
    // What one generation computes in this step.
    struct Work {
        Generation* generation;
        const bitnet_token* tokens;
        size_t n_left;
        bool draws;  // with the logits of the last token
    };
    // Its part in one decode.
    struct Share {
        Work* work;
        size_t n;
    };

    void plan(Context& context, size_t n_most);
    bool plan_to_follow(Context& context);
    void plan_guesses(const Context& context, size_t n_most);
    size_t fill(size_t first, size_t n_room);
    void add_guesses();
    BatchView filled() const noexcept;
    void compute(Context& context, const Deadline& deadline);
    void decode(Context& context, const Deadline& deadline);
    void settle(Context& context, const Stopwatch& time);

    std::vector<Generation*> generations_;
    struct Seat {
        uint64_t round = 0;
        size_t index = 0;
    };
    std::vector<Seat> seats_;  // per sequence: which generation of this round has it
    uint64_t round_ = 0;
    std::vector<Work> work_;
    std::vector<Share> shares_;  // of the decode that runs, in its order
    std::vector<bitnet_token> tokens_;
    std::vector<bitnet_seq_id> ids_;
    std::vector<int8_t> want_output_;
    std::vector<Generation*> guessing_;  // whose guesses go into the decode, or, where following_, were right
    std::vector<DecodedAhead*> aheads_;  // of each
    bool following_ = false;             // the call only brings what is computed already
    KernelLog log_;
};

}  // namespace bitnet
