#include "src/generation/generation_draft.h"

#include <algorithm>
#include <exception>

#include "src/base/error.h"

namespace bitnet {

GenerationDraft::GenerationDraft(bitnet_seq_id id, size_t n_most, int32_t n_draft) : lookup_(n_most), length_(n_draft) {
    ahead_.id = id;
}

size_t GenerationDraft::guess(size_t n_most) noexcept {
    // What was decoded and never compared, because something touched the context, was for nothing as well.
    if (!ahead_.empty() && n_right_ >= 0) length_.learn(ahead_.n, 0);
    ahead_.clear();
    n_right_ = -1;
    const size_t n = std::min(n_most, static_cast<size_t>(length_.next()));
    ahead_.n = static_cast<int32_t>(lookup_.guess(std::span(ahead_.tokens).first(n)));
    return static_cast<size_t>(ahead_.n);
}

void GenerationDraft::count(bool decoded) noexcept {
    if (!decoded) {
        length_.learn(ahead_.n, 0);  // fewer may fit
        ahead_.clear();
        return;
    }
    n_drafted_ += static_cast<size_t>(ahead_.n);
    n_right_ = 0;
}

void GenerationDraft::compare(bitnet_token drawn) noexcept {
    if (ahead_.empty() || n_right_ < 0) return;
    const bool right = drawn == ahead_.tokens[static_cast<size_t>(ahead_.next)];
    if (right) {
        ++n_right_;
        ++n_accepted_;
    }
    if (right && n_right_ < ahead_.n) return;
    length_.learn(ahead_.n, n_right_);
    n_right_ = -1;
}

size_t room_for_guesses(const Context& context, size_t n_certain) noexcept {
    const ContextConfig& config = context.config();
    const size_t n = static_cast<size_t>(std::min({config.n_batch, config.n_ubatch, context.cache_in_use().n_free()}));
    return n - std::min(n, n_certain);
}

bool decode_guesses(Context& context, const BatchView& batch, std::span<DecodedAhead* const> aheads,
                    const Deadline& deadline) {
    try {
        context.decode_ahead(batch, aheads, deadline);
        return true;
    } catch (const Error& error) {
        if (error.status() == BITNET_E_CANCELLED || error.status() == BITNET_E_TIMEOUT) throw;
    } catch (const std::exception&) {
    }
    return false;
}

}  // namespace bitnet
