// A pass over tokens outside of the sequences: what bitnet_context_forward takes, and its mask as the lists of cells that
// attention reads.
#pragma once

#include <cstdint>
#include <vector>

#include "bitnet.h"
#include "ggml-like/arena.h"

namespace bitnet {

// The plain form of bitnet_forward_input.
struct ForwardView {
    int32_t n_tokens = 0;
    const bitnet_token* tokens = nullptr;
    const bitnet_pos* positions = nullptr;  // null: 0, 1, 2, ...
    const uint8_t* mask = nullptr;          // null: causal
    const int8_t* want_output = nullptr;    // null: all
    bool hidden = false;                    // hidden states instead of logits

    int32_t n_outputs() const noexcept;
};

// Who sees whom. Token i lies in cells[i]; each list is in order of position, equal ones of index, so that a mask gives the
// bits of the sequence it describes.
class AttentionMask {
public:
    // sliding_window: as for BatchSplit, reaching back only: a token sees later ones as the mask says.
    // Throws BITNET_E_ARGUMENT for a negative position or a token that sees nothing, tg::Error(out_of_memory). cells must
    // live as long as the mask.
    AttentionMask(const ForwardView& view, const int32_t* cells, int64_t sliding_window = 0);

    const std::vector<bitnet_pos>& positions() const noexcept { return positions_; }
    const std::vector<const int32_t*>& visible() const noexcept { return visible_; }
    const std::vector<int32_t>& n_visible() const noexcept { return n_visible_; }
    const std::vector<int32_t>& n_outside() const noexcept { return n_outside_; }

private:
    std::vector<bitnet_pos> positions_;
    std::vector<const int32_t*> visible_;
    std::vector<int32_t> n_visible_, n_outside_;
    tg::Arena lists_;  // one behind the other; none where all lists are beginnings of cells
};

}  // namespace bitnet
