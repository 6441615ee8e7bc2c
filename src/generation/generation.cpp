#include "src/generation/generation.h"

#include <algorithm>
#include <array>
#include <new>
#include <span>
#include <utility>

#include "src/base/error.h"
#include "src/base/stopwatch.h"
#include "src/context/prefill.h"
#include "src/grammar/grammar_filter.h"
#include "src/sampler/logits_math.h"

namespace bitnet {

Generation::Generation(const Context& context, const Tokenizer& tokenizer, bitnet_seq_id id,
                       std::vector<bitnet_token> prompt, GenerationConfig config)
    : id_(id), prompt_(std::move(prompt)), config_(std::move(config)), sampler_(config_.sampler),
      stops_(config_.stop_sequences) {
    context.check_sequence(id);
    if (config_.max_new_tokens < -1) {
        throw Error(BITNET_E_CONFIG,
                    "max_new_tokens = " + std::to_string(config_.max_new_tokens) + " is below -1; use -1 for no limit")
            .with_subject("max_new_tokens");
    }
    if (config_.n_logprobs < 0 || config_.n_logprobs > kMostLogprobs) {
        throw Error(BITNET_E_CONFIG, "n_logprobs = " + std::to_string(config_.n_logprobs) +
                                         "; it must be between 0 (none) and " + std::to_string(kMostLogprobs))
            .with_subject("n_logprobs");
    }
    if (config_.n_draft < 0 || config_.n_draft > DecodedAhead::kMost) {
        throw Error(BITNET_E_CONFIG, "n_draft = " + std::to_string(config_.n_draft) +
                                         "; it must be between 0 (no guesses) and " +
                                         std::to_string(DecodedAhead::kMost))
            .with_subject("n_draft");
    }
    if (prompt_.empty()) {
        throw Error(BITNET_E_ARGUMENT,
                    "the prompt has no tokens and the model no BOS token to start from; give a text");
    }
    const int32_t n_ctx = context.config().n_ctx;
    if (prompt_.size() > static_cast<size_t>(n_ctx)) {
        throw Error(BITNET_E_KV_FULL, "the prompt has " + std::to_string(prompt_.size()) +
                                          " tokens, the context holds " + std::to_string(n_ctx) +
                                          "; shorten it or create the context with a larger n_ctx")
            .with_numbers(static_cast<uint64_t>(n_ctx), prompt_.size());
    }
    for (const bitnet_token token : prompt_) {
        if (token < 0 || token >= context.model().hparams.n_vocab) {
            throw Error(BITNET_E_TOKEN, "the prompt's token " + std::to_string(token) +
                                            " is outside the vocabulary of " +
                                            std::to_string(context.model().hparams.n_vocab));
        }
        sampler_.accept(token);
    }
    starts_text_ = tokenizer.attribute(prompt_.back()) == BITNET_TOKEN_CONTROL;
    if (config_.grammar != nullptr) {
        if (config_.record) {
            throw Error(BITNET_E_UNSUPPORTED,
                        "a receipt names no grammar, so nobody could replay this text; generate it "
                        "without the receipt or without the grammar")
                .with_subject("grammar");
        }
        if (config_.grammar->tokenizer().n_vocab() != tokenizer.n_vocab()) {
            throw Error(BITNET_E_CONFIG, "the grammar was made for a vocabulary of " +
                                             std::to_string(config_.grammar->tokenizer().n_vocab()) +
                                             " tokens, the model's has " + std::to_string(tokenizer.n_vocab()) +
                                             "; make it with the model's tokenizer")
                .with_subject("grammar");
        }
        sampler_.set_filter(std::make_unique<GrammarFilter>(config_.grammar));
        starts_text_ = false;  // the grammar sees each byte of the text, a space at its beginning included
    }
    // Room for all tokens now: a token that was drawn must not get lost for want of memory.
    const size_t n_room = static_cast<size_t>(n_ctx) + 1;
    const size_t n_most = config_.max_new_tokens < 0 ? n_room : static_cast<size_t>(config_.max_new_tokens);
    tokens_.reserve(std::min(n_most, n_room));
    token_us_.reserve(std::min(n_most, n_room));
    if (config_.n_draft > 0) {
        draft_.emplace(id_, prompt_.size() + std::min(n_most, n_room), config_.n_draft);
        for (const bitnet_token token : prompt_) draft_->add(token);
    }
    if (config_.record) {
        record_.emplace();
        record_->n_threads = context.config().n_threads;
        record_->drawn.reserve(std::min(n_most, n_room));
        record_->logits.reserve(std::min(n_most, n_room));
    }
    logprobs_.top.resize(static_cast<size_t>(std::min<int64_t>(config_.n_logprobs, context.model().hparams.n_vocab)));
}

bool Generation::begin_step() noexcept {
    step_.text.clear();
    step_.token = -1;
    step_.token_us = 0;
    step_.status = BITNET_OK;
    step_.error.clear();
    ending_ = BITNET_FINISH_NONE;
    prompt_us_ = sampling_us_ = detokenize_us_ = 0;
    return reason_ == BITNET_FINISH_NONE;
}

void Generation::check_adapters(const Context& context) const {
    if (!record_ || context.adapters().tag(id_) == 0) return;
    throw Error(BITNET_E_UNSUPPORTED, "sequence " + std::to_string(id_) +
                                          " runs with adapters, which a receipt cannot state; generate without a "
                                          "receipt, or remove the tokens and the adapters");
}

bool Generation::length_reached() const noexcept {
    return config_.max_new_tokens >= 0 && tokens_.size() >= static_cast<size_t>(config_.max_new_tokens);
}

std::span<const bitnet_token> Generation::plan_prompt(Context& context, size_t n_promised) {
    check_adapters(context);
    if (config_.deadline.passed()) {
        ending_ = BITNET_FINISH_DEADLINE;
        return {};
    }
    // What others did to the sequence since the last part is found out here, and computed again.
    if (begun_ && static_cast<size_t>(context.cache().end(id_)) == n_computed_) {
        check_room(context, prompt_, n_computed_, n_promised);
    } else {
        n_computed_ = keep_prefix(context, id_, prompt_, n_promised);
        if (!begun_) n_reused_ = n_computed_;
        begun_ = true;
    }
    return prompt_left();
}

const bitnet_token& Generation::plan_token(Context& context, size_t n_free) {
    check_adapters(context);
    if (length_reached()) {  // no token was wanted, and a failure came between the prompt and its end
        ending_ = BITNET_FINISH_LENGTH;
        return prompt_.back();
    }
    if (n_free == 0) {
        ending_ = BITNET_FINISH_CONTEXT_FULL;
    } else if (config_.deadline.passed()) {
        ending_ = BITNET_FINISH_DEADLINE;
    } else if (static_cast<size_t>(std::as_const(context).cache().end(id_)) != prompt_.size() + tokens_.size() - 1) {
        throw Error(BITNET_E_STATE, "sequence " + std::to_string(id_) +
                                        " was changed while a text is generated on it; "
                                        "give each generation a sequence of its own");
    }
    return tokens_.back();
}

void Generation::count_prompt(uint64_t us) noexcept {
    prefill_us_ += us - prompt_us_;
    prompt_us_ = us;
}

void Generation::computed(Context& context, size_t n, uint64_t us, const KernelLog& log) {
    if (record_) {
        try {
            record_->kernels.add(log);
        } catch (...) {  // the kernels are not known: it did not happen
            context.cache().truncate(id_, context.cache().size(id_) - static_cast<int32_t>(n));
            throw;
        }
    }
    if (!in_prompt()) {
        ++n_steps_;
        return;
    }
    n_computed_ += n;
    count_prompt(us);
    if (!in_prompt()) context.performance().add_prompt(n_reused_, prompt_.size());
}

// The prompt at once: unlike its parts, a failure leaves the sequence as it was.
void Generation::prefill(Context& context) {
    const Stopwatch time;
    const size_t n_kept = prefill_sequence(context, id_, prompt_, config_.deadline);
    if (!begun_) n_reused_ = n_kept;
    begun_ = true;
    n_computed_ = prompt_.size();
    count_prompt(time.us());
}

// Brings the context to the logits of the next token; false when something ended the text instead.
bool Generation::advance(Context& context) {
    check_adapters(context);
    const Context::LogScope log(context, record_ ? &record_->kernels : nullptr);
    try {
        if (in_prompt()) {
            prefill(context);
            return true;
        }
        const bitnet_token& token = plan_token(context, static_cast<size_t>(std::as_const(context).cache().n_free()));
        if (!goes_on()) return false;
        decode(context, token);
        ++n_steps_;
        return true;
    } catch (const Error& error) {
        if (error.status() != BITNET_E_CANCELLED && error.status() != BITNET_E_TIMEOUT) throw;
        ending_ = error.status() == BITNET_E_TIMEOUT ? BITNET_FINISH_DEADLINE : BITNET_FINISH_CANCELLED;
        return false;
    }
}

// Computes the token, or follows the right guess that has done so, or guesses behind it. Every step draws from its own logits
// as without guesses, so a guess saves a pass where it was right and changes nothing where it was not.
void Generation::decode(Context& context, bitnet_token certain) {
    if (follows(context)) {
        DecodedAhead* const ahead = &draft_->ahead();
        context.follow_ahead({&ahead, 1}, config_.deadline);
        return;
    }
    std::array<bitnet_token, DecodedAhead::kMost + 1> tokens{certain};
    std::array<int8_t, DecodedAhead::kMost + 1> all;
    all.fill(1);
    BatchView batch;
    batch.n_tokens = 1;
    batch.tokens = tokens.data();
    batch.seq_id = id_;
    batch.want_output = all.data();
    if (const size_t n = guess(room_for_guesses(context, 1)); n > 0) {
        DecodedAhead* const ahead = &draft_->ahead();
        std::copy_n(ahead->tokens.begin(), n, tokens.begin() + 1);
        batch.n_tokens += ahead->n;
        const bool decoded = decode_guesses(context, batch, {&ahead, 1}, config_.deadline);
        draft_->count(decoded);
        if (decoded) return;
        batch.n_tokens = 1;
    }
    context.decode(batch, config_.deadline);
}

size_t Generation::guess(size_t n) noexcept {
    if (!draft_) return 0;
    for (size_t i = draft_->n_known() - prompt_.size(); i < tokens_.size(); ++i) draft_->add(tokens_[i]);
    // What the certain token gives is drawn in any case.
    if (config_.max_new_tokens >= 0) n = std::min(n, static_cast<size_t>(config_.max_new_tokens) - tokens_.size() - 1);
    return draft_->guess(n);
}

const GenerationStep& Generation::next(Context& context, const Tokenizer& tokenizer) {
    if (!begin_step()) return step_;
    const Stopwatch time;
    PerformanceCounters& performance = context.performance();
    const uint64_t forward_before = performance.forward_us();
    if (waits() || advance(context)) draw(context, -1);
    end_step(tokenizer);
    const uint64_t us = time.us();
    const uint64_t forward_us = performance.forward_us() - std::min(forward_before, performance.forward_us());
    performance.add_step(us - std::min(us, forward_us), sampling_us_, detokenize_us_);
    count_step(us, performance);
    return step_;
}

void Generation::count_step(uint64_t us, PerformanceCounters& performance) {
    if (goes_on() && step_.token < 0 && prompt_us_ == 0) return;  // its prompt waited for its turn
    decode_us_ += us - std::min(us, prompt_us_);
    untold_us_ += us;
    if (step_.token >= 0) {
        step_.token_us = std::exchange(untold_us_, 0);
        token_us_.push_back(step_.token_us);
        performance.count_detokenized();
        performance.count_token();
        tokens_.size() == 1 ? performance.add_first_token(step_.token_us) : performance.add_other_token(step_.token_us);
    }
    if (reason_ != BITNET_FINISH_NONE) performance.count_inference();
}

void Generation::draw(Context& context, int32_t index) {
    if (waits()) return;
    if (length_reached()) {
        ending_ = BITNET_FINISH_LENGTH;
        return;
    }
    try {
        size_t k = 0;
        const bool top = !record_ && config_.n_logprobs == 0 && sampler_.needs_only_top(&k, &also_);
        const size_t n_vocab = static_cast<size_t>(context.model().hparams.n_vocab);
        const LogitRow row = top ? context.top_logits(index, k, also_) : LogitRow(context.logits(index), n_vocab);
        if (record_) record_->logits.push_back(logits_digest(row.logits, n_vocab));
        const Stopwatch time;
        drawn_ = sampler_.sample(row);
        sampling_us_ = time.us();
        context.performance().count_sampled();
        if (record_) record_->drawn.push_back(drawn_);
        if (config_.n_logprobs > 0) note_logprobs(row.logits, n_vocab);
        if (draft_) draft_->compare(drawn_);
    } catch (...) {
        if (record_) record_->logits.resize(record_->drawn.size());
        // The logits may be another's when this is tried again: back to before the last token, which gives them anew.
        context.cache().truncate(id_, context.cache().size(id_) - 1);
        if (tokens_.empty()) --n_computed_;
        throw;
    }
}

void Generation::end_step(const Tokenizer& tokenizer) {
    if (ending_ != BITNET_FINISH_NONE) {
        finish(ending_);
    } else if (waits() && tokenizer.is_end(drawn_)) {
        finish(BITNET_FINISH_END);
    } else if (waits()) {
        const Stopwatch time;
        take(drawn_, tokenizer);
        detokenize_us_ = time.us();
    }
}

void Generation::fail(bitnet_status status, std::string_view message) noexcept {
    step_.status = status;
    try {
        step_.error = message;
    } catch (...) {
        step_.error.clear();
    }
}

void Generation::note_logprobs(const float* logits, size_t n_vocab) noexcept {
    const LogSoftmax log_softmax(logits, n_vocab);
    logprobs_.logprob = log_softmax.logprob(drawn_);
    log_softmax.top(logprobs_.top.data(), logprobs_.top.size());
}

void Generation::take(bitnet_token token, const Tokenizer& tokenizer) {
    const bool control = tokenizer.attribute(token) == BITNET_TOKEN_CONTROL;
    const uint32_t flags = (config_.skip_special_tokens ? 0u : uint32_t{BITNET_DECODE_SPECIAL}) |
                           (starts_text_ ? uint32_t{BITNET_DECODE_START} : 0u);
    const std::string piece = tokenizer.decode(std::span(&token, 1), flags);
    const size_t n_most = text_.size() + piece.size() + StopMatcher::kMaxStopBytes + 8;
    if (n_most > text_.capacity()) text_.reserve(std::max(n_most, 2 * text_.capacity()));
    const bool stopped = stops_.feed(piece, step_.text);
    text_ += step_.text;
    tokens_.push_back(token);
    step_.token = token;
    drawn_ = -1;
    if (!control) starts_text_ = false;
    if (stopped) {
        reason_ = BITNET_FINISH_STOP_SEQUENCE;
    } else if (length_reached()) {
        finish(BITNET_FINISH_LENGTH);
    }
}

void Generation::finish(bitnet_finish_reason reason) {
    std::string rest;
    stops_.flush(rest);
    step_.text += rest;
    text_ += rest;
    reason_ = reason;
}

void Generation::cancel() {
    if (reason_ != BITNET_FINISH_NONE) return;
    step_.text.clear();
    finish(BITNET_FINISH_CANCELLED);
}

}  // namespace bitnet
