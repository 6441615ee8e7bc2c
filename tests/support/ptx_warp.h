// A warp that executes PTX, as its instructions see it.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>

#include "tests/support/ptx_program.h"

namespace test {

class PtxMemory;

// What an instruction may not do, and the lanes that did; the warp's player says where.
struct PtxFault {
    std::string what;
    uint32_t lanes;
};

inline constexpr unsigned kPtxLanes = 32;
inline constexpr uint32_t kAllLanes = 0xffffffffu;

struct PtxWarp {
    uint8_t* file = nullptr;      // the registers' lanes
    uint32_t* written = nullptr;  // by register, the lanes that have a value
    uint32_t active = 0;          // the lanes that execute the instruction
    uint32_t index = 0;           // of the block
    uint32_t meetings = 0;        // barriers of the warp that it passed since the block's last one
    PtxMemory* memory = nullptr;
    const PtxKernel* kernel = nullptr;

    uint32_t begun = 0;     // lanes that there are
    uint32_t alive = 0;     // and that have not ended
    uint32_t at_block = 0;  // lanes that wait for the block, at pc of each
    uint32_t at_warp = 0;   // lanes that wait for others of the warp
    uint32_t pc[kPtxLanes] = {};
    uint32_t fault_pc = 0;

    // Always by the unsigned type of the register's width, predicates by uint8_t.
    template <class Word>
    Word* lanes(const PtxRegister& r) {
        return reinterpret_cast<Word*>(file + r.at);
    }
};

// Predicates are bytes, 0 or 1, but for lanes that never got one.
inline uint32_t lane_mask(const uint8_t* predicate) {
    uint32_t mask = 0;
    for (unsigned i = 0; i < 4; ++i) {
        uint64_t bytes;
        std::memcpy(&bytes, predicate + 8 * i, 8);
        bytes &= 0x0101010101010101u;
        mask |= static_cast<uint32_t>((bytes * 0x0102040810204080u) >> 56) << (8 * i);
    }
    return mask;
}

// fn(lane) for each lane of a mask.
template <class Function>
inline void for_each_lane(uint32_t mask, Function fn) {
    for (; mask != 0; mask &= mask - 1) fn(static_cast<unsigned>(std::countr_zero(mask)));
}

// Results go to the active lanes alone.
template <class Word>
inline void keep(PtxWarp& warp, const PtxRegister& to, const Word* results) {
    Word* const lanes = warp.lanes<Word>(to);
    if (warp.active == kAllLanes) {
        std::memcpy(lanes, results, kPtxLanes * sizeof(Word));
    } else {
        for_each_lane(warp.active, [&](unsigned lane) { lanes[lane] = results[lane]; });
    }
}

// Runs until all lanes have ended (true) or wait for the block at one barrier (false). Lanes that part run by turns, those at
// the lowest instruction first, which brings them together again where code is laid out as its structure is. Throws PtxFault
// and says where in fault_pc.
bool run_warp(PtxWarp& warp);

}  // namespace test
