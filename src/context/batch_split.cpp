#include "src/context/batch_split.h"

#include <limits>
#include <string>

#include "src/base/error.h"

namespace bitnet {
namespace {

std::string entry(int32_t i) { return "batch entry " + std::to_string(i) + ": "; }

}  // namespace

BatchSplit::BatchSplit(int32_t n_batch, int32_t n_seq) : touched_index_(static_cast<size_t>(n_seq), -1) {
    const size_t n = static_cast<size_t>(n_batch);
    cells_.reserve(n);
    positions_.reserve(n);
    n_visible_.reserve(n);
    visible_.reserve(n);
    wanted_.reserve(n);
    touched_.reserve(static_cast<size_t>(n_seq));
}

void BatchSplit::check(const BatchView& batch, int64_t n_vocab, const KvCache& cache) const {
    for (int32_t i = 0; i < batch.n_tokens; ++i) {
        const bitnet_seq_id id = batch.seq_of(i);
        if (id < 0 || id >= cache.n_seq()) {
            throw Error(BITNET_E_ARGUMENT, entry(i) + "sequence " + std::to_string(id) + " is outside 0.." +
                                               std::to_string(cache.n_seq() - 1) + "; create the context with a larger n_seq_max");
        }
        const bitnet_token token = batch.tokens[i];
        if (token < 0 || token >= n_vocab) {
            throw Error(BITNET_E_TOKEN, entry(i) + "token " + std::to_string(token) + " is outside the vocabulary of " +
                                            std::to_string(n_vocab));
        }
    }
    if (batch.n_tokens > cache.n_free()) {
        throw Error(BITNET_E_KV_FULL, "the context has room for " + std::to_string(cache.n_free()) + " of " +
                                          std::to_string(batch.n_tokens) +
                                          " tokens; remove a sequence or create the context with a larger n_ctx")
            .with_numbers(static_cast<uint64_t>(batch.n_tokens), static_cast<uint64_t>(cache.n_free()));
    }
}

void BatchSplit::reserve(const BatchView& batch, int64_t n_vocab, KvCache& cache) {
    cells_.clear();
    positions_.clear();
    n_visible_.clear();
    visible_.clear();
    wanted_.clear();
    touched_.clear();
    n_outputs_ = 0;
    single_step_ = true;
    check(batch, n_vocab, cache);
    try {
        for (int32_t i = 0; i < batch.n_tokens; ++i) {
            const bitnet_seq_id id = batch.seq_of(i);
            const Sequence& sequence = cache.sequence(id);
            int32_t& index = touched_index_[static_cast<size_t>(id)];
            if (index < 0) {
                index = static_cast<int32_t>(touched_.size());
                touched_.push_back({id, sequence.cells.size(), i});
            } else {
                touched_[static_cast<size_t>(index)].last = i;
                single_step_ = false;
            }
            const bitnet_pos next = sequence.end();
            if (next == std::numeric_limits<bitnet_pos>::max()) {
                throw Error(BITNET_E_KV_FULL, entry(i) + "sequence " + std::to_string(id) + " has used up all positions; remove it");
            }
            if (batch.positions != nullptr && batch.positions[i] != next) {
                throw Error(BITNET_E_ARGUMENT, entry(i) + "position " + std::to_string(batch.positions[i]) +
                                                   " does not follow sequence " + std::to_string(id) + ", whose next is " +
                                                   std::to_string(next) + "; pass NULL positions or remove the range first");
            }
            cells_.push_back(cache.append(id, next, batch.tokens[i]));
            positions_.push_back(next);
            // Lists have their full capacity from the first append on, so this pointer stays while the batch runs.
            visible_.push_back(sequence.cells.data());
            n_visible_.push_back(static_cast<int32_t>(sequence.cells.size()));
            const bool wanted = batch.want_output != nullptr && batch.want_output[i] != 0;
            wanted_.push_back(wanted ? 1 : 0);
        }
    } catch (...) {
        undo(cache);
        throw;
    }
    for (const Touched& touched : touched_) {
        touched_index_[static_cast<size_t>(touched.id)] = -1;
        if (batch.want_output == nullptr) wanted_[static_cast<size_t>(touched.last)] = 1;
    }
    for (const uint8_t wanted : wanted_) n_outputs_ += wanted;
}

void BatchSplit::undo(KvCache& cache) noexcept {
    for (const Touched& touched : touched_) {
        touched_index_[static_cast<size_t>(touched.id)] = -1;
        cache.truncate(touched.id, touched.n_entries);
    }
    touched_.clear();
}

}  // namespace bitnet
