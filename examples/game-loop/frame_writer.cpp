// The writer of frame_writer.h: a decode in pieces (bitnet_context_step), and a token when it is through.
#include "frame_writer.h"

#include <algorithm>
#include <stdexcept>

namespace {

void check(bitnet_status status) {
    if (status != BITNET_OK) throw std::runtime_error(bitnet_last_error());
}

}  // namespace

FrameWriter::FrameWriter(bitnet_model* model, const bitnet_sampler_params& sampler)
    : tokenizer_(bitnet_model_get_tokenizer(model)) {
    if (tokenizer_ == nullptr) throw std::runtime_error("the model has no tokenizer");
    bitnet_context_params params = bitnet_context_default_params();
    params.n_threads = 1;  // all work on the calling thread: other cores stay the game's
    check(bitnet_context_create(model, &params, &context_));
    const bitnet_status status = bitnet_sampler_create(&sampler, &sampler_);
    if (status != BITNET_OK) {
        bitnet_context_free(context_);
        check(status);
    }
}

FrameWriter::~FrameWriter() {
    bitnet_sampler_free(sampler_);
    bitnet_context_free(context_);
}

void FrameWriter::begin(const std::string& prompt) {
    bitnet_context_decode_abandon(context_);
    check(bitnet_sequence_remove(context_, 0, -1, -1));
    held_.clear();
    std::vector<bitnet_token> tokens(prompt.size() + 1);  // a byte is a token at most, and there is BOS
    size_t n = 0;
    check(bitnet_tokenizer_encode(tokenizer_, prompt.data(), prompt.size(), BITNET_ENCODE_ADD_BOS, tokens.data(),
                                  tokens.size(), &n));
    begin_decode(tokens.data(), n);
}

void FrameWriter::begin_decode(const bitnet_token* tokens, size_t n_tokens) {
    bitnet_batch batch = {};
    batch.struct_size = sizeof batch;
    batch.n_tokens = static_cast<int32_t>(n_tokens);
    batch.tokens = tokens;
    const bitnet_status status = bitnet_context_decode_begin(context_, &batch);
    if (status == BITNET_E_KV_FULL) {
        state_ = State::ended;
        return;
    }
    check(status);
    state_ = State::computing;
}

std::string FrameWriter::advance(GameClock& clock, uint64_t budget_us) {
    std::string text;
    const uint64_t until = clock.now_us() + budget_us;
    for (bool first = true; state_ != State::ended; first = false) {
        const uint64_t now = clock.now_us();
        // A step keeps to its budget by itself. Choosing a token cannot be cut, so it waits for the next frame where it
        // does not fit, but not forever: what comes first in a frame is always done.
        const uint64_t needed = state_ == State::choosing ? choice_us_ : 1;
        if (!first && now + needed > until) break;
        if (state_ == State::computing) {
            int32_t done = 0;
            check(bitnet_context_step(context_, clock.step_budget_us(until > now ? until - now : 0), &done));
            clock.count_piece();
            if (done) state_ = State::choosing;
        } else {
            choose(text);
            clock.count_piece();
            choice_us_ = std::max(clock.now_us() - now, choice_us_ - choice_us_ / 8);  // forgets a hiccup in time
        }
    }
    return text;
}

void FrameWriter::choose(std::string& text) {
    bitnet_token token = 0;
    check(bitnet_sampler_sample_context(sampler_, context_, -1, &token));
    if (bitnet_tokenizer_is_end(tokenizer_, token)) {
        state_ = State::ended;
        return;
    }
    char piece[256];
    size_t n_bytes = 0;
    check(bitnet_tokenizer_decode(tokenizer_, &token, 1, 0, piece, sizeof piece, &n_bytes));
    held_.append(piece, n_bytes);
    const size_t whole = bitnet_utf8_complete_prefix(held_.data(), held_.size());
    text.append(held_, 0, whole);
    held_.erase(0, whole);
    n_tokens_++;
    begin_decode(&token, 1);
}
