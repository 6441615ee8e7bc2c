// Which adapters each sequence of a context runs with. They belong to the sequence, not to its tokens, and change only
// while it is empty: what a sequence holds was then computed with the adapters that it has now, so whatever reuses,
// shares or saves its cells needs to look no further.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "bitnet.h"
#include "ggml-like/op_table.h"
#include "src/context/batch_split.h"
#include "src/context/kv_cache.h"
#include "src/model/adapter.h"

namespace bitnet {

// An adapter at a strength.
struct AdapterUse {
    std::shared_ptr<const Adapter> adapter;
    float scale;
};

class SequenceAdapters {
public:
    static constexpr size_t kMaxUses = 64;  // of one sequence, checked by the caller

    // max_rank 0: there are none and never will be; this object then holds nothing.
    SequenceAdapters(const Model& model, int32_t max_rank, int32_t n_ubatch, int32_t n_seq);
    static uint64_t bytes_needed(int32_t max_rank, int32_t n_ubatch, int32_t n_seq) noexcept;
    uint64_t bytes() const noexcept;

    // A negative id: all sequences. Throws Error with nothing changed, see bitnet_context_set_adapters.
    void set(const KvCache& cache, bitnet_seq_id id, std::span<const AdapterUse> uses);
    void copy(bitnet_seq_id from, bitnet_seq_id to) noexcept;
    // Two sequences have the same tag where they have the same adapters with the same scales; 0 for none.
    uint64_t tag(bitnet_seq_id id) const noexcept;
    // The model's fingerprint where the sequence has none; else one that says with which its cells were computed.
    uint64_t fingerprint(uint64_t model_fingerprint, bitnet_seq_id id) const noexcept;

    // Tells the rows [begin, end) of a batch, and those of them that are outputs, which adapters to use. Allocates nothing.
    void cut(const BatchView& batch, int32_t begin, int32_t end, const std::vector<int32_t>& outputs,
             tg::RunInputs& inputs) noexcept;

private:
    struct Set {
        std::vector<std::shared_ptr<const Adapter>> held;
        std::vector<tg::LoraUse> uses;
        uint64_t tag = 0;
    };
    std::shared_ptr<const Set> make_set(std::span<const AdapterUse> uses) const;
    void extend(std::vector<tg::LoraSegment>& segments, int64_t row, bitnet_seq_id id) const noexcept;

    const Model& model_;
    const int32_t max_rank_;
    std::vector<std::shared_ptr<const Set>> sets_;  // per sequence; null: none
    std::vector<tg::LoraSegment> tokens_, outputs_;
};

// The fingerprint of something that was computed with adapters; tag is not 0.
uint64_t fingerprint_with(uint64_t fingerprint, uint64_t tag) noexcept;

}  // namespace bitnet
