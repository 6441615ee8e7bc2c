// How likely a model finds a prompt, token by token: what evaluation tools ask /v1/completions for with echo and logprobs.
#pragma once

#include <functional>
#include <vector>

#include "server/engine/engine.h"

namespace serve {

struct TokenScore {
    bitnet_token token = -1;
    bool known = false;  // false for the first token: nothing stands before it
    float logprob = 0;
    std::vector<bitnet_token_logprob> top;
};

// One score for each token, with the n_top best at its place. On a context of its own beside the engine's, one prompt at a
// time, in small parts, so that it needs little memory whatever the vocabulary; a client that is gone ends it between two.
std::vector<TokenScore> score_prompt(const Engine& engine, const std::vector<bitnet_token>& tokens, size_t n_top,
                                     const std::function<bool()>& client_gone);

}  // namespace serve
