// Makes a sequence hold exactly given tokens, computing only what it does not hold yet.
#pragma once

#include <cstddef>
#include <span>

#include "bitnet.h"
#include "src/base/deadline.h"
#include "src/context/context.h"

namespace bitnet {

// Keeps the longest common prefix, forgets the rest of the sequence and decodes what is missing, at least the last token,
// whose logits are then those of the context's last decode. Prompts longer than n_batch are decoded in parts. Returns the
// number of tokens that were kept. Throws as Context::decode, BITNET_E_ARGUMENT for no tokens; the sequence is then as
// before, except that where old and new tokens do not fit side by side the forgotten ones stay forgotten.
size_t prefill_sequence(Context& context, bitnet_seq_id id, std::span<const bitnet_token> tokens,
                        const Deadline& caller_deadline = {});

// For a prompt that is computed in parts: keeps the longest common prefix, all but the last token at most, and forgets the
// rest of the sequence. Returns how many tokens are kept. Throws BITNET_E_KV_FULL, with the sequence unchanged, where the
// other tokens do not fit beside n_promised cells that others will take.
size_t keep_prefix(Context& context, bitnet_seq_id id, std::span<const bitnet_token> tokens, size_t n_promised);
// Goes on with one: throws as above unless the tokens behind the first n_kept fit.
void check_room(const Context& context, std::span<const bitnet_token> tokens, size_t n_kept, size_t n_promised);

// Forgets the tokens at positions [p0, p1) (negative: from the start, to the end), moves the later ones down and computes
// them anew, so the sequence is what it would be had it never held them. Returns how many were computed; 0 when nothing
// was forgotten or nothing is left. Throws as prefill_sequence.
size_t shift_sequence(Context& context, bitnet_seq_id id, bitnet_pos p0, bitnet_pos p1);

}  // namespace bitnet
