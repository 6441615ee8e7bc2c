// Keys and values of all sequences. Cells are handed out one per token and counted, so that sequences can share them:
// copying a sequence copies a list of numbers. Nothing here knows what is in a cell.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "bitnet.h"
#include "ggml-like/backend.h"

namespace bitnet {

// The tokens of one sequence in rising order of position: entry i is tokens[i], lies in cells[i], stands at positions[i].
struct Sequence {
    std::vector<int32_t> cells;
    std::vector<bitnet_pos> positions;
    std::vector<bitnet_token> tokens;

    bitnet_pos end() const { return positions.empty() ? 0 : positions.back() + 1; }
    // Entries with a position in [p0, p1).
    void find(bitnet_pos p0, bitnet_pos p1, size_t* begin, size_t* stop) const;
};

class KvCache {
public:
    // row_width: values a token has per layer, n_head_kv * head_dim. Throws Error, tg::Error(out_of_memory).
    KvCache(tg::Backend& backend, int64_t n_layer, int64_t row_width, int32_t n_cells, int32_t n_seq);

    int32_t n_cells() const noexcept { return n_cells_; }
    int32_t n_free() const noexcept { return static_cast<int32_t>(free_.size()); }
    int32_t n_seq() const noexcept { return static_cast<int32_t>(sequences_.size()); }
    uint64_t bytes() const noexcept { return buffer_->size(); }
    const Sequence& sequence(bitnet_seq_id id) const { return sequences_[static_cast<size_t>(id)]; }
    const std::vector<tg::KvLayer>& layers() const noexcept { return layers_; }
    int64_t row_width() const noexcept { return row_width_; }

    // Appends a token at the sequence's end and returns its cell. The caller has seen n_free() > 0.
    int32_t append(bitnet_seq_id id, bitnet_pos position, bitnet_token token);
    // Keeps the first n_entries of the sequence: how a failed decode takes its tokens back.
    void truncate(bitnet_seq_id id, size_t n_entries) noexcept;
    void remove(bitnet_seq_id id, bitnet_pos p0, bitnet_pos p1) noexcept;
    void copy(bitnet_seq_id from, bitnet_seq_id to, bitnet_pos p0, bitnet_pos p1);
    void keep(bitnet_seq_id id) noexcept;
    // Takes off all but the first n_entries. The cells of what comes back are still held: attach or release it.
    Sequence detach(bitnet_seq_id id, size_t n_entries);
    // Puts a tail back behind the sequence it came from.
    void attach(bitnet_seq_id id, const Sequence& tail) noexcept;
    void release(const Sequence& tail) noexcept;
    // Cells of these entries that nothing else holds.
    int32_t n_held_alone(const Sequence& entries) const noexcept;
    // Cells that would be free if this sequence were removed.
    int32_t n_free_without(bitnet_seq_id id) const noexcept;

private:
    Sequence& at(bitnet_seq_id id) { return sequences_[static_cast<size_t>(id)]; }
    void reserve(Sequence& sequence);
    void release(int32_t cell) noexcept;

    const int32_t n_cells_;
    const int64_t row_width_;
    std::unique_ptr<tg::Buffer> buffer_;
    std::vector<tg::KvLayer> layers_;
    std::vector<Sequence> sequences_;
    std::vector<int32_t> free_;   // a stack; the lowest cell is on top at first
    std::vector<int32_t> users_;  // per cell: sequences that hold it
};

}  // namespace bitnet
