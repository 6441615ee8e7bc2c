// What the opaque handles of bitnet.h hold. Shared pointers inside make every order of freeing right.
#pragma once

#include <memory>
#include <string>

#include "src/api/last_error.h"
#include "src/context/context.h"
#include "src/grammar/grammar.h"
#include "src/model/model.h"
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
    std::string path;               // as given to bitnet_model_load; "" for other sources
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

struct bitnet_grammar {
    std::shared_ptr<const bitnet::Grammar> grammar;
};

namespace bitnet {

// What a call is about, for the context of its failure; null handles are the caller's mistake, which the call reports.
inline CallSubject about(const bitnet_model* model) noexcept {
    return {nullptr, model != nullptr ? model->state.get() : nullptr};
}
inline CallSubject about(const bitnet_context* context) noexcept {
    return {nullptr, context != nullptr ? context->state.get() : nullptr};
}
inline CallSubject about(const char* path) noexcept { return {path, nullptr}; }

}  // namespace bitnet
