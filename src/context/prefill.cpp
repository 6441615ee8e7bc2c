#include "src/context/prefill.h"

#include <algorithm>
#include <string>
#include <vector>

#include "src/base/error.h"

namespace bitnet {

namespace {

[[noreturn]] void throw_no_room(size_t n_tokens, size_t n_room) {
    throw Error(BITNET_E_KV_FULL, "the prompt has " + std::to_string(n_tokens) + " tokens, the context has room for " +
                                      std::to_string(n_room) +
                                      "; shorten it, remove a sequence or create the context with a larger n_ctx")
        .with_numbers(n_tokens, n_room);
}

// A gap in the positions ends what is kept: something was removed there which the later entries have seen.
int32_t common_prefix(const KvCache& cache, bitnet_seq_id id, std::span<const bitnet_token> tokens) {
    const size_t n_most = std::min(tokens.size() - 1, static_cast<size_t>(cache.n_cells()));
    return cache.n_leading(id, tokens.data(), static_cast<int32_t>(n_most));
}

size_t without(size_t n, size_t n_promised) { return n - std::min(n, n_promised); }

}  // namespace

size_t keep_prefix(Context& context, bitnet_seq_id id, std::span<const bitnet_token> tokens, size_t n_promised) {
    context.check_sequence(id);
    KvCache& cache = context.cache();
    const int32_t n_leading = common_prefix(cache, id, tokens);
    const size_t n_kept = static_cast<size_t>(n_leading);
    const Sequence tail = cache.detach(id, n_leading);
    const size_t n_room = without(static_cast<size_t>(cache.n_free() + cache.n_held_alone(tail)), n_promised);
    if (tokens.size() - n_kept > n_room) {
        cache.attach(id, tail);
        throw_no_room(tokens.size(), n_kept + n_room);
    }
    cache.release(tail);
    return n_kept;
}

void check_room(const Context& context, std::span<const bitnet_token> tokens, size_t n_kept, size_t n_promised) {
    const size_t n_room = without(static_cast<size_t>(context.cache().n_free()), n_promised);
    if (tokens.size() - n_kept > n_room) throw_no_room(tokens.size(), n_kept + n_room);
}

size_t prefill_sequence(Context& context, bitnet_seq_id id, std::span<const bitnet_token> tokens,
                        const Deadline& caller_deadline) {
    const Deadline deadline = context.limited(caller_deadline);  // one for all parts
    context.check_sequence(id);
    if (tokens.empty()) throw Error(BITNET_E_ARGUMENT, "there are no tokens to prefill; begin with the BOS token");
    KvCache& cache = context.cache();
    const int32_t n_leading = common_prefix(cache, id, tokens);
    const size_t n_kept = static_cast<size_t>(n_leading);
    const size_t n_new = tokens.size() - n_kept;
    const Sequence tail = cache.detach(id, n_leading);
    const size_t n_room = static_cast<size_t>(cache.n_free());
    bool held = true;
    if (n_new > n_room) {
        const size_t n_possible = n_room + static_cast<size_t>(cache.n_held_alone(tail));
        if (n_new > n_possible) {
            cache.attach(id, tail);
            throw_no_room(tokens.size(), n_kept + n_possible);
        }
        cache.release(tail);
        held = false;
    }
    const Context::Prompt prompt(context, static_cast<int64_t>(n_new));
    try {
        const size_t n_batch = static_cast<size_t>(context.config().n_batch);
        const std::vector<int8_t> no_output(std::min(n_batch, n_new), 0);
        for (size_t begin = n_kept; begin < tokens.size(); begin += n_batch) {
            const size_t n = std::min(n_batch, tokens.size() - begin);
            BatchView batch;
            batch.n_tokens = static_cast<int32_t>(n);
            batch.tokens = tokens.data() + begin;
            batch.seq_id = id;
            batch.want_output = begin + n < tokens.size() ? no_output.data() : nullptr;
            context.decode(batch, deadline);
        }
    } catch (...) {
        cache.truncate(id, n_leading);
        if (held) cache.attach(id, tail);
        throw;
    }
    if (held) cache.release(tail);
    context.performance().add_prompt(n_kept, tokens.size());
    return n_kept;
}

size_t shift_sequence(Context& context, bitnet_seq_id id, bitnet_pos p0, bitnet_pos p1) {
    context.check_sequence(id);
    std::vector<bitnet_token> tokens;
    const std::vector<KvCache::Entry> entries = context.cache().entries(id);
    tokens.reserve(entries.size());
    for (const KvCache::Entry& entry : entries) {
        if (entry.position < p0 || (p1 >= 0 && entry.position >= p1)) tokens.push_back(entry.token);
    }
    if (tokens.size() == entries.size()) return 0;
    if (tokens.empty()) {
        context.cache().truncate(id, 0);
        return 0;
    }
    return tokens.size() - prefill_sequence(context, id, tokens);
}

}  // namespace bitnet
