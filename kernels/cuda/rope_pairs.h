// Rotary positions turn pairs of a head's first numbers: pair p is (p, p + n_pairs) where halves are paired, else (2 p, 2 p + 1).
// table: (cos, sin) by pair.
#pragma once

#include "kernels/cuda/gpu_lanes.h"

namespace kern::gpu {

GPU_FUNCTION float turned_first(float a, float b, const float* table, int64_t pair) {
    return canonical_nan(a * table[2 * pair] - b * table[2 * pair + 1]);
}

GPU_FUNCTION float turned_second(float a, float b, const float* table, int64_t pair) {
    return canonical_nan(a * table[2 * pair + 1] + b * table[2 * pair]);
}

// In place.
GPU_FUNCTION void turn_pair(float* head, int64_t pair, const float* table, int64_t n_pairs, bool halves) {
    float* x = head + (halves ? pair : 2 * pair);
    float* y = x + (halves ? n_pairs : 1);
    const float a = *x, b = *y;
    *x = turned_first(a, b, table, pair);
    *y = turned_second(a, b, table, pair);
}

// What number i of the head becomes, the head left as it is.
GPU_FUNCTION float turned_number(const float* head, int64_t i, const float* table, int64_t n_pairs, bool halves) {
    if (i >= 2 * n_pairs) return head[i];
    const bool first = halves ? i < n_pairs : i % 2 == 0;
    const int64_t pair = halves ? (first ? i : i - n_pairs) : i / 2;
    const int64_t apart = halves ? n_pairs : 1;
    return first ? turned_first(head[i], head[i + apart], table, pair)
                 : turned_second(head[i - apart], head[i], table, pair);
}

}  // namespace kern::gpu
