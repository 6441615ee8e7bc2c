// One text in the making: runs a prompt, then draws one token per step until something ends it. What bitnet.h says of
// bitnet_generation is implemented here. Uses its context on the caller's thread; one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bitnet.h"
#include "src/base/deadline.h"
#include "src/context/context.h"
#include "src/generation/run_record.h"
#include "src/generation/stop_matcher.h"
#include "src/grammar/grammar.h"
#include "src/sampler/sampler.h"
#include "src/tokenizer/tokenizer.h"

namespace bitnet {

// bitnet_generation_params with its arrays copied.
struct GenerationConfig {
    int32_t max_new_tokens = 100;  // -1: no limit
    bool skip_special_tokens = true;
    Deadline deadline;
    SamplerConfig sampler;
    std::vector<std::string> stop_sequences;
    std::shared_ptr<const Grammar> grammar;  // of the generated text; null: any
    bool record = false;  // keep a RunRecord
    int32_t n_logprobs = 0;  // 0: none, up to Generation::kMostLogprobs
};

// What one step brought. The text may lag behind the tokens: it is held back while it may be part of a stop sequence.
struct GenerationStep {
    std::string text;
    bitnet_token token = -1;  // -1: the step brought none
    uint64_t token_us = 0;
};

// Log-probabilities of one token and of the best ones at its place.
struct TokenLogprobs {
    float logprob = 0;
    std::vector<bitnet_token_logprob> top;
};

class Generation {
public:
    static constexpr int32_t kMostLogprobs = 20;

    // Throws BITNET_E_CONFIG, BITNET_E_LIMIT, BITNET_E_TOKEN, and BITNET_E_KV_FULL for a prompt longer than the context.
    Generation(const Context& context, const Tokenizer& tokenizer, bitnet_seq_id id, std::vector<bitnet_token> prompt,
               GenerationConfig config);

    // Draws a token, the first time after running the prompt. A call after the end changes nothing. After an exception the
    // same call may be tried again: no token is lost.
    const GenerationStep& next(Context& context, const Tokenizer& tokenizer);
    // Ends it from outside, e.g. because a callback said so: what was held back is shown.
    void cancel();

    bitnet_finish_reason finish_reason() const noexcept { return reason_; }
    int32_t stop_sequence() const noexcept { return stops_.found(); }
    const std::string& text() const noexcept { return text_; }
    const std::vector<bitnet_token>& tokens() const noexcept { return tokens_; }
    // Of the last step's token; null where it brought none, or none are kept.
    const TokenLogprobs* logprobs() const noexcept {
        return config_.n_logprobs > 0 && step_.token >= 0 ? &logprobs_ : nullptr;
    }
    const std::vector<uint64_t>& token_times() const noexcept { return token_us_; }
    size_t n_prompt() const noexcept { return prompt_.size(); }
    size_t n_reused() const noexcept { return n_reused_; }
    size_t n_steps() const noexcept { return n_steps_; }
    uint64_t prefill_us() const noexcept { return prefill_us_; }
    uint64_t decode_us() const noexcept { return decode_us_; }
    uint64_t seed() const noexcept { return sampler_.seed(); }
    const std::vector<bitnet_token>& prompt() const noexcept { return prompt_; }
    const GenerationConfig& config() const noexcept { return config_; }
    // Null unless config().record.
    const RunRecord* record() const noexcept { return record_ ? &*record_ : nullptr; }

private:
    bool advance(Context& context);
    void draw(Context& context, const Tokenizer& tokenizer);
    void note_logprobs(const float* logits, size_t n_vocab) noexcept;
    void take(bitnet_token token, const Tokenizer& tokenizer);
    void finish(bitnet_finish_reason reason);

    const bitnet_seq_id id_;
    const std::vector<bitnet_token> prompt_;
    const GenerationConfig config_;
    Sampler sampler_;
    StopMatcher stops_;
    std::optional<RunRecord> record_;
    bool starts_text_;  // nothing was written yet that the first token would go on from
    bool prompt_done_ = false;
    bitnet_token drawn_ = -1;  // drawn, but not yet taken
    TokenLogprobs logprobs_;   // of the token drawn last
    bitnet_finish_reason reason_ = BITNET_FINISH_NONE;
    GenerationStep step_;
    std::string text_;
    std::vector<bitnet_token> tokens_;
    std::vector<uint64_t> token_us_;
    size_t n_reused_ = 0, n_steps_ = 0;
    uint64_t prefill_us_ = 0, decode_us_ = 0;
    uint64_t sampling_us_ = 0, detokenize_us_ = 0;  // of the step that runs
};

}  // namespace bitnet
