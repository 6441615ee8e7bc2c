// Places every value of a graph in one arena so that values which live at the same time never overlap, and finds where
// threads must meet: only before a node that reads what others wrote, or overwrites what others may still read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ggml-like/graph.h"

namespace tg {

struct MemoryPlan {
    std::vector<size_t> offsets;        // per value; unused for external ones
    std::vector<size_t> bytes;          // per value, at the largest row counts
    std::vector<uint8_t> barrier_before;  // per node
    // Per node: how many, from it on, may run at the same time, none before the others. Empty: each by itself.
    std::vector<uint8_t> together;
    size_t arena_bytes = 0;

    // What the lists above take.
    size_t bytes_used() const noexcept {
        return (offsets.capacity() + bytes.capacity()) * sizeof(size_t) + barrier_before.capacity() + together.capacity();
    }
};

// max_rows: rows that a step has at most, tokens and outputs alike. Throws tg::Error(out_of_memory) on overflow.
// together: as the plan's, for a backend that does what several nodes ask for in one go: then nothing that one of them writes lies
// over what another one touches, but for values that they share.
MemoryPlan plan_memory(const Graph& graph, int64_t max_rows, std::vector<uint8_t> together = {});

// Whether both nodes make row after row out of the same rows, as many of them: a thread may take them one after the other
// for a few rows at a time, unless it must meet the others in between.
bool same_rows(const Graph& graph, const Node& earlier, const Node& later);

}  // namespace tg
