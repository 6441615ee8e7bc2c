// Two small hash tables for the inner loop of matching, where the node-based ones of the standard library cost most of the
// time: a set of 64-bit numbers that is cleared in no time, and a table from contents to the number of what holds them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace bitnet {

inline uint64_t mix_bits(uint64_t x) noexcept {  // the finalizer of splitmix64
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
    return x ^ (x >> 31);
}

class IntegerSet {
public:
    size_t size() const noexcept { return n_; }
    void clear() noexcept {
        n_ = 0;
        if (++round_ != 0) return;
        for (Slot& slot : slots_) slot.round = 0;
        round_ = 1;
    }
    // False when it was there.
    bool insert(uint64_t key) {
        if (2 * (n_ + 1) > slots_.size()) grow();
        Slot& slot = find(key);
        if (slot.round == round_) return false;
        slot = {key, round_};
        ++n_;
        return true;
    }

private:
    struct Slot {
        uint64_t key;
        uint32_t round;  // another than round_: empty
    };

    Slot& find(uint64_t key) noexcept {
        size_t at = mix_bits(key) & (slots_.size() - 1);
        while (slots_[at].round == round_ && slots_[at].key != key) at = (at + 1) & (slots_.size() - 1);
        return slots_[at];
    }
    void grow() {
        std::vector<Slot> old(slots_.empty() ? 64 : 2 * slots_.size());
        old.swap(slots_);
        for (const Slot& slot : old) {
            if (slot.round == round_) find(slot.key) = slot;
        }
    }

    std::vector<Slot> slots_;
    size_t n_ = 0;
    uint32_t round_ = 1;
};

class IdTable {
public:
    static constexpr uint32_t kNone = UINT32_MAX;

    void clear() noexcept {
        slots_.clear();
        n_ = 0;
    }
    // The id with this hash for which is_equal(id) is true.
    template <typename IsEqual>
    uint32_t find(uint64_t hash, IsEqual is_equal) const {
        if (slots_.empty()) return kNone;
        const auto tag = static_cast<uint32_t>(hash >> 32);
        for (size_t at = hash & (slots_.size() - 1); slots_[at].second != kNone; at = (at + 1) & (slots_.size() - 1)) {
            if (slots_[at].first == tag && is_equal(slots_[at].second)) return slots_[at].second;
        }
        return kNone;
    }
    // The upper half of a hash is kept, the lower half is given again by hash_of(id) when the table grows.
    template <typename HashOf>
    void add(uint64_t hash, uint32_t id, HashOf hash_of) {
        if (2 * (n_ + 1) > slots_.size()) {
            std::vector<std::pair<uint32_t, uint32_t>> old(slots_.empty() ? 64 : 2 * slots_.size(), {0, kNone});
            old.swap(slots_);
            for (const auto& slot : old) {
                if (slot.second != kNone) place(hash_of(slot.second), slot.second);
            }
        }
        place(hash, id);
        ++n_;
    }

private:
    void place(uint64_t hash, uint32_t id) noexcept {
        size_t at = hash & (slots_.size() - 1);
        while (slots_[at].second != kNone) at = (at + 1) & (slots_.size() - 1);
        slots_[at] = {static_cast<uint32_t>(hash >> 32), id};
    }

    std::vector<std::pair<uint32_t, uint32_t>> slots_;  // upper half of the hash, id
    size_t n_ = 0;
};

}  // namespace bitnet
