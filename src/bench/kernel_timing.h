// Times one kernel alone, on data made for it: a matrix kernel over a shape, or one function of a set of vector kernels.
#pragma once

#include <cstdint>
#include <string>

#include "src/bench/bench_timer.h"

namespace bitnet {

struct KernelRun {
    std::string kernel;     // its name
    std::string operation;  // see kernel_operation
    int64_t k = 0;          // width of a row; of attend: of a head
    int64_t n_rows = 0;     // of the matrix; of attend: cells. Others do not look at it
    int64_t n_cols = 0;     // tokens; of attend: query heads that share a key head
    int n_threads = 1;
    uint64_t cold_bytes =
        0;  // so much of weights (attend: cells) is walked in turn; 0: the same matrix again and again
};

struct KernelTiming {
    uint64_t n_runs = 0;
    double median_seconds = 0;
    double best_seconds = 0;
    uint64_t n_bytes = 0;  // that one run reads and writes at least: weights or cells, activations, outputs
    uint64_t n_ops = 0;    // additions and multiplications of its products; 0 for operations without any
};

// The operations of a kernel, from 0: of a matrix kernel "mul_mat" and, where it packs activations, "pack"; of vector kernels
// the functions of kern::VecKernels. nullptr past the end, and for a name that no kernel has.
const char* kernel_operation(const std::string& kernel, size_t index);

// Throws BITNET_E_NOT_FOUND for a kernel or operation that does not exist, BITNET_E_UNSUPPORTED for one that this CPU cannot run,
// BITNET_E_QUANT_INPUT for rows that are no whole blocks, BITNET_E_LIMIT, BITNET_E_CANCELLED, tg::Error(out_of_memory).
KernelTiming time_kernel(const KernelRun& run, const BenchBudget& budget);

}  // namespace bitnet
