// How many threads a product of ternary weights takes on a device: a pure function of its shape and the product's, for programs
// that launch kernels of their own.
#pragma once

#include <cstdint>

#include "ggml-like/gpu/gpu_device.h"

namespace tg {

// What is left of a GpuInfo here.
struct GpuShape {
    int32_t n_multiprocessors = 0;
    int32_t max_threads_per_block = 0;
    int32_t max_threads_per_multiprocessor = 0;
    int32_t max_shared_bytes = 0;  // of a block
};

struct LaunchParameters {
    uint32_t grid[3] = {1, 1, 1};   // blocks: of rows of weights, of activations
    uint32_t block[3] = {1, 1, 1};  // threads
    uint32_t shared_bytes = 0;      // for the tiles of three steps along k
    uint32_t tile_m = 0;            // rows of activations of a block
    uint32_t tile_n = 0;            // rows of weights of a block
    uint32_t tile_k = 0;            // of a step
    uint32_t blocks_per_multiprocessor = 0;
    double occupancy = 0;  // share of a multiprocessor's threads in blocks that are on it at once
    double waves = 0;      // how often the device is filled
};

// out (m x n) = activations (m x k) times the transpose of n x k weights. Numbers from 1; k a multiple of 128; what the
// shape does not tell (0) is taken as the least that any device of compute capability 7.5 has.
LaunchParameters launch_parameters(const GpuShape& device, int64_t m, int64_t n, int64_t k);

}  // namespace tg
