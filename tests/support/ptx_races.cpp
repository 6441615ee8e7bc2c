// See ptx_races.h.
#include "tests/support/ptx_races.h"

#include <bit>

namespace test {
namespace {

uint32_t meeting_of(uint64_t key) { return static_cast<uint32_t>(key >> 16) & 0xffff; }
uint32_t thread_of(uint64_t key) { return static_cast<uint32_t>(key) & 0x3ff; }

}  // namespace

bool ThreadOrder::next_epoch() {
    const bool over = epoch_ > 0xf0000000u;
    epoch_ = over ? 1 : epoch_ + 1;
    return over;
}

Conflict ThreadOrder::read(Cell& cell, const PtxAccessor& who) {
    const uint32_t warp = who.thread / 32;
    const uint32_t meeting = who.meetings & 0xffff;
    if (epoch_of(cell.write) == epoch_ && (thread_of(cell.write) != who.thread || who.several) &&
        (thread_of(cell.write) / 32 != warp || meeting_of(cell.write) == meeting)) {
        other_ = thread_of(cell.write);
        return Conflict::read_after_write;
    }
    const uint64_t self = who.several ? kManyLanes | (who.thread & ~31u) : who.thread;
    if (epoch_of(cell.read) != epoch_) {
        cell.read = key(meeting, self);
    } else if (thread_of(cell.read) / 32 != warp) {
        cell.read = key(0, kManyWarps);
    } else if (meeting_of(cell.read) != meeting) {  // those before are in order with all of the warp
        cell.read = key(meeting, self);
    } else if (cell.read != key(meeting, self)) {
        cell.read = key(meeting, kManyLanes | (who.thread & ~31u));
    }
    return Conflict::none;
}

Conflict ThreadOrder::write(Cell& cell, const PtxAccessor& who) {
    const uint32_t warp = who.thread / 32;
    const uint32_t meeting = who.meetings & 0xffff;
    Conflict conflict = Conflict::none;
    if (epoch_of(cell.write) == epoch_ && thread_of(cell.write) != who.thread &&
        (thread_of(cell.write) / 32 != warp || meeting_of(cell.write) == meeting)) {
        other_ = thread_of(cell.write);
        conflict = Conflict::write_after_write;
    }
    if (epoch_of(cell.read) == epoch_) {
        const bool same_warp = (cell.read & kManyWarps) == 0 && thread_of(cell.read) / 32 == warp;
        if (!same_warp || (meeting_of(cell.read) == meeting && cell.read != key(meeting, who.thread))) {
            other_ = (cell.read & (kManyWarps | kManyLanes)) != 0 ? kSeveral : thread_of(cell.read);
            return Conflict::write_after_read;
        }
    }
    cell.write = key(meeting, who.thread);
    return conflict;
}

void SharedRaces::begin_block(size_t n_bytes) {
    if (words_.size() < n_bytes / 4 + 1) words_.resize(n_bytes / 4 + 1);
    if (order_.next_epoch()) {
        words_.assign(words_.size(), Cell{});
        bytes_.assign(bytes_.size(), Cell{});
    }
    first_epoch_ = order_.epoch();
}

void SharedRaces::split(uint32_t word) {
    if (words_[word].split == first_epoch_) return;
    words_[word].split = first_epoch_;
    if (bytes_.size() < 4 * words_.size()) bytes_.resize(4 * words_.size());
    for (uint32_t byte = 4 * word; byte < 4 * word + 4; ++byte) bytes_[byte] = words_[word];
}

void GlobalRaces::forget() {
    pages_.clear();
    for (Recent& recent : recent_) recent = {};
}

void GlobalRaces::begin_launch(uint32_t granule_bytes) {
    if (block_ > 0x70000000u) {
        forget();
        block_ = 0;
    }
    shift_ = static_cast<uint32_t>(std::countr_zero(granule_bytes));
    first_ = block_ + 1;
}

void GlobalRaces::begin_block() {
    ++block_;
    if (order_.next_epoch()) forget();
}

GlobalRaces::Page& GlobalRaces::page(uint64_t number) {
    Recent& recent = recent_[number % kRecent];
    if (recent.number != number) {
        std::unique_ptr<Page>& found = pages_[number];
        if (found == nullptr) found = std::make_unique<Page>();
        recent = {number, found.get()};
    }
    if (recent.page->size() < kPageBytes >> shift_) recent.page->resize(kPageBytes >> shift_);
    return *recent.page;
}

template <bool write>
Conflict GlobalRaces::blocks_at(Cell& cell) {
    if (cell.writer >= first_ && cell.writer != block_) {
        other_ = cell.writer - first_;
        return write ? Conflict::write_after_write : Conflict::read_after_write;
    }
    if (write) {
        if (cell.reader >= 2 * first_ && cell.reader != 2 * block_) {
            other_ = (cell.reader & 1) != 0 ? kSeveral : cell.reader / 2 - first_;
            return Conflict::write_after_read;
        }
        cell.writer = block_;
    } else if (cell.reader < 2 * first_) {
        cell.reader = 2 * block_;
    } else if (cell.reader != 2 * block_) {
        cell.reader |= 1;
    }
    return Conflict::none;
}

// Accesses are aligned to their size, so they lie within a page.
template <bool write>
Conflict GlobalRaces::access(uint64_t address, uint32_t n_bytes, const PtxAccessor& who) {
    Cell* cell = page(address / kPageBytes).data() + (address % kPageBytes >> shift_);
    for (Cell* const end = cell + (n_bytes >> shift_); cell != end; ++cell) {
        const Conflict blocks = blocks_at<write>(*cell);
        between_blocks_ = blocks != Conflict::none;
        if (between_blocks_) return blocks;
        if (!write && order_.known_read(cell->threads, who)) continue;
        const Conflict threads = write ? order_.write(cell->threads, who) : order_.read(cell->threads, who);
        if (threads == Conflict::none) continue;
        other_ = order_.other() == ThreadOrder::kSeveral ? kSeveral : order_.other();
        return threads;
    }
    return Conflict::none;
}

template Conflict GlobalRaces::access<false>(uint64_t, uint32_t, const PtxAccessor&);
template Conflict GlobalRaces::access<true>(uint64_t, uint32_t, const PtxAccessor&);

}  // namespace test
