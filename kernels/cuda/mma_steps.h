// What the products on the tensor cores share: a step is 256 ternary weights of a row, 64 bytes, of which lane t of the four that
// share a row holds 16: four words whose shifted and masked bits are the operand of every field, without going through shared
// memory. Which weights meet in one instruction is free, as integers add up in any order: the activations are staged so that they lie
// as the codes do.
#pragma once

#include "kernels/cuda/wide_loads.h"

namespace kern::gpu {

constexpr int kStepBytes = 64;       // of a row
constexpr int kStepActs = 256;       // of a column
constexpr int kStepActsApart = 320;  // in shared memory: neighbouring columns begin 64 bytes of banks apart

// Of 256 activations those of field f that lane t of four wants are at 64 f + 16 t.
GPU_FUNCTION int mma_source_of(int piece) {
    const int field = piece / 4;
    const int lane = piece % 4;
    return 128 * (lane / 2) + 32 * field + 16 * (lane % 2);
}

}  // namespace kern::gpu
