// Hidden states of texts, in a context of its own beside the engine's, so that nobody's text waits for them. The context is
// made when first needed.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "server/engine/engine.h"

namespace serve {

class Embedder {
public:
    // n_ctx: the longest text.
    Embedder(bitnet_model* model, int32_t n_ctx, int32_t n_threads)
        : model_(model), n_ctx_(n_ctx), n_threads_(n_threads) {}

    // As Engine::embed.
    std::vector<std::vector<float>> embed(const std::vector<std::vector<bitnet_token>>& texts, bitnet_pooling pooling,
                                          bool normalize, const std::function<bool()>& client_gone);

private:
    struct Progress;
    void make_context();
    void step(std::vector<Progress>& group, bitnet_pooling pooling);

    bitnet_model* const model_;
    const int32_t n_ctx_, n_threads_;
    std::mutex mutex_;
    std::condition_variable free_;
    bool busy_ = false;  // somebody uses what is below
    std::shared_ptr<bitnet_context> context_;
    size_t n_embd_ = 0;
};

}  // namespace serve
