// Who touched which memory without waiting: what compute-sanitizer's racecheck and initcheck look for, and races between
// blocks besides. By granules, the smallest pieces that a kernel accesses.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace test {

enum class Conflict : uint8_t { none, not_written, read_after_write, write_after_read, write_after_write };

// Who accesses: a thread at a time.
struct PtxAccessor {
    uint32_t thread;    // of its block
    uint32_t meetings;  // of its warp so far
};

// The shared memory of the block that runs.
class SharedRaces {
public:
    void begin_block(size_t n_granules);
    void pass_barrier() { ++epoch_; }
    Conflict read(size_t granule, const PtxAccessor& who);
    Conflict write(size_t granule, const PtxAccessor& who);
    // Who the conflict was with; kSeveral where it was with more than one.
    static constexpr uint32_t kSeveral = 0xffff;
    uint32_t other() const { return other_; }

private:
    struct Cell {
        uint32_t write_epoch = 0, read_epoch = 0;
        uint32_t write_meeting = 0, read_meeting = 0;
        uint16_t writer = 0, reader = 0;
    };
    std::vector<Cell> cells_;
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
