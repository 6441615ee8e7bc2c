// See ptx_races.h.
#include "tests/support/ptx_races.h"

#include <bit>

namespace test {
namespace {

constexpr uint16_t kThread = 0x3ff;
constexpr uint16_t kManyLanes = 0x4000;  // of the warp of the thread beside it
constexpr uint16_t kManyWarps = 0x8000;

uint32_t warp_of(uint32_t thread) { return (thread & kThread) / 32; }

}  // namespace

void SharedRaces::begin_block(size_t n_granules) {
    if (cells_.size() < n_granules) cells_.resize(n_granules);
    if (epoch_ > 0xf0000000u) {
        cells_.assign(cells_.size(), Cell{});
        epoch_ = 0;
    }
    first_epoch_ = ++epoch_;
}

Conflict SharedRaces::read(size_t granule, const PtxAccessor& who) {
    Cell& cell = cells_[granule];
    if (cell.write_epoch < first_epoch_) return Conflict::not_written;
    if (cell.write_epoch == epoch_ && cell.writer != who.thread &&
        (warp_of(cell.writer) != warp_of(who.thread) || cell.write_meeting == who.meetings)) {
        other_ = cell.writer;
        return Conflict::read_after_write;
    }
    const auto thread = static_cast<uint16_t>(who.thread);
    if (cell.read_epoch != epoch_) {
        cell.read_epoch = epoch_;
        cell.reader = thread;
        cell.read_meeting = who.meetings;
    } else if ((cell.reader & kManyWarps) != 0) {
        return Conflict::none;
    } else if (warp_of(cell.reader) != warp_of(thread)) {
        cell.reader = kManyWarps;
    } else if (cell.read_meeting != who.meetings) {  // those before are in order with all of the warp
        cell.reader = thread;
        cell.read_meeting = who.meetings;
    } else if (cell.reader != thread) {
        cell.reader |= kManyLanes;
    }
    return Conflict::none;
}

Conflict SharedRaces::write(size_t granule, const PtxAccessor& who) {
    Cell& cell = cells_[granule];
    Conflict conflict = Conflict::none;
    if (cell.write_epoch == epoch_ && cell.writer != who.thread &&
        (warp_of(cell.writer) != warp_of(who.thread) || cell.write_meeting == who.meetings)) {
        other_ = cell.writer;
        conflict = Conflict::write_after_write;
    }
    if (cell.read_epoch == epoch_) {
        const bool same_warp = (cell.reader & kManyWarps) == 0 && warp_of(cell.reader) == warp_of(who.thread);
        if (!same_warp || (cell.read_meeting == who.meetings && cell.reader != who.thread)) {
            other_ = (cell.reader & (kManyWarps | kManyLanes)) != 0 ? kSeveral : cell.reader;
            return Conflict::write_after_read;
        }
    }
    cell.write_epoch = epoch_;
    cell.writer = static_cast<uint16_t>(who.thread);
    cell.write_meeting = who.meetings;
    return conflict;
}

void GlobalRaces::begin_launch(uint32_t granule_bytes) {
    if (block_ > 0x70000000u) {
        pages_.clear();
        for (Recent& recent : recent_) recent = {};
        block_ = 0;
    }
    granule_ = granule_bytes;
    shift_ = static_cast<uint32_t>(std::countr_zero(granule_bytes));
    first_ = block_ + 1;
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

// Accesses are aligned to their size, so they lie within a page.
template <bool write>
Conflict GlobalRaces::each_granule(uint64_t address, uint32_t n_bytes) {
    Cell* cell = page(address / kPageBytes).data() + (address % kPageBytes >> shift_);
    Conflict conflict = Conflict::none;
    for (Cell* const end = cell + (n_bytes >> shift_); cell != end; ++cell) {
        if (cell->writer >= first_ && cell->writer != block_) {
            other_ = cell->writer - first_;
            conflict = write ? Conflict::write_after_write : Conflict::read_after_write;
        }
        if (write) {
            if (cell->reader >= 2 * first_ && cell->reader != 2 * block_) {
                other_ = (cell->reader & 1) != 0 ? kSeveral : cell->reader / 2 - first_;
                conflict = Conflict::write_after_read;
            }
            cell->writer = block_;
        } else if (cell->reader < 2 * first_) {
            cell->reader = 2 * block_;
        } else if (cell->reader != 2 * block_) {
            cell->reader |= 1;
        }
    }
    return conflict;
}

template Conflict GlobalRaces::each_granule<false>(uint64_t, uint32_t);
template Conflict GlobalRaces::each_granule<true>(uint64_t, uint32_t);

}  // namespace test
