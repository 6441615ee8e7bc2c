// See ptx_memory.h.
#include "tests/support/ptx_memory.h"

#include <algorithm>
#include <cstdio>
#include <string>

#include "tests/support/ptx_lanes.h"

namespace test {
namespace {

std::string hexadecimal(uint64_t number) {
    char text[24];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(number));
    return text;
}

std::string bytes_at(const PtxInstruction& i, uint64_t address) {
    return std::to_string(i.element_bytes * i.n_elements) + " bytes at " + hexadecimal(address);
}

const char* name_of(Conflict conflict) {
    switch (conflict) {
        case Conflict::read_after_write: return "reads what another one writes";
        case Conflict::write_after_read: return "writes what another one reads";
        case Conflict::write_after_write: return "writes what another one writes";
        default: return "";
    }
}

// Those of the next lanes that have the address of lane l.
uint32_t same_address(const uint64_t* address, uint32_t left, unsigned l, bool* several) {
    uint32_t same = 0;
    for (; left != 0 && address[std::countr_zero(left)] == address[l]; left &= left - 1) same |= left & (0 - left);
    *several = same != 0;
    return same;
}

template <class Element, class Word>
void load(PtxWarp& warp, const PtxInstruction& i) {
    uint8_t* at[kPtxLanes];
    warp.memory->reach(warp, i, nullptr, at);
    for (unsigned e = 0; e < i.n_elements; ++e) {
        Word* const to = warp.lanes<Word>(warp.kernel->vectors[i.vector + e]);
        for_each_lane(warp.active, [&](unsigned lane) {
            Element element;
            std::memcpy(&element, at[lane] + e * sizeof element, sizeof element);
            to[lane] = static_cast<Word>(element);
        });
    }
}

template <class Element, class Word>
void store(PtxWarp& warp, const PtxInstruction& i) {
    uint64_t stored[4][kPtxLanes];
    for (unsigned e = 0; e < i.n_elements; ++e) {
        const Word* const from = warp.lanes<Word>(warp.kernel->vectors[i.vector + e]);
        for (unsigned lane = 0; lane < kPtxLanes; ++lane) stored[e][lane] = static_cast<Element>(from[lane]);
    }
    uint8_t* at[kPtxLanes];
    warp.memory->reach(warp, i, stored, at);
    for_each_lane(warp.active, [&](unsigned lane) {
        for (unsigned e = 0; e < i.n_elements; ++e) {
            const auto element = static_cast<Element>(stored[e][lane]);
            std::memcpy(at[lane] + e * sizeof element, &element, sizeof element);
        }
    });
}

template <class Word>
PtxRun load_to(unsigned element_bytes, bool with_sign) {
    if (element_bytes > sizeof(Word)) return nullptr;
    switch (element_bytes) {
        case 1: return with_sign ? load<int8_t, Word> : load<uint8_t, Word>;
        case 2: return with_sign ? load<int16_t, Word> : load<uint16_t, Word>;
        case 4: return with_sign ? load<int32_t, Word> : load<uint32_t, Word>;
        case 8: return load<uint64_t, Word>;
        default: return nullptr;
    }
}

template <class Word>
PtxRun store_from(unsigned element_bytes) {
    if (element_bytes > sizeof(Word)) return nullptr;
    switch (element_bytes) {
        case 1: return store<uint8_t, Word>;
        case 2: return store<uint16_t, Word>;
        case 4: return store<uint32_t, Word>;
        case 8: return store<uint64_t, Word>;
        default: return nullptr;
    }
}

}  // namespace

PtxRun ptx_load(unsigned element_bytes, unsigned register_bytes, bool with_sign) {
    if (register_bytes == 2) return load_to<uint16_t>(element_bytes, with_sign);
    if (register_bytes == 4) return load_to<uint32_t>(element_bytes, with_sign);
    return register_bytes == 8 ? load_to<uint64_t>(element_bytes, with_sign) : nullptr;
}

PtxRun ptx_store(unsigned element_bytes, unsigned register_bytes) {
    if (register_bytes == 2) return store_from<uint16_t>(element_bytes);
    if (register_bytes == 4) return store_from<uint32_t>(element_bytes);
    return register_bytes == 8 ? store_from<uint64_t>(element_bytes) : nullptr;
}

void PtxMemory::begin_launch(const PtxKernel& kernel, PtxDeviceMemory& device, const void* parameters,
                             uint32_t shared_bytes) {
    device_ = &device;
    for (Range& range : ranges_) range = {};
    parameters_ = static_cast<const uint8_t*>(parameters);
    parameter_bytes_ = kernel.parameter_bytes;
    shared_bytes_ = shared_bytes;
    shared_.resize(shared_bytes);
    global_races_.begin_launch(kernel.global_granule);
}

void PtxMemory::begin_block() {
    // What is left of another block nobody can read: it counts as not written.
    shared_races_.begin_block(shared_bytes_);
    global_races_.begin_block();
}

bool PtxMemory::allocated(uint64_t begin, uint64_t end) {
    for (const Range& range : ranges_) {
        if (begin >= range.begin && end <= range.end) return true;
    }
    uint64_t from = 0;
    uint64_t n_bytes = 0;
    if (end < begin || !device_->find(begin, &from, &n_bytes) || end - from > n_bytes) return false;
    ranges_[next_range_++ % kRanges] = {from, from + n_bytes};
    return true;
}

void PtxMemory::reach(PtxWarp& warp, const PtxInstruction& i, const uint64_t (*stored)[kPtxLanes], uint8_t** at) {
    uint64_t address[kPtxLanes];
    if (i.address_bytes == 4) {
        const auto* base = warp.lanes<uint32_t>(i.operand[1]);
        for (unsigned l = 0; l < kPtxLanes; ++l) address[l] = base[l] + static_cast<uint64_t>(i.displacement);
    } else {
        const auto* base = warp.lanes<uint64_t>(i.operand[1]);
        for (unsigned l = 0; l < kPtxLanes; ++l) address[l] = base[l] + static_cast<uint64_t>(i.displacement);
    }
    const uint32_t n_bytes = i.element_bytes * i.n_elements;
    uint32_t astray = 0;
    for (unsigned l = 0; l < kPtxLanes; ++l) astray |= static_cast<uint32_t>((address[l] & (n_bytes - 1)) != 0) << l;
    if (astray &= warp.active; astray != 0) {
        const auto first = static_cast<unsigned>(std::countr_zero(astray));
        throw PtxFault{"memcheck: " + bytes_at(i, address[first]) + " are not aligned to their size", astray};
    }
    switch (i.space) {
        case PtxSpace::parameters:
            for_each_lane(warp.active, [&](unsigned l) {
                if (address[l] > parameter_bytes_ || n_bytes > parameter_bytes_ - address[l]) {
                    throw PtxFault{"memcheck: " + bytes_at(i, address[l]) + " of the parameters, of which there are " +
                                       std::to_string(parameter_bytes_),
                                   1u << l};
                }
                at[l] = const_cast<uint8_t*>(parameters_) + address[l];  // nothing stores there
            });
            break;
        case PtxSpace::shared: reach_shared(warp, i, address, warp.active, stored, at); break;
        case PtxSpace::global: reach_global(warp, i, address, warp.active, stored, at); break;
        case PtxSpace::generic: {
            uint32_t in_shared = 0;
            for (unsigned l = 0; l < kPtxLanes; ++l) {
                if (address[l] < kSharedWindow) continue;
                in_shared |= 1u << l;
                address[l] -= kSharedWindow;
            }
            if ((warp.active & in_shared) != 0) reach_shared(warp, i, address, warp.active & in_shared, stored, at);
            if ((warp.active & ~in_shared) != 0) {
                reach_global(warp, i, address, warp.active & ~in_shared, stored, at);
            }
            break;
        }
    }
}

void PtxMemory::reach_global(const PtxWarp& warp, const PtxInstruction& i, const uint64_t* address, uint32_t lanes,
                             const uint64_t (*stored)[kPtxLanes], uint8_t** at) {
    const uint32_t n_bytes = i.element_bytes * i.n_elements;
    uint64_t least = ~uint64_t{0};
    uint64_t most = 0;
    for_each_lane(lanes, [&](unsigned l) {
        least = std::min(least, address[l]);
        most = std::max(most, address[l]);
    });
    if (most + n_bytes < most || !allocated(least, most + n_bytes)) {  // or of several allocations
        for_each_lane(lanes, [&](unsigned l) {
            if (address[l] + n_bytes >= n_bytes && allocated(address[l], address[l] + n_bytes)) return;
            throw PtxFault{"memcheck: " + bytes_at(i, address[l]) + " are not within an allocation of the device",
                           1u << l};
        });
    }
    for_each_lane(lanes, [&](unsigned l) { at[l] = reinterpret_cast<uint8_t*>(static_cast<uintptr_t>(address[l])); });
    for (uint32_t left = lanes; left != 0;) {
        const auto l = static_cast<unsigned>(std::countr_zero(left));
        left &= left - 1;
        PtxAccessor who = {warp.index * kPtxLanes + l, warp.meetings};
        Conflict conflict = Conflict::none;
        if (stored == nullptr) {
            left &= ~same_address(address, left, l, &who.several);
            conflict = global_races_.read(address[l], n_bytes, who);
        } else {
            conflict = global_races_.write(address[l], n_bytes, who);
        }
        if (conflict == Conflict::none) continue;
        const uint32_t other = global_races_.other();
        const bool blocks = global_races_.between_blocks();
        if (!blocks && conflict == Conflict::write_after_write && other / kPtxLanes == warp.index &&
            same_store(address, lanes, l, other % kPtxLanes, i, stored)) {
            left |= 1u << l;  // the rest of its bytes
            continue;
        }
        const std::string what = blocks ? "block" : "thread";
        throw PtxFault{"racecheck: " + bytes_at(i, address[l]) + ": a " + what + " " + name_of(conflict) + " (" +
                           (other == GlobalRaces::kSeveral ? "several " + what + "s"
                            : blocks                       ? "the block that ran as number " + std::to_string(other)
                                                           : "thread " + std::to_string(other)) +
                           ")",
                       1u << l};
    }
}

void PtxMemory::reach_shared(const PtxWarp& warp, const PtxInstruction& i, const uint64_t* address, uint32_t lanes,
                             const uint64_t (*stored)[kPtxLanes], uint8_t** at) {
    const uint32_t n_bytes = i.element_bytes * i.n_elements;
    for_each_lane(lanes, [&](unsigned l) {
        if (address[l] > shared_bytes_ || n_bytes > shared_bytes_ - address[l]) {
            throw PtxFault{"memcheck: " + bytes_at(i, address[l]) + " of shared memory, of which the block has " +
                               std::to_string(shared_bytes_),
                           1u << l};
        }
        at[l] = shared_.data() + address[l];
    });
    uint32_t where = 0;
    for (uint32_t left = lanes; left != 0;) {
        const auto l = static_cast<unsigned>(std::countr_zero(left));
        left &= left - 1;
        PtxAccessor who = {warp.index * kPtxLanes + l, warp.meetings};
        const auto to = static_cast<uint32_t>(address[l]);
        Conflict conflict = Conflict::none;
        if (stored == nullptr) {
            left &= ~same_address(address, left, l, &who.several);
            conflict = shared_races_.read(to, n_bytes, who, &where);
        } else {
            conflict = shared_races_.write(to, n_bytes, who, &where);
        }
        if (conflict == Conflict::none) continue;
        if (conflict == Conflict::not_written) {
            throw PtxFault{
                "initcheck: " + bytes_at(i, to) + " of shared memory: nobody wrote the one at " + hexadecimal(where),
                1u << l};
        }
        const uint32_t other = shared_races_.other();
        if (conflict == Conflict::write_after_write && other / kPtxLanes == warp.index &&
            same_store(address, lanes, l, other % kPtxLanes, i, stored)) {
            left |= 1u << l;  // the rest of its bytes
            continue;
        }
        throw PtxFault{"racecheck: " + bytes_at(i, to) + " of shared memory: a thread " + name_of(conflict) + " (" +
                           (other == ThreadOrder::kSeveral ? "several threads" : "thread " + std::to_string(other)) +
                           ")",
                       1u << l};
    }
}

// Whether two lanes store the same to the same place, in the same instruction.
bool PtxMemory::same_store(const uint64_t* address, uint32_t lanes, unsigned lane, unsigned other,
                           const PtxInstruction& i, const uint64_t (*stored)[kPtxLanes]) const {
    if (other >= lane || (lanes >> other & 1) == 0 || address[lane] != address[other]) return false;
    for (unsigned e = 0; e < i.n_elements; ++e) {
        if (stored[e][lane] != stored[e][other]) return false;
    }
    return true;
}

}  // namespace test
