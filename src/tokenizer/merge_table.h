// The merging of neighbours that byte-level BPE and SentencePiece BPE share: a table of the pairs that may merge, each
// with a rank, and the merging itself - always the pair with the lowest rank in the whole sequence, the leftmost of
// equal ones. Time is O(n log n) for any sequence; memory is at most about 36 bytes per symbol.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace bitnet {

inline constexpr uint32_t kNoRank = UINT32_MAX;
// A symbol that merges with nothing.
inline constexpr uint32_t kNoSymbol = UINT32_MAX;

class MergeTable {
public:
    struct Entry {
        uint32_t rank = kNoRank;
        uint32_t result = kNoSymbol;
    };

    // Makes room for n pairs.
    void reserve(size_t n);
    // False, with no change, when the pair is there already.
    bool insert(uint32_t left, uint32_t right, uint32_t rank, uint32_t result);
    // rank is kNoRank when the pair does not merge.
    Entry find(uint32_t left, uint32_t right) const noexcept;

    // From which pair a symbol was last found to arise; SentencePiece needs it for symbols that it may not emit.
    using Origins = std::unordered_map<uint32_t, std::pair<uint32_t, uint32_t>>;
    // Symbols of which Origins are to be kept.
    void track_origin(uint32_t symbol) { tracked_.insert(symbol); }
    bool tracks_origins() const noexcept { return !tracked_.empty(); }

    // Working memory of one encode call.
    struct Scratch {
        std::vector<uint32_t> ranks, previous, next;
        std::vector<uint64_t> heap;
        Origins origins;
    };
    // Merges symbols in place until no pair is left that may merge.
    void merge(std::vector<uint32_t>& symbols, Scratch& scratch) const;

    size_t bytes_used() const noexcept { return slots_.capacity() * sizeof(Slot); }

private:
    struct Slot {
        uint64_t key;
        Entry entry;
    };

    Entry look_up(uint32_t left, uint32_t right, Scratch& scratch) const;
    void merge_short(std::vector<uint32_t>& symbols, Scratch& scratch) const;
    void merge_long(std::vector<uint32_t>& symbols, Scratch& scratch) const;

    std::vector<Slot> slots_;  // open addressing, linear probing
    size_t n_pairs_ = 0;
    std::unordered_set<uint32_t> tracked_;
};

}  // namespace bitnet
