// A record of what a graph really ran: per node its kernel, rows, time and a checksum of the output's bits. For
// receipts, for finding the first node where two runs differ, and for the benchmark.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tg {

struct TraceRow {
    const char* op = nullptr;      // static storage
    const char* name = nullptr;    // lives as long as the graph
    const char* kernel = nullptr;  // static storage
    int64_t rows = 0;
    uint64_t microseconds = 0;
    uint64_t checksum = 0;         // 0 for nodes without an output value
};

// The floats that a node has just computed, before anything writes over them.
struct TracedValue {
    size_t node = 0;
    const TraceRow& row;
    const float* values = nullptr;  // [row.rows][width]
    int64_t width = 0;
};

struct GraphTrace {
    // op, name, kernel and rows alone: no time, no checksum, and the run is as fast as without a trace.
    bool names_only = false;
    std::vector<TraceRow> rows;
    // Sees each value while the other threads wait; must not throw. May be null; not called with names_only.
    void (*on_value)(const TracedValue& value, void* user_data) = nullptr;
    void* user_data = nullptr;
};

// FNV-1a, 64 bit.
uint64_t checksum_bytes(const void* data, size_t n_bytes, uint64_t seed = 14695981039346656037ull);

}  // namespace tg
