// Checks a batch against a context and reserves its cells: after reserve() every token has a cell and a position, or nothing
// has changed. cut() then takes one micro-batch after the other from it and writes the lists of cells that its tokens see.
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
    const bitnet_pos* positions = nullptr;   // may be null
    const bitnet_seq_id* seq_ids = nullptr;  // null: all are seq_id
    bitnet_seq_id seq_id = 0;
    const int8_t* want_output = nullptr;  // null: the last token of each sequence

    bitnet_seq_id seq_of(int32_t i) const { return seq_ids != nullptr ? seq_ids[i] : seq_id; }
};

class BatchSplit {
public:
    // sliding_window: tokens that windowed attention sees, 0: no such layers.
    BatchSplit(int32_t n_batch, int32_t n_ubatch, int32_t n_cells, int32_t n_seq, int64_t sliding_window = 0);
    // What it takes for its life: nothing here allocates later.
    static uint64_t bytes_needed(int32_t n_batch, int32_t n_ubatch, int32_t n_cells, int32_t n_seq) noexcept;

    // Throws Error (BITNET_E_TOKEN, _ARGUMENT, _KV_FULL) with the cache unchanged.
    void reserve(const BatchView& batch, int64_t n_vocab, KvCache& cache);
    // Takes the reserved cells back.
    void undo(KvCache& cache) noexcept;
    // Makes visible() of the tokens from begin on point to what they see, and returns where the micro-batch ends: after n_most
    // tokens, or where the room for lists is full. Tokens of one sequence share a list, so with one sequence it never is;
    // the lists of many long ones are bounded by kMaxListCells, which costs smaller micro-batches and changes no result.
    int32_t cut(int32_t begin, int32_t n_most, const KvCache& cache) noexcept;

    // Of the batch's tokens, kept here: the caller's arrays are read by reserve() only.
    const std::vector<bitnet_token>& tokens() const noexcept { return tokens_; }
    const std::vector<bitnet_seq_id>& ids() const noexcept { return ids_; }
    const std::vector<int32_t>& cells() const noexcept { return cells_; }
    const std::vector<int32_t>& positions() const noexcept { return positions_; }
    // Valid in the micro-batch that was cut last, until the next one.
    const std::vector<const int32_t*>& visible() const noexcept { return visible_; }
    const std::vector<int32_t>& n_visible() const noexcept { return n_visible_; }
    // How many of the visible cells, the first ones, lie outside of the sliding window.
    const std::vector<int32_t>& n_outside() const noexcept { return n_outside_; }
    const std::vector<uint8_t>& wanted() const noexcept { return wanted_; }
    int64_t n_outputs() const noexcept { return n_outputs_; }
    // That have tokens in the batch.
    int32_t n_sequences() const noexcept { return static_cast<int32_t>(touched_.size()); }

    static constexpr int64_t kMaxListCells = int64_t{1} << 20;  // 4 MiB, unless one sequence alone needs more

private:
    static int64_t list_cells(int32_t n_ubatch, int32_t n_cells, int32_t n_seq) noexcept;
    void check(const BatchView& batch, int64_t n_vocab, const KvCache& cache) const;

    struct Touched {
        bitnet_seq_id id;
        int32_t n_entries;  // before the batch
        int32_t last;       // its last token in the batch
    };
    struct List {
        bitnet_seq_id id;
        int32_t last;  // its last token in the micro-batch, which sees all of it
        int64_t offset;
    };
    std::vector<bitnet_token> tokens_;
    const int64_t sliding_window_;
    std::vector<int32_t> cells_, positions_, n_visible_, n_outside_;
    std::vector<int32_t> nodes_;      // per token
    std::vector<bitnet_seq_id> ids_;  // per token
    std::vector<const int32_t*> visible_;
    std::vector<uint8_t> wanted_;
    std::vector<Touched> touched_;
    std::vector<int32_t> touched_index_;  // per sequence, -1 = not in this batch
    std::vector<List> lists_;             // of the micro-batch
    std::vector<int32_t> list_index_;     // per sequence, -1 = not in the micro-batch
    std::vector<int32_t> list_cells_;     // the lists, one behind the other
    // The first list is what one sequence alone has, token by token: it is kept and only what is new is written.
    int32_t kept_node_ = -1;
    uint64_t kept_epoch_ = 0;
    int64_t n_outputs_ = 0;
};

}  // namespace bitnet
