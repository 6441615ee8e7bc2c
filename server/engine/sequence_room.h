// The sequences and cells of an engine's context: gives a text a sequence once all cells that it may ever need are there, so
// that no running text meets a full cache; keeps the sequences of finished texts as long as nobody needs their room. The
// engine's thread only.
#pragma once

#include <vector>

#include "server/engine/engine_text.h"
#include "server/engine/prefix_cache.h"

namespace serve {

class SequenceRoom {
public:
    // Sequences 0 .. n_sequences - 1 of the context are its own; of those, n_cached may hold finished texts.
    SequenceRoom(bitnet_context* context, int32_t n_sequences, int32_t n_cached);

    // Gives the text a sequence that holds as much of its prompt as the cache or a running text has, and sets sequence and
    // reused. Or, where a running text is about to compute a prompt that has much in common with it, reserves its cells and
    // sets source and shared: begin it with start() when that is done. False when it has to wait.
    bool admit(EngineText& text, const std::vector<TextHandle>& running);
    // Gives a text that waited for another one its sequence. False while that one is not so far.
    bool start(EngineText& text, const std::vector<TextHandle>& running);
    // Takes the sequence back; keep: what it holds may be used again by the same tenant.
    void release(EngineText& text, bool keep);

    int32_t n_cached() const { return static_cast<int32_t>(cache_.size()); }
    int32_t n_free_cells() const { return bitnet_context_get_n_free(context_); }

private:
    bitnet_seq_id take_sequence();
    void free_sequence(bitnet_seq_id sequence);
    // Makes the text's sequence, from the best there is.
    void fork(EngineText& text, const std::vector<TextHandle>& running);
    // Evicts until need cells are free besides those that running texts may still take.
    bool make_room(size_t need, const std::vector<TextHandle>& running);

    bitnet_context* const context_;
    const size_t n_cells_;
    const size_t n_cached_;
    std::vector<bitnet_seq_id> free_;
    PrefixCache cache_;
};

}  // namespace serve
