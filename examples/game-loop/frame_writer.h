// A text that is written in the time that frames have left: the part of this example to take into a game.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bitnet.h"
#include "game_clock.h"

class FrameWriter {
public:
    // The writer and its context belong to one thread, the game's; all work is done inside advance, on that thread.
    // Throws std::runtime_error with the library's sentence, as all its functions do.
    FrameWriter(bitnet_model* model, const bitnet_sampler_params& sampler);
    ~FrameWriter();
    FrameWriter(const FrameWriter&) = delete;
    FrameWriter& operator=(const FrameWriter&) = delete;

    // Forgets the text so far and begins another one. Costs microseconds; the prompt is read in the frames that follow.
    void begin(const std::string& prompt);
    // Works for about budget_us and returns the text that came of it, whole UTF-8 characters, often none.
    std::string advance(GameClock& clock, uint64_t budget_us);
    // The model ended the text, or it is as long as the context. advance does nothing until the next begin.
    bool ended() const { return state_ == State::ended; }
    uint64_t n_tokens() const { return n_tokens_; }

private:
    enum class State { ended, computing, choosing };
    void begin_decode(const bitnet_token* tokens, size_t n_tokens);
    void choose(std::string& text);

    bitnet_context* context_ = nullptr;
    bitnet_sampler* sampler_ = nullptr;
    const bitnet_tokenizer* tokenizer_ = nullptr;
    State state_ = State::ended;
    std::string held_;          // bytes of a character that the next tokens complete
    uint64_t n_tokens_ = 0;     // written, of all texts
    uint64_t choice_us_ = 100;  // what choosing a token takes: the longest lately
};
