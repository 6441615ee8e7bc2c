// Decoding tokens that may not come up: Context::decode_ahead and follow_ahead. Between the two the sequences are as if only
// the tokens that are certain had been decoded. The cells of the others are free then, but nothing writes to a free cell
// without touching the context, and following takes only those that it knows.
#include <algorithm>

#include "src/base/error.h"
#include "src/context/context.h"

namespace bitnet {

void Context::decode_ahead(const BatchView& batch, std::span<DecodedAhead* const> aheads, const Deadline& deadline) {
    require_no_steps();
    try {
        for (const DecodedAhead* ahead : aheads) n_guessed_ += ahead->n;
        counting_failures([&] { decode_batch(batch, deadline); });
    } catch (...) {
        n_guessed_ = 0;
        throw;
    }
    size_t first = static_cast<size_t>(batch.n_tokens - n_guessed_);
    n_guessed_ = 0;
    const size_t n_certain = first;
    for (DecodedAhead* ahead : aheads) {
        ahead->next = 0;
        ahead->row = output_of_token_[first];
        first += static_cast<size_t>(ahead->n);
        cache_.list_cells(cache_.sequence(ahead->id).last, ahead->n, -1, ahead->cells.data());
        cache_.truncate(ahead->id, cache_.size(ahead->id) - ahead->n);
        ahead->touched = touched_;
    }
    output_of_token_.resize(n_certain);
}

bool Context::can_follow(const DecodedAhead& ahead, bitnet_token token) const noexcept {
    return !ahead.empty() && ahead.touched == touched_ && ahead.tokens[static_cast<size_t>(ahead.next)] == token;
}

void Context::follow_ahead(std::span<DecodedAhead* const> aheads, const Deadline& deadline) {
    require_no_steps();
    deadline_ = limited(deadline);
    timed_out_ = false;
    if (should_stop()) throw_stopped();
    // The last decode looks as if it had ended with these of its outputs.
    output_of_token_.clear();
    for (DecodedAhead* ahead : aheads) {
        const size_t next = static_cast<size_t>(ahead->next);
        cache_.append(ahead->id, cache_.end(ahead->id), ahead->tokens[next], ahead->cells[next]);
        output_of_token_.push_back(ahead->row + ahead->next);  // has its room: the decode had more tokens
        ++ahead->next;
    }
    metrics_.decode_tokens += aheads.size();
}

}  // namespace bitnet
