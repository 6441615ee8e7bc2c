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

// The shared memory of the block that runs. By words of four bytes, of which those are looked at byte by byte that are accessed
// so. What a cell holds is of one number, so that the usual case is a comparison: epoch, meeting, thread.
class SharedRaces {
public:
    void begin_block(size_t n_bytes);
    void pass_barrier() { ++epoch_; }
    // Aligned to their size. where: the first byte that is in conflict.
    Conflict read(uint32_t at, uint32_t n_bytes, const PtxAccessor& who, uint32_t* where) {
        return each_cell(at, n_bytes, where, [&](Cell& cell) { return read_cell(cell, who); });
    }
    Conflict write(uint32_t at, uint32_t n_bytes, const PtxAccessor& who, uint32_t* where) {
        return each_cell(at, n_bytes, where, [&](Cell& cell) { return write_cell(cell, who); });
    }
    // The thread that the conflict was with; kSeveral where it was with more than one.
    static constexpr uint32_t kSeveral = 0xffff;
    uint32_t other() const { return other_; }

private:
    static constexpr uint64_t kManyLanes = 0x4000;  // of the warp whose first thread is beside it
    static constexpr uint64_t kManyWarps = 0x8000;
    struct Cell {
        uint64_t write = 0, read = 0;
        uint32_t split = 0;  // the block's number, where the word's bytes have cells of their own
    };

    uint64_t key(uint32_t meetings, uint64_t who) const { return uint64_t{epoch_} << 32 | (meetings & 0xffff) << 16 | who; }

    template <class Access>
    Conflict each_cell(uint32_t at, uint32_t n_bytes, uint32_t* where, Access access) {
        if (n_bytes < 4) {
            split(at / 4);
            return each_byte(at, n_bytes, where, access);
        }
        Conflict conflict = Conflict::none;
        for (uint32_t word = at / 4; word < (at + n_bytes) / 4; ++word) {
            *where = 4 * word;
            conflict = words_[word].split == first_epoch_ ? each_byte(4 * word, 4, where, access) : access(words_[word]);
            if (conflict != Conflict::none) break;
        }
        return conflict;
    }
    template <class Access>
    Conflict each_byte(uint32_t at, uint32_t n_bytes, uint32_t* where, Access access) {
        Conflict conflict = Conflict::none;
        for (*where = at; *where < at + n_bytes && conflict == Conflict::none; ++*where) conflict = access(bytes_[*where]);
        --*where;
        return conflict;
    }
    Conflict read_cell(Cell& cell, const PtxAccessor& who) {
        // Read by as many in this epoch, so looked at before.
        if (cell.read == key(0, kManyWarps) || cell.read == key(who.meetings, kManyLanes | (who.thread & ~31u))) {
            return Conflict::none;
        }
        return first_read(cell, who);
    }
    Conflict first_read(Cell& cell, const PtxAccessor& who);
    Conflict write_cell(Cell& cell, const PtxAccessor& who);
    void split(uint32_t word);

    std::vector<Cell> words_, bytes_;
    uint32_t epoch_ = 0;  // one more with every barrier and block, so that nothing needs to be cleared
    uint32_t first_epoch_ = 0;
    uint32_t other_ = 0;
};

// The device's memory during one launch, in which blocks have no order.
class GlobalRaces {
public:
    void begin_launch(uint32_t granule_bytes);
    void begin_block() { ++block_; }
    Conflict read(uint64_t address, uint32_t n_bytes) { return each_granule<false>(address, n_bytes); }
    Conflict write(uint64_t address, uint32_t n_bytes) { return each_granule<true>(address, n_bytes); }
    // The block that the conflict was with, by the order in which they ran; kSeveral.
    static constexpr uint32_t kSeveral = 0xffffffff;
    uint32_t other() const { return other_; }

private:
    static constexpr uint32_t kPageBytes = 4096;
    // Numbers of blocks over all launches; of a reader twice that, and one more where there are several.
    struct Cell {
        uint32_t writer = 0, reader = 0;
    };
    using Page = std::vector<Cell>;

    template <bool write>
    Conflict each_granule(uint64_t address, uint32_t n_bytes);
    Page& page(uint64_t number);

    std::unordered_map<uint64_t, std::unique_ptr<Page>> pages_;
    struct Recent {
        uint64_t number = ~uint64_t{0};
        Page* page = nullptr;
    };
    static constexpr size_t kRecent = 64;
    Recent recent_[kRecent];
    uint32_t granule_ = 4;
    uint32_t shift_ = 2;
    uint32_t first_ = 1;
    uint32_t block_ = 0;
    uint32_t other_ = 0;
};

}  // namespace test
