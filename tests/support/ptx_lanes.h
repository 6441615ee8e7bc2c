// Loops over a warp's lanes that compilers make vectors of, for the files that say what instructions do: everything is
// computed for all lanes, and kept for those that are active.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "tests/support/ptx_warp.h"

namespace test {

template <unsigned n_bytes>
using PtxWord = std::conditional_t<
    n_bytes == 1, uint8_t,
    std::conditional_t<n_bytes == 2, uint16_t, std::conditional_t<n_bytes == 4, uint32_t, uint64_t>>>;
template <class T>
using WordOf = PtxWord<sizeof(T)>;

// Wide enough that neither sums nor products of its unsigned numbers become signed ones.
template <class T>
using Modular = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

template <class T>
T lane_value(const WordOf<T>* words, unsigned lane) {
    return std::bit_cast<T>(words[lane]);
}

// F::of of what the lanes of one, two or three sources hold.
template <class T, class F>
void ptx_unary(PtxWarp& warp, const PtxInstruction& i) {
    WordOf<T> results[kPtxLanes];
    const auto* a = warp.lanes<WordOf<T>>(i.operand[1]);
    for (unsigned l = 0; l < kPtxLanes; ++l) results[l] = std::bit_cast<WordOf<T>>(F::of(lane_value<T>(a, l)));
    keep(warp, i.operand[0], results);
}

template <class T, class F>
void ptx_binary(PtxWarp& warp, const PtxInstruction& i) {
    WordOf<T> results[kPtxLanes];
    const auto* a = warp.lanes<WordOf<T>>(i.operand[1]);
    const auto* b = warp.lanes<WordOf<T>>(i.operand[2]);
    for (unsigned l = 0; l < kPtxLanes; ++l) {
        results[l] = std::bit_cast<WordOf<T>>(F::of(lane_value<T>(a, l), lane_value<T>(b, l)));
    }
    keep(warp, i.operand[0], results);
}

template <class T, class F>
void ptx_ternary(PtxWarp& warp, const PtxInstruction& i) {
    WordOf<T> results[kPtxLanes];
    const auto* a = warp.lanes<WordOf<T>>(i.operand[1]);
    const auto* b = warp.lanes<WordOf<T>>(i.operand[2]);
    const auto* c = warp.lanes<WordOf<T>>(i.operand[3]);
    for (unsigned l = 0; l < kPtxLanes; ++l) {
        results[l] = std::bit_cast<WordOf<T>>(F::of(lane_value<T>(a, l), lane_value<T>(b, l), lane_value<T>(c, l)));
    }
    keep(warp, i.operand[0], results);
}

template <class T, class F>
void ptx_compare(PtxWarp& warp, const PtxInstruction& i) {
    uint8_t results[kPtxLanes];
    const auto* a = warp.lanes<WordOf<T>>(i.operand[1]);
    const auto* b = warp.lanes<WordOf<T>>(i.operand[2]);
    for (unsigned l = 0; l < kPtxLanes; ++l) results[l] = F::of(lane_value<T>(a, l), lane_value<T>(b, l)) ? 1 : 0;
    keep(warp, i.operand[0], results);
}

// By the width of a value in a register.
template <class T>
constexpr char kPtxShapeOf = sizeof(T) == 2   ? 'h'
                             : sizeof(T) == 4 ? 'w'
                                              : 'd';

}  // namespace test
