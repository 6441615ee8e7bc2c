// The memory of a launch as its threads reach it: the device's, the block's shared memory, the parameters. Every access is
// checked: within what there is, aligned to its size, of shared bytes that somebody wrote, in no race.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/support/ptx_races.h"
#include "tests/support/ptx_warp.h"

namespace test {

// What a device has allocated.
class PtxDeviceMemory {
public:
    virtual ~PtxDeviceMemory() = default;
    // The allocation that holds an address; false where none does.
    virtual bool find(uint64_t address, uint64_t* begin, uint64_t* n_bytes) = 0;
};

class PtxMemory {
public:
    void begin_launch(const PtxKernel& kernel, PtxDeviceMemory& device, const void* parameters, uint32_t shared_bytes);
    void begin_block();
    void pass_barrier() {
        shared_races_.pass_barrier();
        global_races_.pass_barrier();
    }

    // Where the active lanes' bytes are, of an access that is checked. stored: what a store would put there, element after
    // element of 32 lanes; nullptr for loads. Throws PtxFault.
    void reach(PtxWarp& warp, const PtxInstruction& i, const uint64_t (*stored)[kPtxLanes], uint8_t** at);

private:
    void reach_global(const PtxWarp& warp, const PtxInstruction& i, const uint64_t* address, uint32_t lanes,
                      const uint64_t (*stored)[kPtxLanes], uint8_t** at);
    void reach_shared(const PtxWarp& warp, const PtxInstruction& i, const uint64_t* address, uint32_t lanes,
                      const uint64_t (*stored)[kPtxLanes], uint8_t** at);
    bool same_store(const uint64_t* address, uint32_t lanes, unsigned lane, unsigned other, const PtxInstruction& i,
                    const uint64_t (*stored)[kPtxLanes]) const;
    bool allocated(uint64_t begin, uint64_t end);

    PtxDeviceMemory* device_ = nullptr;
    struct Range {
        uint64_t begin = 0, end = 0;
    };
    static constexpr unsigned kRanges = 8;
    Range ranges_[kRanges];  // found lately
    unsigned next_range_ = 0;
    const uint8_t* parameters_ = nullptr;
    uint32_t parameter_bytes_ = 0;
    std::vector<uint8_t> shared_;
    uint32_t shared_bytes_ = 0;
    SharedRaces shared_races_;
    GlobalRaces global_races_;
};

// nullptr where a register of register_bytes cannot hold an element.
PtxRun ptx_load(unsigned element_bytes, unsigned register_bytes, bool with_sign);
PtxRun ptx_store(unsigned element_bytes, unsigned register_bytes);

}  // namespace test
