// Who touched which memory without waiting: what compute-sanitizer's racecheck and initcheck look for, and races between
// blocks besides. By granules, the smallest pieces that a kernel accesses.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace test {

enum class Conflict : uint8_t { none, not_written, read_after_write, write_after_read, write_after_write };

// Who accesses: a thread, or several of a warp at once.
struct PtxAccessor {
    uint32_t thread;    // of its block; the first of several
    uint32_t meetings;  // of its warp since the block's last barrier
    bool several = false;
};

// Whether a block's threads wait for each other between their accesses of a place. What a place holds is two numbers, each of
// an epoch of the block, a meeting of the warp and a thread, so that the usual case is a comparison.
class ThreadOrder {
public:
    struct Cell {
        uint64_t write = 0, read = 0;
    };
    // The thread that a conflict was with; kSeveral where it was with more than one.
    static constexpr uint32_t kSeveral = 0xffff;

    // A barrier of the block, or another block: one more, so that nothing needs to be cleared. True where all cells must be.
    bool next_epoch();
    uint32_t epoch() const { return epoch_; }
    uint32_t other() const { return other_; }
    // Read by as many in this epoch, so looked at before.
    bool known_read(const Cell& cell, const PtxAccessor& who) const {
        return cell.read == key(0, kManyWarps) || cell.read == key(who.meetings, kManyLanes | (who.thread & ~31u));
    }
    Conflict read(Cell& cell, const PtxAccessor& who);
    Conflict write(Cell& cell, const PtxAccessor& who);
    static uint32_t epoch_of(uint64_t key) { return static_cast<uint32_t>(key >> 32); }

private:
    static constexpr uint64_t kManyLanes = 0x4000;  // of the warp whose first thread is beside it
    static constexpr uint64_t kManyWarps = 0x8000;
    uint64_t key(uint32_t meetings, uint64_t who) const {
        return uint64_t{epoch_} << 32 | (meetings & 0xffff) << 16 | who;
    }

    uint32_t epoch_ = 0;
    uint32_t other_ = 0;
};

// The shared memory of the block that runs. By words of four bytes, of which those are looked at byte by byte that are accessed
// so.
class SharedRaces {
public:
    void begin_block(size_t n_bytes);
    void pass_barrier() { order_.next_epoch(); }
    // Aligned to their size. where: the first byte that is in conflict.
    Conflict read(uint32_t at, uint32_t n_bytes, const PtxAccessor& who, uint32_t* where) {
        return each_cell(at, n_bytes, where, [&](Cell& cell) {
            if (order_.known_read(cell, who)) return Conflict::none;
            return ThreadOrder::epoch_of(cell.write) < first_epoch_ ? Conflict::not_written : order_.read(cell, who);
        });
    }
    Conflict write(uint32_t at, uint32_t n_bytes, const PtxAccessor& who, uint32_t* where) {
        return each_cell(at, n_bytes, where, [&](Cell& cell) { return order_.write(cell, who); });
    }
    uint32_t other() const { return order_.other(); }

private:
    struct Cell : ThreadOrder::Cell {
        uint32_t split = 0;  // the block's first epoch, where the word's bytes have cells of their own
    };

    template <class Access>
    Conflict each_cell(uint32_t at, uint32_t n_bytes, uint32_t* where, Access access) {
        if (n_bytes < 4) {
            split(at / 4);
            return each_byte(at, n_bytes, where, access);
        }
        Conflict conflict = Conflict::none;
        for (uint32_t word = at / 4; word < (at + n_bytes) / 4; ++word) {
            *where = 4 * word;
            conflict =
                words_[word].split == first_epoch_ ? each_byte(4 * word, 4, where, access) : access(words_[word]);
            if (conflict != Conflict::none) break;
        }
        return conflict;
    }
    template <class Access>
    Conflict each_byte(uint32_t at, uint32_t n_bytes, uint32_t* where, Access access) {
        Conflict conflict = Conflict::none;
        for (*where = at; *where < at + n_bytes && conflict == Conflict::none; ++*where)
            conflict = access(bytes_[*where]);
        --*where;
        return conflict;
    }
    void split(uint32_t word);

    std::vector<Cell> words_, bytes_;
    ThreadOrder order_;
    uint32_t first_epoch_ = 0;
};

// The device's memory during one launch: blocks have no order, the threads of one have that of their barriers.
class GlobalRaces {
public:
    void begin_launch(uint32_t granule_bytes);
    void begin_block();
    void pass_barrier() { order_.next_epoch(); }
    Conflict read(uint64_t address, uint32_t n_bytes, const PtxAccessor& who) {
        return access<false>(address, n_bytes, who);
    }
    Conflict write(uint64_t address, uint32_t n_bytes, const PtxAccessor& who) {
        return access<true>(address, n_bytes, who);
    }
    // What the last conflict was with: a block, by the order in which they ran, or a thread of the same one; kSeveral.
    static constexpr uint32_t kSeveral = 0xffffffff;
    bool between_blocks() const { return between_blocks_; }
    uint32_t other() const { return other_; }

private:
    static constexpr uint32_t kPageBytes = 4096;
    // Numbers of blocks over all launches; of a reader twice that, and one more where there are several.
    struct Cell {
        uint32_t writer = 0, reader = 0;
        ThreadOrder::Cell threads;
    };
    using Page = std::vector<Cell>;

    template <bool write>
    Conflict access(uint64_t address, uint32_t n_bytes, const PtxAccessor& who);
    template <bool write>
    Conflict blocks_at(Cell& cell);
    Page& page(uint64_t number);
    void forget();

    std::unordered_map<uint64_t, std::unique_ptr<Page>> pages_;
    struct Recent {
        uint64_t number = ~uint64_t{0};
        Page* page = nullptr;
    };
    static constexpr size_t kRecent = 64;
    Recent recent_[kRecent];
    ThreadOrder order_;
    uint32_t shift_ = 2;  // of a granule's bytes
    uint32_t first_ = 1;
    uint32_t block_ = 0;
    uint32_t other_ = 0;
    bool between_blocks_ = false;
};

}  // namespace test
