// Checks a batch against a context and reserves its cells: after reserve() every token has a cell, a position and the
// list of cells it sees, or nothing has changed. Micro-batches are cut from it by index.
#pragma once

#include <cstdint>
#include <vector>

#include "bitnet.h"
#include "src/context/kv_cache.h"

namespace bitnet {

// The plain form of bitnet_batch after its NULL defaults were filled in.
struct BatchView {
    int32_t n_tokens = 0;
    const bitnet_token* tokens = nullptr;
    const bitnet_pos* positions = nullptr;  // may be null
    const bitnet_seq_id* seq_ids = nullptr; // null: all are seq_id
    bitnet_seq_id seq_id = 0;
    const int8_t* want_output = nullptr;    // null: the last token of each sequence

    bitnet_seq_id seq_of(int32_t i) const { return seq_ids != nullptr ? seq_ids[i] : seq_id; }
};

class BatchSplit {
public:
    BatchSplit(int32_t n_batch, int32_t n_seq);

    // Throws Error (BITNET_E_TOKEN, _ARGUMENT, _KV_FULL) with the cache unchanged.
    void reserve(const BatchView& batch, int64_t n_vocab, KvCache& cache);
    // Takes the reserved cells back.
    void undo(KvCache& cache) noexcept;

    const std::vector<int32_t>& cells() const noexcept { return cells_; }
    const std::vector<int32_t>& positions() const noexcept { return positions_; }
    const std::vector<const int32_t*>& visible() const noexcept { return visible_; }
    const std::vector<int32_t>& n_visible() const noexcept { return n_visible_; }
    const std::vector<uint8_t>& wanted() const noexcept { return wanted_; }
    int64_t n_outputs() const noexcept { return n_outputs_; }
    // One token per sequence: a decode step rather than a prompt.
    bool single_step() const noexcept { return single_step_; }

private:
    void check(const BatchView& batch, int64_t n_vocab, const KvCache& cache) const;

    struct Touched {
        bitnet_seq_id id;
        size_t n_entries;  // before the batch
        int32_t last;      // its last token in the batch
    };
    std::vector<int32_t> cells_, positions_, n_visible_;
    std::vector<const int32_t*> visible_;
    std::vector<uint8_t> wanted_;
    std::vector<Touched> touched_;
    std::vector<int32_t> touched_index_;  // per sequence, -1 = not in this batch
    int64_t n_outputs_ = 0;
    bool single_step_ = true;
};

}  // namespace bitnet
