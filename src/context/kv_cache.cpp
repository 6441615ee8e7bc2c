#include "src/context/kv_cache.h"

#include <algorithm>
#include <limits>
#include <string>

#include "src/base/checked_math.h"
#include "src/base/error.h"

namespace bitnet {
namespace {

uint64_t row_bytes(const KvShape& shape, int32_t n_cells) {
    uint64_t bytes = static_cast<uint64_t>(shape.k_bytes() + shape.v_bytes());
    if (!checked_mul(bytes, static_cast<uint64_t>(shape.n_layer), &bytes) ||
        !checked_mul(bytes, static_cast<uint64_t>(n_cells), &bytes) ||
        bytes > std::min<uint64_t>(std::numeric_limits<int64_t>::max() / 2, std::numeric_limits<size_t>::max() / 2)) {
        throw Error(BITNET_E_OUT_OF_MEMORY,
                    "a KV cache of " + std::to_string(n_cells) + " cells is beyond any memory; choose a smaller n_ctx");
    }
    return bytes;
}

}  // namespace

const char* kv_type_name(kern::KvType type) noexcept {
    return type == kern::KvType::f16 ? "f16" : type == kern::KvType::q8_0 ? "q8_0" : "q4_0";
}

uint64_t KvCache::bytes_needed(const KvShape& shape, int32_t n_cells, int32_t n_seq) {
    return row_bytes(shape, n_cells) + SequenceTree::bytes_needed(n_cells, n_seq);
}

KvCache::KvCache(tg::Backend& backend, const KvShape& shape, int32_t n_cells, int32_t n_seq)
    : SequenceTree(n_cells, n_seq), backend_(backend), shape_(shape),
      buffer_(backend.allocate(row_bytes(shape, n_cells), "KV cache")) {
    uint8_t* next = buffer_->data();
    for (int64_t i = 0; i < shape.n_layer; ++i) {
        uint8_t* const values = next + shape.k_bytes() * n_cells;
        layers_.push_back({next, values, shape.k_type, shape.v_type, n_cells});
        next = values + shape.v_bytes() * n_cells;
    }
}

}  // namespace bitnet
