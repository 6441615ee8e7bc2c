// Low-rank additions to matrices: which rows of a step get which. An adapter is one pair (A, B) per matrix that it changes;
// a matrix W with pairs gives W x + factor * B (A x) for each of them. Data only; the operations are in ops/lora.cpp.
#pragma once

#include <cstdint>

#include "ggml-like/weight.h"

namespace tg {

struct LoraPair {
    Weight a;             // k = input width of the matrix, n_rows = rank; absent where the adapter leaves it as it is
    Weight b;             // k = rank, n_rows = output width
    double factor = 1.0;  // alpha / rank
};

struct LoraUse {
    const LoraPair* pairs;  // one per slot of the graph; the ranks of a slot's pairs fit its lora_down value together
    float scale;
};

// Neighbouring rows that use the same adapters.
struct LoraSegment {
    int64_t begin, end;
    const LoraUse* uses;
    int64_t n_uses;
};

// Together they cover the rows of a step, those without adapters included.
struct LoraSegments {
    const LoraSegment* items = nullptr;
    int64_t n = 0;
};

}  // namespace tg
