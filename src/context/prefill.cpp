#include "src/context/prefill.h"

#include <algorithm>
#include <string>
#include <vector>

#include "src/base/error.h"

namespace bitnet {

size_t common_prefix(const Sequence& sequence, std::span<const bitnet_token> tokens, size_t limit) {
    const size_t most = std::min({sequence.tokens.size(), tokens.size(), limit});
    size_t n = 0;
    // A gap in the positions means that something was removed which the later entries have seen.
    while (n < most && sequence.tokens[n] == tokens[n] && sequence.positions[n] == static_cast<bitnet_pos>(n)) ++n;
    return n;
}

size_t prefill_sequence(Context& context, bitnet_seq_id id, std::span<const bitnet_token> tokens,
                        const Deadline& deadline) {
    context.check_sequence(id);
    if (tokens.empty()) throw Error(BITNET_E_ARGUMENT, "there are no tokens to prefill; begin with the BOS token");
    KvCache& cache = context.cache();
    const size_t n_kept = common_prefix(cache.sequence(id), tokens, tokens.size() - 1);
    const size_t n_new = tokens.size() - n_kept;
    Sequence tail = cache.detach(id, n_kept);
    const size_t n_room = static_cast<size_t>(cache.n_free());
    bool held = true;
    if (n_new > n_room) {
        const size_t n_most = n_room + static_cast<size_t>(cache.n_held_alone(tail));
        if (n_new > n_most) {
            cache.attach(id, tail);
            const size_t room = n_kept + n_most;
            throw Error(BITNET_E_KV_FULL,
                        "the prompt has " + std::to_string(tokens.size()) + " tokens, the context has room for " +
                            std::to_string(room) +
                            "; shorten it, remove a sequence or create the context with a larger n_ctx")
                .with_numbers(tokens.size(), room);
        }
        cache.release(tail);
        held = false;
    }
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
        cache.truncate(id, n_kept);
        if (held) cache.attach(id, tail);
        throw;
    }
    if (held) cache.release(tail);
    return n_kept;
}

}  // namespace bitnet
