#include "src/context/kv_cache.h"

#include <algorithm>
#include <limits>
#include <string>

#include "src/base/error.h"

namespace bitnet {
namespace {

uint64_t cache_bytes(int64_t n_layer, int64_t row_width, int32_t n_cells) {
    // Each factor is bounded by its reader far below this; the product of all is checked once.
    const unsigned __int128 bytes = static_cast<unsigned __int128>(n_layer) * static_cast<uint64_t>(row_width) *
                                    static_cast<uint64_t>(n_cells) * 2 * sizeof(uint16_t);
    if (bytes > std::numeric_limits<int64_t>::max() / 2) {
        throw Error(BITNET_E_OUT_OF_MEMORY, "a KV cache of " + std::to_string(n_cells) +
                                                " cells is beyond any memory; choose a smaller n_ctx");
    }
    return static_cast<uint64_t>(bytes);
}

}  // namespace

void Sequence::find(bitnet_pos p0, bitnet_pos p1, size_t* begin, size_t* stop) const {
    const auto first = p0 < 0 ? positions.begin() : std::lower_bound(positions.begin(), positions.end(), p0);
    const auto last = p1 < 0 ? positions.end() : std::lower_bound(first, positions.end(), p1);
    *begin = static_cast<size_t>(first - positions.begin());
    *stop = static_cast<size_t>(std::max(first, last) - positions.begin());
}

KvCache::KvCache(tg::Backend& backend, int64_t n_layer, int64_t row_width, int32_t n_cells, int32_t n_seq)
    : n_cells_(n_cells), row_width_(row_width),
      buffer_(backend.allocate(cache_bytes(n_layer, row_width, n_cells), "KV cache")), sequences_(static_cast<size_t>(n_seq)),
      users_(static_cast<size_t>(n_cells), 0) {
    uint16_t* next = reinterpret_cast<uint16_t*>(buffer_->data());
    const int64_t part = row_width * n_cells;
    for (int64_t i = 0; i < n_layer; ++i, next += 2 * part) layers_.push_back({next, next + part});
    free_.reserve(static_cast<size_t>(n_cells));
    for (int32_t cell = n_cells; cell-- > 0;) free_.push_back(cell);
}

// A sequence's lists get their full size when it is first used; appending never allocates after that.
void KvCache::reserve(Sequence& sequence) {
    sequence.cells.reserve(static_cast<size_t>(n_cells_));
    sequence.positions.reserve(static_cast<size_t>(n_cells_));
    sequence.tokens.reserve(static_cast<size_t>(n_cells_));
}

void KvCache::release(int32_t cell) noexcept {
    if (--users_[static_cast<size_t>(cell)] == 0) free_.push_back(cell);
}

int32_t KvCache::append(bitnet_seq_id id, bitnet_pos position, bitnet_token token) {
    Sequence& sequence = at(id);
    reserve(sequence);
    const int32_t cell = free_.back();
    free_.pop_back();
    users_[static_cast<size_t>(cell)] = 1;
    sequence.cells.push_back(cell);
    sequence.positions.push_back(position);
    sequence.tokens.push_back(token);
    return cell;
}

void KvCache::truncate(bitnet_seq_id id, size_t n_entries) noexcept {
    Sequence& sequence = at(id);
    while (sequence.cells.size() > n_entries) {
        release(sequence.cells.back());
        sequence.cells.pop_back();
        sequence.positions.pop_back();
        sequence.tokens.pop_back();
    }
}

void KvCache::remove(bitnet_seq_id id, bitnet_pos p0, bitnet_pos p1) noexcept {
    Sequence& sequence = at(id);
    size_t begin, stop;
    sequence.find(p0, p1, &begin, &stop);
    for (size_t i = stop; i-- > begin;) release(sequence.cells[i]);
    const auto offset = [](size_t n) { return static_cast<std::ptrdiff_t>(n); };
    sequence.cells.erase(sequence.cells.begin() + offset(begin), sequence.cells.begin() + offset(stop));
    sequence.positions.erase(sequence.positions.begin() + offset(begin), sequence.positions.begin() + offset(stop));
    sequence.tokens.erase(sequence.tokens.begin() + offset(begin), sequence.tokens.begin() + offset(stop));
}

void KvCache::copy(bitnet_seq_id from, bitnet_seq_id to, bitnet_pos p0, bitnet_pos p1) {
    if (from == to) {  // only the range stays
        if (p1 >= 0) remove(to, p1, -1);
        if (p0 > 0) remove(to, 0, p0);
        return;
    }
    reserve(at(to));
    truncate(to, 0);
    const Sequence& source = sequence(from);
    size_t begin, stop;
    source.find(p0, p1, &begin, &stop);
    for (size_t i = begin; i < stop; ++i) {
        ++users_[static_cast<size_t>(source.cells[i])];
        at(to).cells.push_back(source.cells[i]);
        at(to).positions.push_back(source.positions[i]);
        at(to).tokens.push_back(source.tokens[i]);
    }
}

void KvCache::keep(bitnet_seq_id id) noexcept {
    for (bitnet_seq_id other = 0; other < n_seq(); ++other) {
        if (other != id) truncate(other, 0);
    }
}

Sequence KvCache::detach(bitnet_seq_id id, size_t n_entries) {
    Sequence& sequence = at(id);
    const size_t n = std::min(n_entries, sequence.cells.size());
    const auto offset = static_cast<std::ptrdiff_t>(n);
    Sequence tail{{sequence.cells.begin() + offset, sequence.cells.end()},
                  {sequence.positions.begin() + offset, sequence.positions.end()},
                  {sequence.tokens.begin() + offset, sequence.tokens.end()}};
    sequence.cells.resize(n);
    sequence.positions.resize(n);
    sequence.tokens.resize(n);
    return tail;
}

// The lists were this long before, so nothing is allocated.
void KvCache::attach(bitnet_seq_id id, const Sequence& tail) noexcept {
    Sequence& sequence = at(id);
    sequence.cells.insert(sequence.cells.end(), tail.cells.begin(), tail.cells.end());
    sequence.positions.insert(sequence.positions.end(), tail.positions.begin(), tail.positions.end());
    sequence.tokens.insert(sequence.tokens.end(), tail.tokens.begin(), tail.tokens.end());
}

void KvCache::release(const Sequence& tail) noexcept {
    for (size_t i = tail.cells.size(); i-- > 0;) release(tail.cells[i]);
}

int32_t KvCache::n_held_alone(const Sequence& entries) const noexcept {
    return static_cast<int32_t>(std::count_if(entries.cells.begin(), entries.cells.end(), [this](int32_t cell) {
        return users_[static_cast<size_t>(cell)] == 1;
    }));
}

int32_t KvCache::n_free_without(bitnet_seq_id id) const noexcept { return n_free() + n_held_alone(sequence(id)); }

}  // namespace bitnet
