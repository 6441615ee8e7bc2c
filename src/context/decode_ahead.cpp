// Decoding tokens that may not come up: Context::decode_ahead and follow_ahead. Between the two the sequences are as if only
// the certain token had been decoded. The cells of the others are free then, but nothing writes to a free cell without
// touching the context, and the tree hands them out again in the order in which they came back.
#include <algorithm>

#include "src/base/error.h"
#include "src/context/context.h"

namespace bitnet {

void Context::decode_ahead(const BatchView& batch, const Deadline& deadline, DecodedAhead& ahead) {
    ahead.clear();
    require_no_steps();
    const bitnet_seq_id id = batch.seq_id;
    n_certain_ = 1;
    try {
        counting_failures([&] { decode_batch(batch, deadline); });
    } catch (...) {
        n_certain_ = 0;
        throw;
    }
    n_certain_ = 0;
    const int32_t n = batch.n_tokens - 1;
    cache_.list_cells(cache_.sequence(id).last, n, -1, ahead.cells.data());
    std::copy(batch.tokens + 1, batch.tokens + 1 + n, ahead.tokens.begin());
    cache_.truncate(id, cache_.size(id) - n);
    show_output(0);
    ahead.id = id;
    ahead.n = n;
    ahead.touched = touched_;
}

bool Context::follow_ahead(DecodedAhead& ahead, bitnet_token token, const Deadline& deadline) {
    require_no_steps();
    if (ahead.empty() || ahead.touched != touched_) return false;
    const size_t next = static_cast<size_t>(ahead.next);
    if (ahead.tokens[next] != token || cache_.n_free() == 0) return false;
    deadline_ = limited(deadline);
    timed_out_ = false;
    if (should_stop()) throw_stopped();
    if (cache_.append(ahead.id, cache_.end(ahead.id), token) != ahead.cells[next]) {
        cache_.truncate(ahead.id, cache_.size(ahead.id) - 1);
        return false;
    }
    ++ahead.next;
    show_output(ahead.next);
    ++metrics_.decode_tokens;
    return true;
}

// The last decode looks as if it had ended with this one of its outputs.
void Context::show_output(int32_t row) { output_of_token_.assign(1, row); }

}  // namespace bitnet
