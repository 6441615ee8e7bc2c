// What this machine can do at most, measured: bytes read from memory and products of 8-bit integers per second.
#pragma once

#include <cstdint>

#include "src/bench/bench_timer.h"

namespace bitnet {

struct MachineLimits {
    uint64_t n_bytes = 0;                    // of the block that was read
    double read_bytes_per_second = 0;        // the best way of reading
    int read_streams = 0;                    // parts that each thread walked side by side then
    double plain_read_bytes_per_second = 0;  // one part, without prefetching
    double int8_ops_per_second = 0;
    const char* int8_level = nullptr;  // static storage
};

// n_bytes: rounded up to whole units for each thread. level: of the 8-bit products; "" is the machine's best.
// Throws BITNET_E_CONFIG for a level that is none or cannot run here, BITNET_E_CANCELLED, tg::Error(out_of_memory).
MachineLimits measure_limits(int n_threads, uint64_t n_bytes, const char* level, const BenchBudget& budget);

}  // namespace bitnet
