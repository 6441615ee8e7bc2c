// Cells are counted exactly: a text that runs may still take what it needs at most less what its sequence holds, shared cells
// included; whoever shares a cell keeps it alive.
#include "server/engine/sequence_room.h"

#include <algorithm>

namespace serve {

namespace {

// Waiting for another text's prompt pays from here on; below it computing is as quick.
constexpr size_t kWorthWaiting = 32;

size_t end_of(bitnet_context* context, const EngineText& text) {
    return text.sequence < 0 ? 0 : static_cast<size_t>(std::max(0, bitnet_sequence_get_end(context, text.sequence)));
}

}  // namespace

SequenceRoom::SequenceRoom(bitnet_context* context, int32_t n_sequences, int32_t n_cached)
    : context_(context), n_cells_(static_cast<size_t>(bitnet_context_get_n_ctx(context))),
      n_cached_(static_cast<size_t>(n_cached)) {
    for (bitnet_seq_id sequence = n_sequences; sequence-- > 0;) free_.push_back(sequence);
}

bool SequenceRoom::admit(EngineText& text, const std::vector<TextHandle>& running) {
    const auto in_common = [&](const EngineText& other) {
        return other.spec.tenant == text.spec.tenant ? common_prefix(other.spec.prompt, text.spec.prompt) : 0;
    };
    // What a running text will have computed soon, against what is there.
    size_t at_hand = 0;
    if (const auto hit = cache_.find(text.spec.tenant, text.spec.prompt)) at_hand = hit->n_tokens;
    const EngineText* source = nullptr;
    size_t soon = 0;
    for (const TextHandle& other : running) {
        const size_t n = in_common(*other), computed = std::min(n, end_of(context_, *other));
        at_hand = std::max(at_hand, computed);
        if (n <= soon || computed == n) continue;
        soon = n;
        source = other.get();
    }
    if (source && soon >= at_hand + kWorthWaiting) {
        if (!make_room(text.most_cells(), running)) return false;
        text.source = source->number;
        text.shared = soon;
        return true;
    }
    // Forked first, then counted: what is shared needs no cell, and cannot be evicted any more.
    fork(text, running);
    if (make_room(text.most_cells() - end_of(context_, text), running)) return true;
    free_sequence(text.sequence);
    text.sequence = -1;
    return false;
}

bool SequenceRoom::start(EngineText& text, const std::vector<TextHandle>& running) {
    for (const TextHandle& other : running)
        if (other->number == text.source && end_of(context_, *other) < text.shared) return false;
    fork(text, running);
    text.source = 0;
    return true;
}

void SequenceRoom::fork(EngineText& text, const std::vector<TextHandle>& running) {
    PrefixCache::Hit best;
    for (const TextHandle& other : running) {
        if (other.get() == &text || other->sequence < 0 || other->spec.tenant != text.spec.tenant) continue;
        const size_t n = std::min(common_prefix(other->spec.prompt, text.spec.prompt), end_of(context_, *other));
        if (n >= PrefixCache::kLeastTokens && n > best.n_tokens) best = {other->sequence, n};
    }
    if (const auto hit = cache_.find(text.spec.tenant, text.spec.prompt); hit && hit->n_tokens >= best.n_tokens)
        best = *hit;
    text.sequence = take_sequence();
    text.reused = 0;
    if (best.sequence < 0) return;
    // The last token is always computed: its logits are wanted. take_sequence() may have evicted what was found.
    const size_t n = std::min({best.n_tokens, text.spec.prompt.size() - 1,
                               static_cast<size_t>(std::max(0, bitnet_sequence_get_end(context_, best.sequence)))});
    if (best.sequence == text.sequence || n == 0) return;
    check(bitnet_sequence_copy(context_, best.sequence, text.sequence, 0, static_cast<bitnet_pos>(n)));
    text.reused = n;
}

bool SequenceRoom::make_room(size_t need, const std::vector<TextHandle>& running) {
    size_t promised = 0, held = 0;  // held: cells that running texts computed themselves; no two of them hold the same
    for (const TextHandle& other : running) {
        const size_t end = end_of(context_, *other);
        promised += other->most_cells() - std::min(end, other->most_cells());
        held += end - std::min(end, other->reused);
    }
    // Do not throw away what is cached where that cannot be enough.
    if (need + promised + held > n_cells_) return false;
    while (static_cast<size_t>(std::max(0, n_free_cells())) < need + promised) {
        const bitnet_seq_id evicted = cache_.evict();
        if (evicted < 0) return false;
        free_sequence(evicted);
    }
    return true;
}

bitnet_seq_id SequenceRoom::take_sequence() {
    if (free_.empty()) free_sequence(cache_.evict());
    const bitnet_seq_id sequence = free_.back();
    free_.pop_back();
    return sequence;
}

void SequenceRoom::free_sequence(bitnet_seq_id sequence) {
    if (sequence < 0) throw ApiError(ErrorCode::kInternal, "the engine has no sequence left");
    check(bitnet_sequence_remove(context_, sequence, -1, -1));
    free_.push_back(sequence);
}

void SequenceRoom::release(EngineText& text, bool keep) {
    const bitnet_seq_id sequence = text.sequence;
    text.generation.reset();
    text.sequence = -1;
    if (sequence < 0) return;
    size_t n = 0;
    std::vector<bitnet_token> tokens(static_cast<size_t>(std::max(0, bitnet_sequence_get_end(context_, sequence))));
    if (!keep || n_cached_ == 0 ||
        bitnet_sequence_get_tokens(context_, sequence, tokens.data(), tokens.size(), &n) != BITNET_OK) {
        free_sequence(sequence);
        return;
    }
    tokens.resize(n);
    for (const bitnet_seq_id freed : cache_.keep(sequence, text.spec.tenant, std::move(tokens))) free_sequence(freed);
    while (cache_.size() > n_cached_) free_sequence(cache_.evict());
}

}  // namespace serve
