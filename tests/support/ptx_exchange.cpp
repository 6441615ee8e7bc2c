// See ptx_ops.h. What lanes give each other, and registers that are packed into one: shuffles, the tensor cores' products.
#include <string>

#include "tests/support/ptx_lanes.h"
#include "tests/support/ptx_ops.h"

namespace test {
namespace {

template <class Whole, class Part>
void pack(PtxWarp& warp, const PtxInstruction& i) {
    Whole results[kPtxLanes] = {};
    for (unsigned part = 0; part * sizeof(Part) < sizeof(Whole); ++part) {
        const auto* from = warp.lanes<Part>(warp.kernel->vectors[i.vector + part]);
        for (unsigned l = 0; l < kPtxLanes; ++l) results[l] |= static_cast<Whole>(from[l]) << (8 * sizeof(Part) * part);
    }
    keep(warp, i.operand[0], results);
}

template <class Whole, class Part>
void unpack(PtxWarp& warp, const PtxInstruction& i) {
    Whole whole[kPtxLanes];
    std::memcpy(whole, warp.lanes<Whole>(i.operand[1]), sizeof whole);
    for (unsigned part = 0; part * sizeof(Part) < sizeof(Whole); ++part) {
        Part results[kPtxLanes];
        for (unsigned l = 0; l < kPtxLanes; ++l) results[l] = static_cast<Part>(whole[l] >> (8 * sizeof(Part) * part));
        keep(warp, warp.kernel->vectors[i.vector + part], results);
    }
}

enum class Shuffle { bfly, idx, up, down };

// Operands: result, value, lane, clamp and segment; vector: a predicate, the members.
template <Shuffle mode>
void shuffle(PtxWarp& warp, const PtxInstruction& i) {
    uint32_t results[kPtxLanes] = {};
    uint8_t in_range[kPtxLanes] = {};
    const auto* value = warp.lanes<uint32_t>(i.operand[1]);
    const auto* b = warp.lanes<uint32_t>(i.operand[2]);
    const auto* c = warp.lanes<uint32_t>(i.operand[3]);
    uint32_t astray = 0;
    for (unsigned lane = 0; lane < kPtxLanes; ++lane) {
        const int segment = static_cast<int>(c[lane] >> 8 & 31);
        const int clamp = static_cast<int>(c[lane] & 31);
        const int by = static_cast<int>(b[lane] & 31);
        const int self = static_cast<int>(lane);
        const int first = self & segment;
        const int last = first | (clamp & ~segment);
        int from = self;
        bool in = false;
        switch (mode) {
            case Shuffle::bfly: from = self ^ by, in = from <= last; break;
            case Shuffle::idx: from = first | (by & ~segment), in = from <= last; break;
            case Shuffle::up: from = self - by, in = from >= last; break;
            case Shuffle::down: from = self + by, in = from <= last; break;
        }
        if (!in) from = self;
        results[lane] = value[from];
        in_range[lane] = in ? 1 : 0;
        if ((warp.active >> from & 1) == 0) astray |= 1u << lane;
    }
    if ((astray & warp.active) != 0) {
        throw PtxFault{"synccheck: a value is asked of a lane that is not there", astray & warp.active};
    }
    keep(warp, i.operand[0], results);
    keep(warp, warp.kernel->vectors[i.vector], in_range);
}

void spread(uint32_t word, int16_t* to) {
    for (unsigned k = 0; k < 4; ++k) to[k] = static_cast<int8_t>(word >> (8 * k));
}

// d = a * b + c modulo 2^32; vector: d, a, b, c. As the ISA has the fragments: lane 4 g + t holds rows g, and g + 8 of sixteen,
// of a, column g of b, and for each row columns 2 t and 2 t + 1 of c and d; a word is k = 4 t to 4 t + 3, from 16 on in the
// next.
template <unsigned rows, unsigned depth>
void product(PtxWarp& warp, const PtxInstruction& i) {
    constexpr unsigned kRowGroups = rows / 8, kWords = depth / 16;
    int16_t a[rows][depth];
    int16_t b[8][depth];
    const PtxRegister* next = &warp.kernel->vectors[i.vector];
    const PtxRegister* const d = next;
    next += 2 * kRowGroups;
    for (unsigned word = 0; word < kWords; ++word) {
        for (unsigned group = 0; group < kRowGroups; ++group) {
            const auto* lanes = warp.lanes<uint32_t>(*next++);
            for (unsigned l = 0; l < kPtxLanes; ++l) spread(lanes[l], a[l / 4 + 8 * group] + l % 4 * 4 + 16 * word);
        }
    }
    for (unsigned word = 0; word < kWords; ++word) {
        const auto* lanes = warp.lanes<uint32_t>(*next++);
        for (unsigned l = 0; l < kPtxLanes; ++l) spread(lanes[l], b[l / 4] + l % 4 * 4 + 16 * word);
    }
    for (unsigned group = 0; group < kRowGroups; ++group) {
        for (unsigned odd = 0; odd < 2; ++odd) {
            uint32_t results[kPtxLanes];
            const auto* c = warp.lanes<uint32_t>(next[2 * group + odd]);
            for (unsigned l = 0; l < kPtxLanes; ++l) {
                const int16_t* const row = a[l / 4 + 8 * group];
                const int16_t* const column = b[l % 4 * 2 + odd];
                int32_t sum = 0;
                for (unsigned k = 0; k < depth; ++k) sum += row[k] * column[k];
                results[l] = c[l] + static_cast<uint32_t>(sum);
            }
            keep(warp, d[2 * group + odd], results);
        }
    }
}

}  // namespace

PtxRun ptx_pack(unsigned element_bytes, unsigned n) {
    if (element_bytes == 2 && n == 2) return pack<uint32_t, uint16_t>;
    if (element_bytes == 2 && n == 4) return pack<uint64_t, uint16_t>;
    if (element_bytes == 4 && n == 2) return pack<uint64_t, uint32_t>;
    return nullptr;
}

PtxRun ptx_unpack(unsigned element_bytes, unsigned n) {
    if (element_bytes == 2 && n == 2) return unpack<uint32_t, uint16_t>;
    if (element_bytes == 2 && n == 4) return unpack<uint64_t, uint16_t>;
    if (element_bytes == 4 && n == 2) return unpack<uint64_t, uint32_t>;
    return nullptr;
}

PtxRun ptx_shuffle(std::string_view mode) {
    if (mode == "bfly") return shuffle<Shuffle::bfly>;
    if (mode == "idx") return shuffle<Shuffle::idx>;
    if (mode == "up") return shuffle<Shuffle::up>;
    if (mode == "down") return shuffle<Shuffle::down>;
    return nullptr;
}

PtxRun ptx_product(unsigned rows, unsigned depth) {
    if (rows == 16 && depth == 32) return product<16, 32>;
    if (rows == 8 && depth == 16) return product<8, 16>;
    return nullptr;
}

}  // namespace test
