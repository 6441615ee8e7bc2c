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

// What a token's keys and values take in each layer.
struct KvShape {
    int64_t n_layer = 0;
    int64_t n_head_kv = 0;
    int64_t head_dim = 0;
    kern::KvType k_type = kern::KvType::f16;
    kern::KvType v_type = kern::KvType::f16;

    // Of a cell in one layer.
    int64_t k_bytes() const noexcept { return n_head_kv * kern::kv_head_bytes(k_type, head_dim); }
    int64_t v_bytes() const noexcept { return n_head_kv * kern::kv_head_bytes(v_type, head_dim); }
};

const char* kv_type_name(kern::KvType type) noexcept;  // "q8_0"

class KvCache : public SequenceTree {
public:
    // Throws Error, tg::Error(out_of_memory).
    // place_ends: behind the last layer of each of the backend's places.
    KvCache(tg::Backend& backend, const KvShape& shape, int32_t n_cells, int32_t n_seq,
            const std::vector<int64_t>& place_ends);
    KvCache(tg::Backend& backend, const KvShape& shape, int32_t n_cells, int32_t n_seq)
        : KvCache(backend, shape, n_cells, n_seq, {shape.n_layer}) {}
    // What a cache of this size takes, keys, values and the lists of who holds them. Throws Error where that is beyond any
    // memory.
    static uint64_t bytes_needed(const KvShape& shape, int32_t n_cells, int32_t n_seq);

    uint64_t bytes() const noexcept;
    const std::vector<tg::KvLayer>& layers() const noexcept { return layers_; }
    const KvShape& shape() const noexcept { return shape_; }
    // Whose memory the rows are in; it outlives the cache.
    tg::Backend& backend() const noexcept { return backend_; }
    // Values that a token has per layer.
    int64_t row_width() const noexcept { return shape_.n_head_kv * shape_.head_dim; }

private:
    tg::Backend& backend_;
    const KvShape shape_;
    std::vector<std::unique_ptr<tg::Buffer>> buffers_;  // by place
    std::vector<tg::KvLayer> layers_;
};

}  // namespace bitnet
