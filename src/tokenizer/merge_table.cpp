// Short sequences, the normal case, are scanned for their best pair again and again: at most 48 * 48 steps in the first
// level of cache. Long ones (a megabyte of one letter is one piece) use a heap of candidates over a linked list; a
// candidate is only rank and position, and it is stale when the pair at that position has another rank by now.
#include "src/tokenizer/merge_table.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "src/base/error.h"

namespace bitnet {
namespace {

constexpr size_t kShortLimit = 48;
constexpr size_t kMaxProbes = 512;
constexpr uint64_t kEmptyKey = UINT64_MAX;  // the pair (kNoSymbol, kNoSymbol), which never merges
constexpr uint32_t kEnd = UINT32_MAX;

uint64_t key_of(uint32_t left, uint32_t right) noexcept { return uint64_t{left} << 32 | right; }

size_t hash_of(uint64_t key) noexcept {
    key *= 0x9E3779B97F4A7C15ull;
    key ^= key >> 32;
    key *= 0xD6E8FEB86659FD93ull;
    return static_cast<size_t>(key >> 20);
}

}  // namespace

void MergeTable::reserve(size_t n) {
    slots_.assign(std::bit_ceil(n + n / 2 + 2), Slot{kEmptyKey, {}});
    n_pairs_ = 0;
}

bool MergeTable::insert(uint32_t left, uint32_t right, uint32_t rank, uint32_t result) {
    if ((n_pairs_ + 1) * 3 > slots_.size() * 2) throw Error(BITNET_E_INTERNAL, "merge table used beyond its reserve");
    const uint64_t key = key_of(left, right);
    const size_t mask = slots_.size() - 1;
    size_t slot = hash_of(key) & mask;
    for (size_t probes = 0; slots_[slot].key != kEmptyKey; slot = (slot + 1) & mask) {
        if (slots_[slot].key == key) return false;
        if (++probes > kMaxProbes) {
            throw Error(BITNET_E_SECURITY_EXHAUSTION, "the merges collide as no real vocabulary's do; the file is refused");
        }
    }
    slots_[slot] = {key, {rank, result}};
    ++n_pairs_;
    return true;
}

MergeTable::Entry MergeTable::find(uint32_t left, uint32_t right) const noexcept {
    if (slots_.empty()) return {};
    const uint64_t key = key_of(left, right);
    const size_t mask = slots_.size() - 1;
    for (size_t slot = hash_of(key) & mask; slots_[slot].key != kEmptyKey; slot = (slot + 1) & mask) {
        if (slots_[slot].key == key) return slots_[slot].entry;
    }
    return {};
}

MergeTable::Entry MergeTable::look_up(uint32_t left, uint32_t right, Scratch& scratch) const {
    const Entry entry = find(left, right);
    if (!tracked_.empty() && entry.rank != kNoRank && tracked_.contains(entry.result)) {
        scratch.origins[entry.result] = {left, right};
    }
    return entry;
}

void MergeTable::merge(std::vector<uint32_t>& symbols, Scratch& scratch) const {
    if (!tracked_.empty()) scratch.origins.clear();
    if (symbols.size() < 2) return;
    if (symbols.size() <= kShortLimit) {
        merge_short(symbols, scratch);
    } else {
        merge_long(symbols, scratch);
    }
}

void MergeTable::merge_short(std::vector<uint32_t>& symbols, Scratch& scratch) const {
    Entry pairs[kShortLimit];  // pairs[i] is that of symbols i and i + 1
    size_t n = symbols.size();
    for (size_t i = 0; i + 1 < n; ++i) pairs[i] = look_up(symbols[i], symbols[i + 1], scratch);
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; ++i) {
            if (pairs[i].rank < pairs[best].rank) best = i;
        }
        if (pairs[best].rank == kNoRank) break;
        symbols[best] = pairs[best].result;
        std::copy(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 2,
                  symbols.begin() + static_cast<std::ptrdiff_t>(n),
                  symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
        std::copy(pairs + best + 1, pairs + n - 1, pairs + best);
        --n;
        if (best > 0) pairs[best - 1] = look_up(symbols[best - 1], symbols[best], scratch);
        if (best + 1 < n) pairs[best] = look_up(symbols[best], symbols[best + 1], scratch);
    }
    symbols.resize(n);
}

void MergeTable::merge_long(std::vector<uint32_t>& symbols, Scratch& scratch) const {
    const uint32_t n = static_cast<uint32_t>(symbols.size());
    std::vector<uint32_t>& ranks = scratch.ranks;  // of the pair that begins at a position
    std::vector<uint32_t>& previous = scratch.previous;
    std::vector<uint32_t>& next = scratch.next;
    std::vector<uint64_t>& heap = scratch.heap;
    ranks.assign(n, kNoRank);
    previous.resize(n);
    next.resize(n);
    heap.clear();
    const auto candidate = [](uint32_t rank, uint32_t at) { return uint64_t{rank} << 32 | at; };
    const auto later = std::greater<uint64_t>();  // makes the lowest rank, then the leftmost, the top
    for (uint32_t i = 0; i < n; ++i) {
        previous[i] = i == 0 ? kEnd : i - 1;
        next[i] = i + 1 == n ? kEnd : i + 1;
        if (i + 1 < n) ranks[i] = look_up(symbols[i], symbols[i + 1], scratch).rank;
        if (ranks[i] != kNoRank) heap.push_back(candidate(ranks[i], i));
    }
    std::make_heap(heap.begin(), heap.end(), later);
    const auto refresh = [&](uint32_t at) {
        const uint32_t rank = next[at] == kEnd ? kNoRank : look_up(symbols[at], symbols[next[at]], scratch).rank;
        ranks[at] = rank;
        if (rank != kNoRank) {
            heap.push_back(candidate(rank, at));
            std::push_heap(heap.begin(), heap.end(), later);
        }
    };
    while (!heap.empty()) {
        const uint32_t rank = static_cast<uint32_t>(heap.front() >> 32);
        const uint32_t at = static_cast<uint32_t>(heap.front());
        std::pop_heap(heap.begin(), heap.end(), later);
        heap.pop_back();
        if (ranks[at] != rank) continue;
        const uint32_t right = next[at];
        symbols[at] = find(symbols[at], symbols[right]).result;
        ranks[right] = kNoRank;
        next[at] = next[right];
        if (next[at] != kEnd) previous[next[at]] = at;
        if (previous[at] != kEnd) refresh(previous[at]);
        refresh(at);
    }
    uint32_t count = 0;
    for (uint32_t at = 0; at != kEnd; at = next[at]) symbols[count++] = symbols[at];
    symbols.resize(count);
}

}  // namespace bitnet
