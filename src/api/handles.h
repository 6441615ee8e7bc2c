// What the opaque handles of bitnet.h hold. Shared pointers inside make every order of freeing right.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "src/context/context.h"
#include "src/generation/generation.h"
#include "src/model/model.h"
#include "src/receipt/model_hash.h"
#include "src/sampler/sampler.h"
#include "src/tokenizer/tokenizer.h"

struct bitnet_tokenizer {
    std::shared_ptr<const bitnet::Tokenizer> tokenizer;
};

namespace bitnet {

// A model and the tokenizer handle that is lent from it: they live and die together, with the last handle or context.
struct ModelState {
    Model model;
    bitnet_tokenizer tokenizer;     // empty when the file has none that this build can run
    std::string tokenizer_problem;  // why, in that case
    ModelHash hash;
};

}  // namespace bitnet

struct bitnet_model {
    std::shared_ptr<const bitnet::ModelState> state;
};

struct bitnet_context {
    std::shared_ptr<const bitnet::ModelState> state;
    bitnet::Context context;
};

struct bitnet_sampler {
    bitnet::Sampler sampler;
};

struct bitnet_generation {
    std::shared_ptr<const bitnet::ModelState> state;
    bitnet_context* context;  // the caller's; only next() looks at it
    bitnet::Generation generation;
    uint64_t tokenize_us;
    std::chrono::steady_clock::time_point begin;
    uint64_t total_us;       // up to the last step
    uint64_t cumulative_us;  // of the steps
};
