// The logits of a prompt's tokens are of no use to texts that go on from it, so the engine's batches do not keep them.
#include "server/api/prompt_scores.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>

namespace serve {

namespace {

constexpr size_t kPart = 32;  // tokens whose logits are there at once

[[noreturn]] void refuse_gone() { throw ApiError(ErrorCode::kUnavailable, "the client is gone"); }

}  // namespace

std::vector<TokenScore> score_prompt(const Engine& engine, const std::vector<bitnet_token>& tokens, size_t n_top,
                                     const std::function<bool()>& client_gone) {
    static std::timed_mutex one_at_a_time;
    std::unique_lock lock(one_at_a_time, std::defer_lock);
    while (!lock.try_lock_for(std::chrono::milliseconds(50)))
        if (client_gone()) refuse_gone();

    bitnet_context_params params = bitnet_context_default_params();
    params.n_ctx = static_cast<int32_t>(tokens.size());
    params.n_seq_max = 1;
    bitnet_context* handle = nullptr;
    check(bitnet_context_create(engine.model(), &params, &handle));
    const std::unique_ptr<bitnet_context, void (*)(bitnet_context*)> context(handle, bitnet_context_free);

    std::vector<TokenScore> scores(tokens.size());
    for (size_t i = 0; i < tokens.size(); i++) scores[i].token = tokens[i];
    const auto n_vocab = static_cast<size_t>(engine.facts().n_vocab);
    n_top = std::min(n_top, n_vocab);
    for (size_t begin = 0; begin + 1 < tokens.size(); begin += kPart) {
        if (client_gone()) refuse_gone();
        const size_t n = std::min(kPart, tokens.size() - begin);
        const std::vector<int8_t> every(n, 1);
        bitnet_batch batch = {};
        batch.struct_size = sizeof batch;
        batch.n_tokens = static_cast<int32_t>(n);
        batch.tokens = tokens.data() + begin;
        batch.want_output = every.data();
        check(bitnet_context_decode(context.get(), &batch));
        // The logits behind one token are of the next.
        for (size_t i = 0; i < n && begin + i + 1 < tokens.size(); i++) {
            const float* logits = nullptr;
            check(bitnet_context_get_logits(context.get(), static_cast<int32_t>(i), &logits));
            TokenScore& score = scores[begin + i + 1];
            score.known = true;
            score.top.resize(n_top);
            check(
                bitnet_logits_get_top_logprobs(logits, n_vocab, score.token, &score.logprob, score.top.data(), n_top));
        }
    }
    return scores;
}

}  // namespace serve
