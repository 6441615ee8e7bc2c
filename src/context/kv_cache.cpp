#include "src/context/kv_cache.h"

#include <limits>
#include <string>

#include "src/base/error.h"

namespace bitnet {
namespace {

uint64_t row_bytes(int64_t n_layer, int64_t row_width, int32_t n_cells) {
    // Each factor is bounded by its reader far below this; the product of all is checked once.
    const unsigned __int128 bytes = static_cast<unsigned __int128>(n_layer) * static_cast<uint64_t>(row_width) *
                                    static_cast<uint64_t>(n_cells) * 2 * sizeof(uint16_t);
    if (bytes > std::numeric_limits<int64_t>::max() / 2) {
        throw Error(BITNET_E_OUT_OF_MEMORY,
                    "a KV cache of " + std::to_string(n_cells) + " cells is beyond any memory; choose a smaller n_ctx");
    }
    return static_cast<uint64_t>(bytes);
}

}  // namespace

uint64_t KvCache::bytes_needed(int64_t n_layer, int64_t row_width, int32_t n_cells, int32_t n_seq) {
    return row_bytes(n_layer, row_width, n_cells) + SequenceTree::bytes_needed(n_cells, n_seq);
}

KvCache::KvCache(tg::Backend& backend, int64_t n_layer, int64_t row_width, int32_t n_cells, int32_t n_seq)
    : SequenceTree(n_cells, n_seq), row_width_(row_width),
      buffer_(backend.allocate(row_bytes(n_layer, row_width, n_cells), "KV cache")) {
    uint16_t* next = reinterpret_cast<uint16_t*>(buffer_->data());
    const int64_t part = row_width * n_cells;
    for (int64_t i = 0; i < n_layer; ++i, next += 2 * part) layers_.push_back({next, next + part});
}

}  // namespace bitnet
