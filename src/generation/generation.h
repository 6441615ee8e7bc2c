// One text in the making: runs a prompt, then draws one token per step until something ends it. What bitnet.h says of
// bitnet_generation is implemented here and, for several at once, in generation_batch.h. Uses its context on the caller's
// thread; one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet.h"
#include "src/base/deadline.h"
#include "src/context/context.h"
#include "src/generation/generation_draft.h"
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
    int32_t n_draft = 0;     // tokens guessed ahead, up to DecodedAhead::kMost; 0: none
};

// What one step brought. The text may lag behind the tokens: it is held back while it may be part of a stop sequence.
struct GenerationStep {
    std::string text;
    bitnet_token token = -1;  // -1: the step brought none
    uint64_t token_us = 0;
    // Why a step in a batch failed for this generation; a step alone throws.
    bitnet_status status = BITNET_OK;
    std::string error;  // may be "" where memory is short
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

    // A step in its parts, for many generations at once: begin_step; where it is true and no token waits, one of the plans
    // says what to compute; computed after each decode of some of that, draw with the logits of the last; end_step. If a
    // decode fails, the step may simply begin again: what ends the text is only noted until end_step.
    // What a plan, computed, draw or end_step throws concerns this generation alone, which is as before; tell it to fail().

    // False after the end.
    bool begin_step() noexcept;
    // A token is drawn already, in a step that then failed.
    bool waits() const noexcept { return drawn_ >= 0; }
    // Nothing has ended it or failed in this step so far.
    bool goes_on() const noexcept {
        return reason_ == BITNET_FINISH_NONE && ending_ == BITNET_FINISH_NONE && step_.status == BITNET_OK;
    }
    bool in_prompt() const noexcept { return n_computed_ < prompt_.size(); }
    // Within the prompt: what is still to be computed, all of which fits beside n_promised cells. Ask goes_on() after it.
    std::span<const bitnet_token> plan_prompt(Context& context, size_t n_promised);
    // Behind it: the token to compute, where n_free cells are left for it. Ask goes_on() after it.
    const bitnet_token& plan_token(Context& context, size_t n_free);
    // Behind the prompt: a right guess has already computed what plan_token says, and Context::follow_ahead takes ahead().
    bool follows(const Context& context) const noexcept {
        return draft_ && !tokens_.empty() && context.can_follow(draft_->ahead(), tokens_.back());
    }
    DecodedAhead& ahead() noexcept { return draft_->ahead(); }
    // Behind it, where it does not follow: guesses at most n tokens behind that of plan_token and says how many; ahead() has
    // them. Always asked before that token is decoded, because it forgets older guesses. Tell count_guesses what became of them.
    size_t guess(size_t n) noexcept;
    void count_guesses(bool decoded) noexcept { draft_->count(decoded); }
    // The sequence has n more tokens; us of the step went by until then. log: what kernels ran, where record() is kept.
    void computed(Context& context, size_t n, uint64_t us, const KernelLog& log);
    // Draws from the logits of a batch entry of the last decode.
    void draw(Context& context, int32_t index);
    // Turns the token that was drawn, if there is one, into text, or ends the text.
    void end_step(const Tokenizer& tokenizer);
    // The step took so long; not for one that failed.
    void count_step(uint64_t us, PerformanceCounters& performance);
    void fail(bitnet_status status, std::string_view message) noexcept;

    const GenerationStep& last_step() const noexcept { return step_; }
    bool failed() const noexcept { return step_.status != BITNET_OK; }
    bitnet_seq_id sequence() const noexcept { return id_; }
    std::span<const bitnet_token> prompt_left() const noexcept { return std::span(prompt_).subspan(n_computed_); }
    // Parts of the step's time.
    uint64_t sampling_us() const noexcept { return sampling_us_; }
    uint64_t detokenize_us() const noexcept { return detokenize_us_; }

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
    size_t n_drafted() const noexcept { return draft_ ? draft_->n_drafted() : 0; }
    size_t n_accepted() const noexcept { return draft_ ? draft_->n_accepted() : 0; }
    uint64_t prefill_us() const noexcept { return prefill_us_; }
    uint64_t decode_us() const noexcept { return decode_us_; }
    uint64_t seed() const noexcept { return sampler_.seed(); }
    const std::vector<bitnet_token>& prompt() const noexcept { return prompt_; }
    const GenerationConfig& config() const noexcept { return config_; }
    // Null unless config().record.
    const RunRecord* record() const noexcept { return record_ ? &*record_ : nullptr; }

private:
    bool advance(Context& context);
    void prefill(Context& context);
    void check_adapters(const Context& context) const;
    void decode(Context& context, bitnet_token certain);
    bool length_reached() const noexcept;
    void count_prompt(uint64_t us) noexcept;
    void note_logprobs(const float* logits, size_t n_vocab) noexcept;
    void take(bitnet_token token, const Tokenizer& tokenizer);
    void finish(bitnet_finish_reason reason);

    const bitnet_seq_id id_;
    const std::vector<bitnet_token> prompt_;
    const GenerationConfig config_;
    Sampler sampler_;
    std::vector<bitnet_token> also_;  // whose logits it needs besides the largest
    StopMatcher stops_;
    std::optional<RunRecord> record_;
    std::optional<GenerationDraft> draft_;  // with n_draft
    bool starts_text_;         // nothing was written yet that the first token would go on from
    bool begun_ = false;       // its prompt, and with it the sequence, is in use
    size_t n_computed_ = 0;    // of the prompt
    bitnet_token drawn_ = -1;  // drawn, but not yet taken
    TokenLogprobs logprobs_;   // of the token drawn last
    bitnet_finish_reason reason_ = BITNET_FINISH_NONE;
    bitnet_finish_reason ending_ = BITNET_FINISH_NONE;  // what reason_ becomes at the end of the step that runs
    GenerationStep step_;
    std::string text_;
    std::vector<bitnet_token> tokens_;
    std::vector<uint64_t> token_us_;
    size_t n_reused_ = 0, n_steps_ = 0;
    uint64_t prefill_us_ = 0, decode_us_ = 0;
    uint64_t untold_us_ = 0;                                        // of steps that brought no token yet
    uint64_t prompt_us_ = 0, sampling_us_ = 0, detokenize_us_ = 0;  // of the step that runs
};

}  // namespace bitnet
