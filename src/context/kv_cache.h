// Keys and values of all sequences: one row of each per cell and layer. Who holds which cell is the tree's business; nothing
// here knows what is in a cell.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "bitnet.h"
#include "ggml-like/backend.h"
#include "src/context/sequence_tree.h"

namespace bitnet {

class KvCache : public SequenceTree {
public:
    // row_width: values a token has per layer, n_head_kv * head_dim. Throws Error, tg::Error(out_of_memory).
    KvCache(tg::Backend& backend, int64_t n_layer, int64_t row_width, int32_t n_cells, int32_t n_seq);
    // What a cache of this size takes, keys, values and the lists of who holds them. Throws Error where that is beyond any
    // memory.
    static uint64_t bytes_needed(int64_t n_layer, int64_t row_width, int32_t n_cells, int32_t n_seq);

    uint64_t bytes() const noexcept { return buffer_->size() + SequenceTree::bytes(); }
    const std::vector<tg::KvLayer>& layers() const noexcept { return layers_; }
    int64_t row_width() const noexcept { return row_width_; }

private:
    const int64_t row_width_;
    std::unique_ptr<tg::Buffer> buffer_;
    std::vector<tg::KvLayer> layers_;
};

}  // namespace bitnet
