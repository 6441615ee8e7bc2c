#include "src/context/batch_split.h"

#include <algorithm>
#include <limits>
#include <string>

#include "src/base/error.h"

namespace bitnet {
namespace {

std::string entry(int32_t i) { return "batch entry " + std::to_string(i) + ": "; }

}  // namespace

// One whole list always fits.
int64_t BatchSplit::list_cells(int32_t n_ubatch, int32_t n_cells, int32_t n_seq) noexcept {
    const int64_t all = static_cast<int64_t>(std::min(n_ubatch, n_seq)) * n_cells;
    return std::max<int64_t>(n_cells, std::min(all, kMaxListCells));
}

uint64_t BatchSplit::bytes_needed(int32_t n_batch, int32_t n_ubatch, int32_t n_cells, int32_t n_seq) noexcept {
    const uint64_t per_token = 7 * sizeof(int32_t) + sizeof(const int32_t*) + sizeof(uint8_t);
    const uint64_t per_sequence = sizeof(Touched) + sizeof(List) + 2 * sizeof(int32_t);
    return static_cast<uint64_t>(n_batch) * per_token + static_cast<uint64_t>(n_seq) * per_sequence +
           static_cast<uint64_t>(list_cells(n_ubatch, n_cells, n_seq)) * sizeof(int32_t);
}

BatchSplit::BatchSplit(int32_t n_batch, int32_t n_ubatch, int32_t n_cells, int32_t n_seq, int64_t sliding_window)
    : sliding_window_(sliding_window), touched_index_(static_cast<size_t>(n_seq), -1), list_index_(static_cast<size_t>(n_seq), -1),
      list_cells_(static_cast<size_t>(list_cells(n_ubatch, n_cells, n_seq))) {
    const size_t n = static_cast<size_t>(n_batch);
    tokens_.reserve(n);
    cells_.reserve(n);
    positions_.reserve(n);
    n_visible_.reserve(n);
    n_outside_.reserve(n);
    visible_.reserve(n);
    wanted_.reserve(n);
    nodes_.reserve(n);
    ids_.reserve(n);
    touched_.reserve(static_cast<size_t>(n_seq));
    lists_.reserve(static_cast<size_t>(n_seq));
}

void BatchSplit::check(const BatchView& batch, int64_t n_vocab, const KvCache& cache) const {
    for (int32_t i = 0; i < batch.n_tokens; ++i) {
        const bitnet_seq_id id = batch.seq_of(i);
        if (id < 0 || id >= cache.n_seq()) {
            throw Error(BITNET_E_ARGUMENT, entry(i) + "sequence " + std::to_string(id) + " is outside 0.." +
                                               std::to_string(cache.n_seq() - 1) +
                                               "; create the context with a larger n_seq_max");
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
    tokens_.clear();
    cells_.clear();
    positions_.clear();
    n_visible_.clear();
    n_outside_.clear();
    visible_.clear();
    wanted_.clear();
    nodes_.clear();
    ids_.clear();
    touched_.clear();
    n_outputs_ = 0;
    check(batch, n_vocab, cache);
    try {
        for (int32_t i = 0; i < batch.n_tokens; ++i) {
            const bitnet_seq_id id = batch.seq_of(i);
            int32_t& index = touched_index_[static_cast<size_t>(id)];
            if (index < 0) {
                index = static_cast<int32_t>(touched_.size());
                touched_.push_back({id, cache.size(id), i});
            } else {
                touched_[static_cast<size_t>(index)].last = i;
            }
            const bitnet_pos next = cache.end(id);
            if (next == std::numeric_limits<bitnet_pos>::max()) {
                throw Error(BITNET_E_KV_FULL,
                            entry(i) + "sequence " + std::to_string(id) + " has used up all positions; remove it");
            }
            if (batch.positions != nullptr && batch.positions[i] != next) {
                throw Error(BITNET_E_ARGUMENT, entry(i) + "position " + std::to_string(batch.positions[i]) +
                                                   " does not follow sequence " + std::to_string(id) +
                                                   ", whose next is " + std::to_string(next) +
                                                   "; pass NULL positions or remove the range first");
            }
            tokens_.push_back(batch.tokens[i]);
            cells_.push_back(cache.append(id, next, batch.tokens[i]));
            positions_.push_back(next);
            nodes_.push_back(cache.sequence(id).last);
            ids_.push_back(id);
            visible_.push_back(nullptr);
            n_visible_.push_back(cache.size(id));
            n_outside_.push_back(0);
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

int32_t BatchSplit::cut(int32_t begin, int32_t n_most, const KvCache& cache) noexcept {
    const auto index = [](int32_t i) { return static_cast<size_t>(i); };
    const int32_t n_tokens = static_cast<int32_t>(ids_.size());
    const int32_t most = n_tokens - begin > n_most ? begin + n_most : n_tokens;
    const int64_t room = static_cast<int64_t>(list_cells_.size());
    lists_.clear();
    int64_t n_listed = 0;
    int32_t end = begin;
    for (; end < most; ++end) {
        int32_t& list = list_index_[index(ids_[index(end)])];
        const int32_t n_more = n_visible_[index(end)] - (list < 0 ? 0 : n_visible_[index(lists_[index(list)].last)]);
        if (n_listed + n_more > room) break;
        n_listed += n_more;
        if (list < 0) {
            list = static_cast<int32_t>(lists_.size());
            lists_.push_back({ids_[index(end)], end, 0});
        } else {
            lists_[index(list)].last = end;
        }
    }
    int64_t offset = 0;
    for (List& list : lists_) {
        const int32_t node = nodes_[index(list.last)], n = n_visible_[index(list.last)];
        list.offset = offset;
        cache.list_cells(node, n, offset == 0 && kept_epoch_ == cache.epoch() ? kept_node_ : -1,
                         list_cells_.data() + offset);
        if (offset == 0) {
            kept_node_ = node;
            kept_epoch_ = cache.epoch();
        }
        offset += n;
    }
    for (int32_t i = begin; i < end; ++i) {
        const int32_t* cells = list_cells_.data() + lists_[index(list_index_[index(ids_[index(i)])])].offset;
        visible_[index(i)] = cells;
        if (sliding_window_ == 0) continue;
        const int64_t last_outside = positions_[index(i)] - sliding_window_;
        const int32_t* inside = std::partition_point(cells, cells + n_visible_[index(i)], [&](int32_t cell) {
            return cache.cell_position(cell) <= last_outside;
        });
        n_outside_[index(i)] = static_cast<int32_t>(inside - cells);
    }
    for (const List& list : lists_) list_index_[index(list.id)] = -1;
    return end;
}

}  // namespace bitnet
