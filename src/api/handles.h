// What the opaque handles of bitnet.h hold. Shared pointers inside make every order of freeing right.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "src/api/last_error.h"
#include "src/context/context.h"
#include "src/generation/generation.h"
#include "src/generation/generation_batch.h"
#include "src/grammar/grammar.h"
#include "src/model/adapter.h"
#include "src/model/model.h"
#include "src/receipt/model_hash.h"
#include "src/sampler/sampler.h"
#include "src/template/chat_template.h"
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
    ModelHash hash;
};

}  // namespace bitnet

struct bitnet_model {
    std::shared_ptr<const bitnet::ModelState> state;
};

namespace bitnet {

// Who sees what the nodes compute; see bitnet_context_set_node_callback.
struct NodeCallback {
    bitnet_node_callback function = nullptr;
    void* user_data = nullptr;
};

}  // namespace bitnet

struct bitnet_context {
    std::shared_ptr<const bitnet::ModelState> state;
    bitnet::Context context;
    bitnet::GenerationBatch batch{};
    bitnet::NodeCallback on_node{};
    // Generations look here whether their context is still there.
    std::shared_ptr<bitnet_context*> self = std::make_shared<bitnet_context*>(this);

    ~bitnet_context() { *self = nullptr; }
};

struct bitnet_adapter {
    std::shared_ptr<const bitnet::Adapter> adapter;  // keeps its model's state alive
};

struct bitnet_sampler {
    bitnet::Sampler sampler;
    std::vector<bitnet_token> also;  // whose logits the last draw needed besides the largest; kept for its room
};

struct bitnet_grammar {
    std::shared_ptr<const bitnet::Grammar> grammar;
};

struct bitnet_chat_template {
    bitnet::ChatTemplate chat_template;  // keeps its tokenizer alive
};

struct bitnet_generation {
    std::shared_ptr<const bitnet::ModelState> state;
    std::shared_ptr<bitnet_context*> context;  // null inside once it was freed; only steps look at it
    bitnet::Generation generation;
    uint64_t tokenize_us;
    std::chrono::steady_clock::time_point begin;
    uint64_t total_us;       // up to the last step
    uint64_t cumulative_us;  // of the steps
};

namespace bitnet {

// What a call is about, for the context of its failure; null handles are the caller's mistake, which the call reports.
inline CallSubject about(const bitnet_model* model) noexcept {
    return {nullptr, model != nullptr ? model->state.get() : nullptr};
}
inline CallSubject about(const bitnet_context* context) noexcept {
    return {nullptr, context != nullptr ? context->state.get() : nullptr};
}
inline CallSubject about(const bitnet_generation* generation) noexcept {
    return {nullptr, generation != nullptr ? generation->state.get() : nullptr};
}
inline CallSubject about(const char* path) noexcept { return {path, nullptr}; }

}  // namespace bitnet
