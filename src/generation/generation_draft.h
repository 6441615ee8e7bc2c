// What one generation guesses ahead, and how that went: the same whether it is stepped alone or with others. A guess is decoded
// and taken back (Context::decode_ahead), so it decides nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bitnet.h"
#include "src/base/deadline.h"
#include "src/context/context.h"
#include "src/context/decode_ahead.h"
#include "src/generation/draft_lookup.h"

namespace bitnet {

class GenerationDraft {
public:
    // n_most: tokens that prompt and text will have at most.
    GenerationDraft(bitnet_seq_id id, size_t n_most, int32_t n_draft);
    // The prompt or the text has one more token.
    void add(bitnet_token token) noexcept { lookup_.add(token); }
    size_t n_known() const noexcept { return lookup_.size(); }
    // Guesses what follows all that was added, n_most tokens at most, and says how many it has: they are in ahead() then.
    size_t guess(size_t n_most) noexcept;
    // The guesses were decoded; ones that were not are forgotten.
    void count(bool decoded) noexcept;
    // The token was drawn where the next one ahead, if there is one, was guessed.
    void compare(bitnet_token drawn) noexcept;

    DecodedAhead& ahead() noexcept { return ahead_; }
    const DecodedAhead& ahead() const noexcept { return ahead_; }
    size_t n_drafted() const noexcept { return n_drafted_; }
    size_t n_accepted() const noexcept { return n_accepted_; }

private:
    DraftLookup lookup_;
    DraftLength length_;
    DecodedAhead ahead_;
    int32_t n_right_ = -1;  // of those ahead; -1: they were not decoded, or one was wrong and is counted
    size_t n_drafted_ = 0, n_accepted_ = 0;
};

// How many guesses fit into one pass with so many certain tokens: nobody's token has to wait or to fail for them.
size_t room_for_guesses(const Context& context, size_t n_certain) noexcept;

// Context::decode_ahead. False where that failed, and without guesses it might not: more outputs take more memory.
bool decode_guesses(Context& context, const BatchView& batch, std::span<DecodedAhead* const> aheads,
                    const Deadline& deadline);

}  // namespace bitnet
