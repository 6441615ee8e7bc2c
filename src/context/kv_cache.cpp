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

KvCache::KvCache(tg::Backend& backend, const KvShape& shape, int32_t n_cells, int32_t n_seq,
                 const std::vector<int64_t>& place_ends)
    : SequenceTree(n_cells, n_seq), backend_(backend), shape_(shape) {
    int64_t layer = 0;
    for (const int64_t end : place_ends) {
        const auto place = static_cast<int32_t>(buffers_.size());
        KvShape part = shape;
        part.n_layer = end - layer;
        buffers_.push_back(backend.allocate_at(place, row_bytes(part, n_cells), "KV cache"));
        uint8_t* next = buffers_.back()->data();
        for (; layer < end; ++layer) {
            uint8_t* const values = next + shape.k_bytes() * n_cells;
            layers_.push_back({next, values, shape.k_type, shape.v_type, n_cells, place});
            next = values + shape.v_bytes() * n_cells;
        }
    }
}

uint64_t KvCache::bytes() const noexcept {
    uint64_t sum = SequenceTree::bytes();
    for (const std::unique_ptr<tg::Buffer>& buffer : buffers_) sum += buffer->size();
    return sum;
}

}  // namespace bitnet
